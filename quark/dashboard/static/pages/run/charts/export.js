// A chart taken along: its points as CSV, its picture as PNG; by the clipboard, else as a file.
import { html, useRef, useState } from "../../../core/dom.js";
import { color } from "../../../core/theme.js";
import { axisName } from "./axis.js";

/**
 * @param {{ title: string, place: { current: HTMLElement | null }, chart: any, axis: string }} props  `place`: what the chart
 *   is in
 */
export function Export({ title, place, chart, axis }) {
  const menu = useRef(/** @type {HTMLDetailsElement | null} */ (null));
  const [said, say] = useState("");
  const act = (work) => async () => {
    if (menu.current) menu.current.open = false;
    say(await work().catch((error) => `It could not be taken: ${error.message}`));
    setTimeout(() => say(""), 2500);
  };
  const name = title.replace(/[^\w.-]+/g, "_").slice(0, 80) || "chart";
  const text = () => csv(chart.series, axisName(axis));
  const leave = (event) => {
    if (menu.current && !menu.current.contains(event.relatedTarget)) menu.current.open = false;
  };
  const escape = (event) => {
    if (event.key !== "Escape" || !menu.current?.open) return;
    menu.current.open = false;
    event.preventDefault();
    event.stopPropagation();
  };
  return html`<span class="said" role="status">${said}</span>
    <details class="menu" ref=${menu} onFocusOut=${leave} onKeyDown=${escape}>
      <summary class="ghost tight" aria-label=${`Take ${title} along`} title="Copy or save">⋯</summary>
      <div class="menu-list">
        <button type="button" onClick=${act(() => copyText(text(), `${name}.csv`))}>Copy as CSV</button>
        <button type="button" onClick=${act(async () => save(new Blob([text()], { type: "text/csv" }), `${name}.csv`))}>Save as CSV</button>
        <button type="button" onClick=${act(async () => copyPicture(await picture(place.current, title), `${name}.png`))}>Copy as PNG</button>
        <button type="button" onClick=${act(async () => save(await picture(place.current, title), `${name}.png`))}>Save as PNG</button>
      </div>
    </details>`;
}

/**
 * The points as they are shown, a row for each place on the axis.
 * @param {{ label: string, x: number[], y: (number | null)[], min?: any, max?: any }[]} series @param {string} axis
 */
export function csv(series, axis) {
  const head = [axis];
  /** @type {Map<number, (number | null)[]>} */
  const rows = new Map();
  for (const one of series) {
    const columns = one.min ? [one.y, one.min, one.max] : [one.y];
    const first = head.length;
    head.push(...(one.min ? [one.label, `${one.label} (min)`, `${one.label} (max)`] : [one.label]));
    one.x.forEach((x, index) => {
      const row = rows.get(x) ?? [];
      rows.set(x, row);
      columns.forEach((column, number) => {
        row[first + number - 1] = column[index];
      });
    });
  }
  const lines = [...rows].sort((a, b) => a[0] - b[0]).map(([x, row]) => [x, ...Array.from({ length: head.length - 1 }, (_, index) => row[index] ?? "")].join(","));
  return [head.map(quoted).join(","), ...lines, ""].join("\n");
}

/** A name cannot become a formula of a spreadsheet. @param {string} text */
function quoted(text) {
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

/** @param {HTMLElement | null} place @param {string} title @returns {Promise<Blob>} */
async function picture(place, title) {
  const canvas = place?.querySelector("canvas");
  if (!canvas) throw new Error("the chart is not drawn");
  const ratio = devicePixelRatio;
  const head = 26 * ratio;
  const sheet = document.createElement("canvas");
  sheet.width = canvas.width;
  sheet.height = canvas.height + head;
  const pen = /** @type {CanvasRenderingContext2D} */ (sheet.getContext("2d"));
  pen.fillStyle = color("--paper");
  pen.fillRect(0, 0, sheet.width, sheet.height);
  pen.fillStyle = color("--ink");
  pen.font = `600 ${13 * ratio}px system-ui`;
  pen.fillText(title, 8 * ratio, 18 * ratio, sheet.width - 16 * ratio);
  pen.drawImage(canvas, 0, head);
  return new Promise((settle, fail) => sheet.toBlob((blob) => (blob ? settle(blob) : fail(new Error("the browser makes no picture")))));
}

/** @param {string} text @param {string} name */
async function copyText(text, name) {
  try {
    await navigator.clipboard.writeText(text);
    return "Copied.";
  } catch {
    return save(new Blob([text], { type: "text/csv" }), name);
  }
}

/** @param {Blob} blob @param {string} name */
async function copyPicture(blob, name) {
  try {
    await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
    return "Copied.";
  } catch {
    return save(blob, name);
  }
}

/** @param {Blob} blob @param {string} name */
function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  return `Saved as ${name}.`;
}
