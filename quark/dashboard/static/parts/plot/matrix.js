// A confusion matrix: what was true downwards, what was predicted across; the colour is the share
// of the row, so that small classes are seen as well as large ones.
import { html, useState } from "../../core/dom.js";
import { number } from "../../core/format.js";
import { useWidth } from "./frame.js";
import { fitted } from "./scale.js";

/** @param {{ found: any, title: string, height: number }} props */
export function Matrix({ found, title, height }) {
  const [place, width] = useWidth();
  const [at, setAt] = useState(/** @type {[number, number] | null} */ (null));
  const { classes, counts, row_sums: sums } = found;
  const many = classes.length;
  const longest = Math.max(...classes.map((name) => [...name].length), 1);
  const left = 18 + Math.min(width * 0.3, 10 + longest * 6.8);
  const wide = Math.min(170, Math.max(1, (width - left - 6) / many));
  const isFlat = wide >= Math.min(60, 10 + longest * 6.8); // names fit above their columns as they are
  const top = 20 + (isFlat ? 16 : Math.min(96, 10 + longest * 6.8));
  const tall = Math.max(Math.min(wide, 16), Math.min(64, wide, (height * 1.35 - top) / many));
  const size = top + many * tall + 4;
  const share = (row, column) => (sums[row] > 0 ? Math.max(0, Math.min(1, counts[row][column] / sums[row])) : 0);
  const percent = (part, all) => (all > 0 ? `${((part / all) * 100).toFixed(part === all || !part ? 0 : 1)} %` : "no rows");
  const hasCounts = wide >= 6 + 6.6 * Math.max(...counts.flat().map((one) => number(one, 4).length)) && tall >= 15;
  const hasShares = hasCounts && tall >= 34 && wide >= 40;
  const accuracy = percent(found.correct, found.total);
  const label = `${title || "Confusion matrix"}: ${found.class_count} classes, ${number(found.total)} predictions, ${accuracy} correct. Arrow keys move from cell to cell.`;
  const step = (event) => {
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -many], End: [0, many], PageUp: [-10, 0], PageDown: [10, 0] }[event.key];
    if (!move) return;
    event.preventDefault();
    const inside = (value) => Math.max(0, Math.min(many - 1, value));
    setAt((before) => (before ? [inside(before[0] + move[0]), inside(before[1] + move[1])] : [0, 0]));
  };
  const point = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    const [row, column] = [Math.floor((event.clientY - box.top - top) / tall), Math.floor((event.clientX - box.left - left) / wide)];
    setAt(row >= 0 && row < many && column >= 0 && column < many ? [row, column] : null);
  };
  const said = ([row, column]) => `${classes[row]} taken for ${row === column ? "what it is" : classes[column]}: ${number(counts[row][column], 6)} of ${number(sums[row], 6)} (${percent(counts[row][column], sums[row])})`;
  const every = Math.max(1, Math.ceil(13 / (isFlat ? 1e9 : wide))); // where names above would overlap, not each
  const everyRow = Math.max(1, Math.ceil(12 / tall));
  return html`<figure class="plot" tabindex="0" role="group" aria-label=${label} onKeyDown=${step} onBlur=${() => setAt(null)}>
    <div ref=${place} style=${{ minHeight: "120px" }}>
      ${width > 0 &&
      html`<svg width=${width} height=${size} aria-hidden="true" onPointerMove=${point} onPointerDown=${point} onPointerLeave=${() => setAt(null)}>
        <rect x="0" y="0" width=${width} height=${size} fill="transparent" />
        <text class="plot-title" x=${left + (wide * many) / 2} y="12" text-anchor="middle">${fitted(found.columns.predicted, wide * many)}</text>
        <text class="plot-title" transform=${`translate(11 ${top + (tall * many) / 2}) rotate(-90)`} text-anchor="middle">${fitted(found.columns.actual, tall * many)}</text>
        ${classes.map((name, one) => {
          const middle = left + (one + 0.5) * wide;
          const isHere = at !== null;
          return html`<g key=${one}>
            ${one % everyRow === 0 && html`<text class=${`plot-label ${isHere && at[0] === one ? "here" : ""}`} x=${left - 6} y=${top + (one + 0.5) * tall + 4} text-anchor="end">${fitted(name, left - 24)}</text>`}
            ${one % every === 0 &&
            (isFlat
              ? html`<text class=${`plot-label ${isHere && at[1] === one ? "here" : ""}`} x=${middle} y=${top - 6} text-anchor="middle">${fitted(name, wide - 2)}</text>`
              : html`<text class=${`plot-label ${isHere && at[1] === one ? "here" : ""}`} transform=${`translate(${middle + 4} ${top - 6}) rotate(-90)`}>${fitted(name, top - 28)}</text>`)}
          </g>`;
        })}
        ${counts.map((cells, row) =>
          cells.map((count, column) => {
            const part = share(row, column);
            const [x, y] = [left + column * wide, top + row * tall];
            const gap = wide > 8 ? 1.5 : 0;
            const tone = part > 0.5 ? "plot-cell-text on" : "plot-cell-text";
            return html`<g key=${row * many + column}>
              <rect class="plot-cell-paper" x=${x} y=${y} width=${wide - gap} height=${tall - gap} rx=${gap} />
              <rect class="plot-cell" x=${x} y=${y} width=${wide - gap} height=${tall - gap} rx=${gap} style=${{ opacity: part ? 0.07 + 0.93 * part : 0 }} />
              ${hasCounts && html`<text class=${tone} x=${x + wide / 2} y=${y + tall / 2 + (hasShares ? -1 : 4)} text-anchor="middle">${number(count, 4)}</text>`}
              ${hasShares && html`<text class=${`${tone} small`} x=${x + wide / 2} y=${y + tall / 2 + 13} text-anchor="middle">${sums[row] > 0 ? percent(count, sums[row]) : ""}</text>`}
            </g>`;
          }),
        )}
        ${at && html`<rect class="plot-cell-here" x=${left + at[1] * wide - 1} y=${top + at[0] * tall - 1} width=${wide + 1} height=${tall + 1} rx="2" />`}
      </svg>`}
    </div>
    <figcaption class="readout" aria-live="polite">${at ? said(at) : `${number(found.total)} predictions, ${accuracy} correct; the colour is the share of the row`}</figcaption>
  </figure>`;
}
