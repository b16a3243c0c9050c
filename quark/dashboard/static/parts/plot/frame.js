// What charts of logged tables have in common: a picture as wide as its place, axes with titles,
// and a line of text that says what the pointer or the keys are at.
import { html, useEffect, useRef, useState } from "../../core/dom.js";
import { fitted, markTexts, scale, ticks } from "./scale.js";

/** The width of an element, as it changes. @returns {[any, number]} */
export function useWidth() {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const box = /** @type {HTMLElement} */ (place.current);
    const watcher = new ResizeObserver(() => setWidth(box.clientWidth));
    watcher.observe(box);
    setWidth(box.clientWidth);
    return () => watcher.disconnect();
  }, []);
  return [place, width];
}

/**
 * @typedef {object} FrameProps
 * @property {string} label  what is seen, for who cannot see it
 * @property {[number, number]} x  the range of its axis
 * @property {[number, number]} y
 * @property {string} xTitle
 * @property {string} yTitle
 * @property {number} height
 * @property {any} said  below the picture
 * @property {boolean} [roomy]  what is said may need two lines; so what is below never jumps
 * @property {(at: { x: number, y: number, across: (value: number) => number, up: (value: number) => number } | null) => void} onPoint
 *   where the pointer is, in values; null when it leaves
 * @property {(event: KeyboardEvent) => void} onKey
 * @property {(places: { across: (value: number) => number, up: (value: number) => number, left: number, right: number, top: number, bottom: number }) => any} children
 */

/** @param {FrameProps} props */
export function Frame({ label, x, y, xTitle, yTitle, height, said, roomy = false, onPoint, onKey, children }) {
  const [place, width] = useWidth();
  const draw = Array.isArray(children) ? children[0] : children;
  const yTicks = ticks(y[0], y[1], Math.max(2, Math.floor(height / 36)));
  const yTexts = markTexts(yTicks);
  const longest = Math.max(...yTexts.map((one) => one.length), 1);
  const left = 10 + longest * 6.6 + (yTitle ? 16 : 0);
  const right = Math.max(left + 10, width - 10);
  const [top, bottom] = [8, height - (xTitle ? 36 : 22)];
  const across = scale(x, [left, right]);
  const up = scale(y, [bottom, top]);
  const sparse = ticks(x[0], x[1], Math.max(2, Math.floor((right - left) / 52)));
  const wide = Math.max(...markTexts(sparse).map((one) => one.length)) * 6.6 + 12;
  const xTicks = wide > 52 ? ticks(x[0], x[1], Math.max(1, Math.floor((right - left) / wide))) : sparse;
  const xTexts = markTexts(xTicks);
  // A text at the end of its axis stays inside of the picture.
  const inside = (text, at) => Math.min(width - text.length * 3.3 - 1, at);
  const point = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    const [h, v] = [event.clientX - box.left, event.clientY - box.top];
    onPoint({ x: x[0] + ((h - left) / (right - left)) * (x[1] - x[0]), y: y[0] + ((bottom - v) / (bottom - top)) * (y[1] - y[0]), across, up });
  };
  return html`<figure class="plot" tabindex="0" role="group" aria-label=${label} onKeyDown=${onKey} onBlur=${() => onPoint(null)}>
    <div ref=${place} style=${{ height: `${height}px` }}>
      ${width > 0 &&
      html`<svg width=${width} height=${height} aria-hidden="true" onPointerMove=${point} onPointerDown=${point} onPointerLeave=${() => onPoint(null)}>
        <rect x="0" y="0" width=${width} height=${height} fill="transparent" />
        ${yTicks.map((one, index) => html`<g key=${`y${one}`}><line class="plot-grid" x1=${left} x2=${right} y1=${up(one)} y2=${up(one)} /><text class="plot-tick" x=${left - 5} y=${up(one) + 4} text-anchor="end">${yTexts[index]}</text></g>`)}
        ${xTicks.map((one, index) => html`<g key=${`x${one}`}><line class="plot-grid" x1=${across(one)} x2=${across(one)} y1=${top} y2=${bottom} /><text class="plot-tick" x=${inside(xTexts[index], across(one))} y=${bottom + 14} text-anchor="middle">${xTexts[index]}</text></g>`)}
        <line class="plot-axis" x1=${left} x2=${right} y1=${bottom} y2=${bottom} /><line class="plot-axis" x1=${left} x2=${left} y1=${top} y2=${bottom} />
        ${xTitle && html`<text class="plot-title" x=${(left + right) / 2} y=${height - 4} text-anchor="middle">${fitted(xTitle, right - left)}</text>`}
        ${yTitle && html`<text class="plot-title" transform=${`translate(11 ${(top + bottom) / 2}) rotate(-90)`} text-anchor="middle">${fitted(yTitle, bottom - top)}</text>`}
        ${draw({ across, up, left, right, top, bottom })}
      </svg>`}
    </div>
    <figcaption class=${roomy ? "readout roomy" : "readout"} aria-live="polite">${said}</figcaption>
  </figure>`;
}

/**
 * Which of several places the keys move to; undefined for other keys.
 * @param {KeyboardEvent} event @param {number} at  -1: none yet @param {number} count
 */
export function moved(event, at, count) {
  const next = { ArrowRight: at + 1, ArrowUp: at + 1, ArrowLeft: at - 1, ArrowDown: at - 1, PageUp: at + 10, PageDown: at - 10, Home: 0, End: count - 1 }[event.key];
  if (next === undefined || !count) return undefined;
  event.preventDefault();
  return Math.max(0, Math.min(count - 1, next));
}
