// How values are spread, step by step: as a picture (steps across, values upwards) or as ridges.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../core/dom.js";
import { compact, number } from "../core/format.js";
import { color, useTheme } from "../core/theme.js";
import { scaleColor } from "./colors.js";

const LEFT = 58;
const BOTTOM = 22;
const TOP = 6;
const RIDGES = 24;

/**
 * @typedef {object} Distributions
 * @property {number[]} steps
 * @property {number[]} edges  of the bins, which all steps share
 * @property {number[][]} share  for each step, which share of the elements is in which bin
 * @property {(number | null)[][]} quantiles  for each step: 5 %, 50 % and 95 % lie below
 */

/**
 * `chosen` is a step that is marked; `onStep` is called with one that is clicked, or by Enter.
 * @param {{ title: string, found: Distributions, ridges?: boolean, height?: number, chosen?: number | null, onStep?: (step: number) => void }} props
 */
export function HistogramOverTime({ title, found, ridges = false, height = 240, chosen = null, onStep }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const [at, setAt] = useState(/** @type {number | null} */ (null));
  const [width, setWidth] = useState(0);
  const mode = useTheme();
  const marked = chosen === null ? null : nearestStep(found.steps, chosen);
  useEffect(() => {
    const box = /** @type {HTMLCanvasElement} */ (canvas.current);
    const watcher = new ResizeObserver(() => setWidth(box.clientWidth));
    watcher.observe(box);
    return () => watcher.disconnect();
  }, []);
  useLayoutEffect(() => {
    const box = canvas.current;
    if (box?.clientWidth) (ridges ? drawRidges : drawPicture)(box, found, at ?? marked, height);
  }, [found, ridges, at, marked, width, height, mode]);
  const count = found.steps.length;
  const point = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    const share = ridges ? (event.clientY - box.top - TOP) / (height - TOP - BOTTOM) : (event.clientX - box.left - LEFT) / (box.width - LEFT);
    setAt(Math.min(count - 1, Math.max(0, Math.floor(share * count))));
  };
  const choose = () => at !== null && onStep?.(found.steps[at]);
  const press = (event) => {
    if (event.key === "Enter") choose();
    const move = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1, Home: -count, End: count }[event.key];
    if (!move) return;
    event.preventDefault();
    setAt((before) => Math.min(count - 1, Math.max(0, (before ?? marked ?? 0) + move)));
  };
  return html`<figure class="spread-over">
    <canvas ref=${canvas} tabindex="0" role="application" aria-label=${`${title}. Arrow keys move from step to step${onStep ? "; Enter shows one" : ""}.`} style=${{ height: `${height}px`, cursor: onStep ? "pointer" : "" }}
      onClick=${(event) => { point(event); choose(); }} onPointerMove=${point} onPointerLeave=${() => setAt(null)} onKeyDown=${press}></canvas>
    <p class="readout" role="status">${said(found, at)}</p>
  </figure>`;
}

/** The column of the last step up to another one; the first if all come later. @param {number[]} steps @param {number} wanted */
function nearestStep(steps, wanted) {
  return Math.max(0, steps.filter((one) => one <= wanted).length - 1);
}

/** @param {Distributions} found @param {number | null} at */
function said(found, at) {
  if (at === null || !found.quantiles[at]) return `${found.steps.length} steps; lines: the median, and where the middle 90 % lie`;
  const [low, middle, high] = found.quantiles[at];
  return `step ${number(found.steps[at])} · median ${number(middle, 4)} · 90 % between ${number(low, 4)} and ${number(high, 4)}`;
}

/** @param {HTMLCanvasElement} canvas @param {number} height */
function begin(canvas, height) {
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(canvas.clientWidth * ratio);
  canvas.height = Math.round(height * ratio);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.scale(ratio, ratio);
  context.font = "11px system-ui, sans-serif";
  return { context, wide: canvas.clientWidth - LEFT, tall: height - TOP - BOTTOM };
}

