// Numbers, times and sizes as people read them. What is not a number is said, never hidden.

/** @param {any} value @param {number} [digits]  significant ones */
export function number(value, digits = 5) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return (value || 0).toLocaleString("en").replaceAll(",", " ");
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e9)) return Number(value.toPrecision(Math.min(4, digits))).toExponential();
  return String(Number(value.toPrecision(digits)));
}

/** @param {number | null | undefined} bytes */
export function bytes(bytes) {
  if (bytes === null || bytes === undefined) return "–";
  const units = ["B", "KB", "MB", "GB", "TB"];
  let size = bytes;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${unit && size < 10 ? size.toFixed(1) : Math.round(size)} ${units[unit]}`;
}

/** @param {number | null | undefined} seconds */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 59.5) return `${seconds.toFixed(seconds < 9.95 ? 1 : 0)} s`;
  const whole = Math.round(seconds); // before it is cut into parts, so that none of them is 60
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** @param {string | null | undefined} timestamp */
export function ago(timestamp) {
  if (!timestamp) return "–";
  const seconds = (Date.now() - Date.parse(timestamp)) / 1000;
  if (Number.isNaN(seconds)) return timestamp;
  if (seconds < 45) return "just now";
  if (seconds < 3600) return `${Math.max(1, Math.round(seconds / 60))} min ago`;
  if (seconds < 86400) return `${Math.round(seconds / 3600)} h ago`;
  if (seconds < 86400 * 30) return `${Math.round(seconds / 86400)} d ago`;
  return timestamp.slice(0, 10);
}

/** @param {string | null | undefined} timestamp */
export function moment(timestamp) {
  if (!timestamp) return "–";
  const when = new Date(timestamp);
  return Number.isNaN(when.getTime()) ? timestamp : when.toLocaleString(undefined, { hour12: false });
}

/** A number for an axis, short: 1500000 is "1.5M". @param {number} value */
export function compact(value) {
  const size = Math.abs(value);
  if (size >= 1e15 || (size !== 0 && size < 1e-4)) return Number(value.toPrecision(3)).toExponential();
  for (const [limit, letter] of /** @type {[number, string][]} */ ([[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e4, "k"]])) {
    if (size >= limit) {
      const unit = letter === "k" ? 1e3 : limit;
      return `${Number((value / unit).toPrecision(6))}${letter}`;
    }
  }
  return String(Number(value.toPrecision(6)));
}

/** Seconds since a beginning, short enough for an axis: "45s", "12m 30s", "1h 05m". @param {number} seconds */
export function elapsed(seconds) {
  const sign = seconds < 0 ? "−" : "";
  const size = Math.abs(seconds);
  if (size < 59.95) return `${sign}${Number(size.toPrecision(3))}s`;
  const [whole, rest] = [Math.floor(Math.round(size) / 60), Math.round(size) % 60];
  if (whole < 60) return `${sign}${whole}m${rest ? ` ${rest}s` : ""}`;
  const [hours, minutes] = [Math.floor(whole / 60), whole % 60];
  if (hours < 24) return `${sign}${hours}h${minutes ? ` ${String(minutes).padStart(2, "0")}m` : ""}`;
  return `${sign}${Math.floor(hours / 24)}d${hours % 24 ? ` ${hours % 24}h` : ""}`;
}
