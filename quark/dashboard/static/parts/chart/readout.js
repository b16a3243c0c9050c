// What stands under a chart: the values at the cursor, else what the lines are.
import { seriesColor } from "../../core/theme.js";
import { whereText, withUnit } from "./options.js";

const MAX_SERIES = 12;
/** Lines that are named beside the pointer; of more, those nearest to it. */
const MAX_TOLD = 14;

/**
 * @param {HTMLElement} box @param {any} plot @param {import("../chart.js").ChartProps} props
 * @param {import("./align.js").Drawn} drawn
 */
export function readout(box, plot, props, drawn) {
  const at = plot.cursor.idx;
  const isThere = at !== null && at !== undefined && plot.cursor.left >= 0;
  // Of several lines, what is beside the pointer says it all.
  const isTold = isThere && tell(plot, at, props, drawn);
  const parts = isTold ? [word(whereText(plot.data[0][at], props.xKind ?? "number"))] : isThere ? values(plot, at, props, drawn) : props.legend ? legend(props) : last(props);
  if (props.xName && (!isThere || (props.xKind ?? "number") === "number")) parts.unshift(axis(props.xName));
  if (!isThere) plot.over.querySelector(".tip")?.remove();
  box.replaceChildren(...parts.flatMap((part) => [part, " "])); // the blank is for those who listen
}

/** @param {string} text @param {number} [index]  of the palette */
function word(text, index) {
  const span = document.createElement("span");
  span.textContent = text;
  if (index !== undefined) {
    const dot = document.createElement("i");
    dot.style.background = seriesColor(index);
    span.prepend(dot);
  }
  return span;
}

/** What the chart is drawn along. @param {string} name */
function axis(name) {
  const word = document.createElement("b");
  word.textContent = name;
  return word;
}

/** Where a single line has come to. @param {import("../chart.js").ChartProps} props */
function last({ series, xKind = "number", unit = "" }) {
  if (series.length !== 1) return [];
  const { x, y } = series[0];
  let at = y.length - 1;
  while (at >= 0 && y[at] === null) at -= 1;
  return at < 0 ? [] : [word(`last ${withUnit(y[at], unit)}${xKind === "number" ? ` at ${whereText(x[at], xKind)}` : ""}`)];
}

/**
 * Beside the pointer, of several lines: all their names and values, the highest first, the nearest line bold.
 * @param {any} plot @param {number} at @param {import("../chart.js").ChartProps} props
 * @param {import("./align.js").Drawn} drawn @returns {boolean}  whether it says anything
 */
function tell(plot, at, { series, xKind = "number", unit = "", xName = "" }, drawn) {
  const over = /** @type {HTMLElement} */ (plot.over);
  const tip = over.querySelector(".tip") ?? document.createElement("div");
  const lines = series.length < 2 || !over.matches(":hover") ? [] : told(plot, at, series, drawn);
  if (!lines.length) {
    tip.remove();
    return false;
  }
  const nearest = lines.reduce((best, one) => (one.far < best.far ? one : best));
  const from = Math.max(0, Math.min(lines.indexOf(nearest) - MAX_TOLD / 2, lines.length - MAX_TOLD));
  const shown = lines.slice(from, from + MAX_TOLD);
  const head = document.createElement("div");
  const where = whereText(plot.data[0][at], xKind);
  head.textContent = `${xKind === "number" && xName ? `${xName} ` : ""}${where}${shown.length < lines.length ? ` · ${shown.length} of ${lines.length}, the nearest` : ""}`;
  tip.className = "tip";
  tip.setAttribute("aria-hidden", "true"); // the line below the chart says it to who listens
  tip.replaceChildren(
    head,
    ...shown.map((one) => {
      const row = document.createElement("div");
      row.className = one === nearest ? "near" : "";
      const value = document.createElement("b");
      value.textContent = withUnit(one.value, unit);
      row.append(word(one.label, one.color), value);
      return row;
    }),
  );
  over.append(tip);
  const { left } = plot.cursor;
  const place = /** @type {HTMLElement} */ (tip).style;
  const isRight = left > over.clientWidth / 2;
  place.left = isRight ? "auto" : `${left + 14}px`;
  place.right = isRight ? `${over.clientWidth - left + 14}px` : "auto";
  // Beside its chart, whatever the window has room for.
  const top = over.getBoundingClientRect().top;
  const height = /** @type {HTMLElement} */ (tip).offsetHeight;
  place.top = `${Math.max(-top + 8, Math.min(0, innerHeight - top - height - 8))}px`;
  return true;
}

/**
 * The lines that have a value here, from the top.
 * @param {any} plot @param {number} at @param {import("../chart.js").ChartProps["series"]} series
 * @param {import("./align.js").Drawn} drawn
 */
function told(plot, at, series, drawn) {
  return series
    .map((one, index) => ({ label: one.label, color: one.color ?? index, value: plot.data[drawn.places[index].line]?.[at] }))
    .filter((one) => one.value !== null && one.value !== undefined)
    .map((one) => ({ ...one, far: Math.abs(plot.valToPos(one.value, "y") - plot.cursor.top) }))
    .sort((a, b) => b.value - a.value);
}

/** @param {import("../chart.js").ChartProps} props */
function legend({ series }) {
  return series.slice(0, MAX_SERIES).map((one, index) => word(one.label, one.color ?? index));
}

/**
 * @param {any} plot @param {number} at @param {import("../chart.js").ChartProps} props
 * @param {import("./align.js").Drawn} drawn
 */
function values(plot, at, { series, xKind = "number", unit = "", marks, bands }, drawn) {
  const x = plot.data[0][at];
  const parts = [word(whereText(x, xKind))];
  const near = Math.abs(plot.scales.x.max - plot.scales.x.min) / 120;
  series.forEach((one, index) => {
    const { line, raw, min, max } = drawn.places[index];
    const value = plot.data[line]?.[at];
    const name = series.length > 1 ? `${one.label} ` : "";
    if (value !== null && value !== undefined) {
      const asItIs = raw ? plot.data[raw][at] : value;
      const [low, high] = min ? [plot.data[min][at], plot.data[max][at]] : [value, value];
      const range = low !== null && low !== undefined && low !== high ? ` (${withUnit(low, unit)} … ${withUnit(high, unit)})` : "";
      const smoothed = raw && asItIs !== value ? ` smoothed, raw ${withUnit(asItIs, unit)}` : "";
      if (parts.length <= MAX_SERIES) parts.push(word(`${name}${withUnit(value, unit)}${smoothed}${range}`, series.length > 1 ? (one.color ?? index) : undefined));
    }
    for (const [where, many, what] of one.bad ?? []) {
      if (Math.abs(where - x) <= near) parts.push(word(`${name}${what ?? "not finite"}${many > 1 ? ` ×${many}` : ""} at ${whereText(where, xKind)}`));
    }
  });
  for (const mark of marks ?? []) if (Math.abs(mark.x - x) <= near) parts.push(word(mark.label));
  const band = (bands ?? []).find((one) => one.from <= x && x <= one.to);
  if (band) parts.push(word(band.label));
  return parts;
}