/** @param {HTMLCanvasElement} canvas @param {Distributions} found @param {number | null} at @param {number} height */
function drawPicture(canvas, found, at, height) {
  const { context, wide, tall } = begin(canvas, height);
  const { steps, edges, share, quantiles } = found;
  const bins = edges.length - 1;
  const most = Math.max(1e-9, ...share.map((column) => Math.max(...column)));
  const x = (column) => LEFT + Math.round((column / steps.length) * wide);
  const y = (bin) => TOP + Math.round(tall * (1 - bin / bins));
  for (const [column, shares] of share.entries()) {
    for (let bin = 0; bin < bins; bin += 1) {
      if (!(shares[bin] > 0)) continue;
      context.fillStyle = scaleColor(Math.sqrt(shares[bin] / most));
      context.fillRect(x(column), y(bin + 1), x(column + 1) - x(column), y(bin) - y(bin + 1));
    }
  }
  const [low, high] = [edges[0], edges[bins]];
  const place = (value) => TOP + tall * (1 - (value - low) / (high - low));
  for (const [line, index] of [[2, 1], [1, 0], [1, 2]]) {
    for (const [stroke, extra] of [["#000b", 2], ["#fff", 0]]) {
      context.strokeStyle = String(stroke);
      context.lineWidth = line + Number(extra);
      context.setLineDash(index === 1 ? [] : [4, 3]);
      context.beginPath();
      let on = false;
      for (const [column, values] of quantiles.entries()) {
        const value = values[index];
        if (value === null || value < low || value > high) {
          on = false;
          continue;
        }
        const middle = (x(column) + x(column + 1)) / 2;
        if (on) context.lineTo(middle, place(value));
        else context.moveTo(middle, place(value));
        on = true;
      }
      context.stroke();
    }
  }
  context.setLineDash([]);
  axis(context, [low, (low + high) / 2, high].map((value) => [place(value), number(value, 3)]));
  stepTicks(context, steps, (column) => (x(column) + x(column + 1)) / 2, LEFT + wide, TOP + tall);
  if (at !== null) {
    context.strokeStyle = color("--ink");
    context.lineWidth = 1;
    context.strokeRect(x(at) + 0.5, TOP + 0.5, Math.max(1, x(at + 1) - x(at)) - 1, tall - 1);
  }
}

/** @param {HTMLCanvasElement} canvas @param {Distributions} found @param {number | null} at @param {number} height */
function drawRidges(canvas, found, at, height) {
  const { context, wide, tall } = begin(canvas, height);
  const { steps, edges, share } = found;
  const bins = edges.length - 1;
  const chosen = steps.length <= RIDGES ? [...steps.keys()] : Array.from({ length: RIDGES }, (_, row) => Math.round((row * (steps.length - 1)) / (RIDGES - 1)));
  const nearest = at === null ? -1 : chosen.reduce((best, one) => (Math.abs(one - at) < Math.abs(best - at) ? one : best), chosen[0]);
  const room = Math.min(46, tall * 0.35);
  const gap = chosen.length > 1 ? (tall - room) / (chosen.length - 1) : 0;
  const labels = [];
  for (const [row, column] of chosen.entries()) {
    const most = Math.max(1e-9, ...share[column]);
    const base = TOP + room + row * gap;
    context.beginPath();
    context.moveTo(LEFT, base);
    for (let bin = 0; bin < bins; bin += 1) context.lineTo(LEFT + ((bin + 0.5) / bins) * wide, base - (share[column][bin] / most) * room);
    context.lineTo(LEFT + wide, base);
    context.closePath();
    context.globalAlpha = 0.85;
    context.fillStyle = column === nearest ? color("--accent") : scaleColor(0.15 + (0.6 * row) / Math.max(1, chosen.length - 1));
    context.fill();
    context.globalAlpha = 1;
    context.strokeStyle = color("--paper");
    context.lineWidth = 1;
    context.stroke();
    labels.push(/** @type {[number, string]} */ ([base, compact(steps[column])]));
  }
  axis(context, labels);
  const ticks = [edges[0], (edges[0] + edges[bins]) / 2, edges[bins]];
  context.fillStyle = color("--quiet");
  context.textBaseline = "top";
  ticks.forEach((value, index) => {
    const text = number(value, 3);
    const long = context.measureText(text).width;
    context.fillText(text, LEFT + (wide - long) * (index / 2), TOP + tall + 6);
  });
}

/** @param {CanvasRenderingContext2D} context @param {[number, string][]} labels */
function axis(context, labels) {
  context.fillStyle = color("--quiet");
  context.textBaseline = "middle";
  context.textAlign = "right";
  let free = -20;
  for (const [y, text] of [...labels].sort((a, b) => a[0] - b[0])) {
    if (y - free < 14) continue;
    context.fillText(text, LEFT - 6, Math.max(y, 8));
    free = y;
  }
  context.textAlign = "left";
}

function stepTicks(context, steps, x, right, top) {
  context.fillStyle = color("--quiet");
  context.textBaseline = "top";
  let free = -1;
  steps.forEach((step, column) => {
    const text = compact(step);
    const long = context.measureText(text).width;
    const left = Math.min(right - long, x(column) - long / 2);
    if (left <= free) return;
    context.fillText(text, left, top + 6);
    free = left + long + 24;
  });
}
