// A line without axes, the size of a word.
import { html } from "../core/dom.js";
import { number } from "../core/format.js";

/**
 * @param {{ y: (number | null)[], x?: number[], width?: number, height?: number, label: string }} props
 *   `label` says what it is of; the first and last values are added to it
 */
export function Spark({ y, x, width = 112, height = 24, label }) {
  const finite = y.filter((value) => value !== null && Number.isFinite(value));
  if (!finite.length) return html`<span class="quiet">–</span>`;
  const text = `${label}: from ${number(finite[0], 4)} to ${number(finite.at(-1), 4)}`;
  return html`<svg class="spark" width=${width} height=${height} viewBox=${`0 0 ${width} ${height}`} role="img" aria-label=${text}>
    <title>${text}</title>
    <path d=${path(y, x, width, height)} />
    ${finite.length === 1 && html`<circle cx=${width / 2} cy=${height / 2} r="2" />`}
  </svg>`;
}

/**
 * The line as SVG says it; where a value is no number, it is broken.
 * @param {(number | null)[]} y @param {number[] | undefined} x @param {number} width @param {number} height
 */
export function path(y, x, width, height) {
  const room = 2;
  let low = Infinity;
  let high = -Infinity;
  for (const value of y) {
    if (value === null || !Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const from = x ? x[0] : 0;
  const span = (x ? x[x.length - 1] - from : y.length - 1) || 1;
  // Halved first: the distance of two numbers may be more than there is.
  const size = high / 2 - low / 2;
  let line = "";
  let pen = "M";
  y.forEach((value, place) => {
    if (value === null || !Number.isFinite(value)) {
      pen = "M";
      return;
    }
    const across = room + (((x ? x[place] : place) - from) / span) * (width - 2 * room);
    const up = size > 0 ? (value / 2 - low / 2) / size : 0.5;
    line += `${pen}${across.toFixed(1)} ${(height - room - up * (height - 2 * room)).toFixed(1)}`;
    pen = "L";
  });
  return line;
}
