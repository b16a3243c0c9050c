// Parallel coordinates: an axis for each thing, a line through them for each run. A range drawn on
// an axis keeps the lines that go through it; the same by the keys, in the fields below.
import { html, classes, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../core/dom.js";
import { number } from "../core/format.js";
import { color, useTheme } from "../core/theme.js";

const HEIGHT = 380;
const TOP = 64;
const BOTTOM = 22;
const NARROWEST = 112;
const MAX_WORDS = 30;

/**
 * @typedef {object} Axis
 * @property {string} id
 * @property {"number" | "words"} kind
 * @property {any[]} domain  least and most, or all words
 * @property {any[]} values  of each line; undefined where it has none
 * @property {boolean} log
 * @property {boolean} canLog
 */

/**
 * The axis of some values; null if they make none: too many words, or nothing.
 * @param {string} id @param {any[]} values @returns {Axis | null}
 */
export function axisOf(id, values) {
  const there = values.filter((value) => value !== undefined);
  const numbers = there.filter((value) => typeof value === "number");
  const odd = there.filter((value) => typeof value !== "number" && !["NaN", "Infinity", "-Infinity", "None"].includes(String(value)));
  if (numbers.length && !odd.length) {
    const least = Math.min(...numbers);
    const most = Math.max(...numbers);
    const canLog = least > 0 && most > least;
    return { id, kind: "number", domain: [least, most], values: values.map((value) => (typeof value === "number" ? value : undefined)), log: canLog && most / least >= 12, canLog };
  }
  const words = [...new Set(there.map(String))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  if (!words.length || words.length > MAX_WORDS) return null;
  return { id, kind: "words", domain: words, values: values.map((value) => (value === undefined ? undefined : String(value))), log: false, canLog: false };
}

/** Where a value lies on its axis: 0 is the lowest place, 1 the highest. @param {Axis} axis @param {any} value */
export function placeOf(axis, value) {
  if (value === undefined) return null;
  if (axis.kind === "words") {
    const at = axis.domain.indexOf(value);
    return at < 0 ? null : axis.domain.length === 1 ? 0.5 : at / (axis.domain.length - 1);
  }
  const [least, most] = axis.domain;
  if (most === least) return 0.5;
  return axis.log ? Math.log(value / least) / Math.log(most / least) : (value - least) / (most - least);
}

/** The value at a place. @param {Axis} axis @param {number} place */
function valueAt(axis, place) {
  const [least, most] = axis.domain;
  return axis.log ? least * (most / least) ** place : least + (most - least) * place;
}

/** Whether a line goes through all ranges. @param {Axis[]} axes @param {Record<string, any[]>} brushes @param {number} at */
export function isKept(axes, brushes, at) {
  return axes.every((axis) => {
    const range = brushes[axis.id];
    if (!range) return true;
    const value = axis.values[at];
    if (value === undefined) return false;
    return axis.kind === "words" ? range.includes(value) : value >= range[0] && value <= range[1];
  });
}

/**
 * @param {{ axes: Axis[], lines: { id: string, name: string, at: number }[], colorAxis: Axis | undefined, brushes: Record<string, any[]>,
 *   onBrush: (id: string, range: any[] | null) => void, onMove: (id: string, by: number) => void, onFlip: (id: string) => void,
 *   onOpen: (id: string) => void }} props
 */
export function Parallel({ axes, lines, colorAxis, brushes, onBrush, onMove, onFlip, onOpen }) {
  const mode = useTheme();
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const [width, setWidth] = useState(900);
  const [near, setNear] = useState(/** @type {any} */ (null));
  const [drag, setDrag] = useState(/** @type {any} */ (null));
  useEffect(() => {
    const watcher = new ResizeObserver(() => box.current && setWidth(box.current.clientWidth));
    if (box.current) watcher.observe(box.current);
    return () => watcher.disconnect();
  }, []);
  const full = Math.max(width, axes.length * NARROWEST);
  const gap = axes.length > 1 ? (full - 130) / (axes.length - 1) : 0;
  const xOf = (index) => 50 + index * gap;
  const yOf = (place) => TOP + (1 - place) * (HEIGHT - TOP - BOTTOM);
  const paths = useMemo(
    () => lines.map((line) => ({ line, points: axes.map((axis) => placeOf(axis, axis.values[line.at])), tint: tintOf(colorAxis, line.at, mode) })),
    [axes, lines, colorAxis, mode],
  );
  const kept = useMemo(() => paths.map(({ line }) => isKept(axes, brushes, line.at)), [paths, brushes]);
  const count = kept.filter(Boolean).length;
  useLayoutEffect(() => {
    const place = canvas.current;
    if (!place) return;
    place.width = full * devicePixelRatio;
    place.height = HEIGHT * devicePixelRatio;
    const pen = /** @type {CanvasRenderingContext2D} */ (place.getContext("2d"));
    pen.scale(devicePixelRatio, devicePixelRatio);
    const alpha = Math.max(0.25, Math.min(0.9, 30 / Math.max(1, count)));
    const draw = ({ points, tint }, strong) => {
      pen.strokeStyle = tint;
      pen.lineWidth = strong ? 3.5 : 1.6;
      pen.beginPath();
      let drawn = false;
      points.forEach((point, index) => {
        if (point === null) {
          drawn = false;
          return;
        }
        if (drawn) {
          const before = [xOf(index - 1), yOf(points[index - 1])];
          const half = (before[0] + xOf(index)) / 2;
          pen.bezierCurveTo(half, before[1], half, yOf(point), xOf(index), yOf(point));
        } else pen.moveTo(xOf(index), yOf(point));
        drawn = true;
      });
      pen.stroke();
    };
    pen.globalAlpha = 0.35;
    paths.forEach((path, index) => kept[index] || draw({ ...path, tint: color("--line") }, false));
    pen.globalAlpha = near ? alpha * 0.4 : alpha;
    paths.forEach((path, index) => kept[index] && draw(path, false));
    pen.globalAlpha = 1;
    if (near) draw(near, true);
  }, [paths, kept, near, full, mode]);
  const under = (event) => {
    const at = canvas.current?.getBoundingClientRect();
    return at ? [event.clientX - at.left, event.clientY - at.top] : [0, 0];
  };
  const look = (event) => {
    if (drag) return;
    const [x, y] = under(event);
    let best = null;
    let nearest = 12;
    paths.forEach((path, index) => {
      if (!kept[index]) return;
      const distance = distanceTo(path.points, x, y, xOf, yOf, gap);
      if (distance < nearest) [best, nearest] = [path, distance];
    });
    setNear(best);
  };
  const placeAt = (event) => Math.max(0, Math.min(1, 1 - (under(event)[1] - TOP) / (HEIGHT - TOP - BOTTOM)));
  const begin = (axis) => (event) => {
    if (event.button) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    const at = placeAt(event);
    setDrag({ axis, from: at, to: at });
    event.preventDefault();
  };
  const end = () => {
    if (!drag) return;
    const [low, high] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
    setDrag(null);
    onBrush(drag.axis.id, high - low < 0.012 ? null : rangeOf(drag.axis, low, high));
  };
  return html`<div class="parallel">
    <div class="scroll" ref=${box} tabindex="0" role="group" aria-label=${`Parallel coordinates of ${lines.length} runs over ${axes.length} axes; ${count} go through all ranges`}>
      <div class="parallel-picture" style=${{ width: `${full}px`, height: `${HEIGHT}px` }}>
        <canvas ref=${canvas} style=${{ width: `${full}px`, height: `${HEIGHT}px` }} onPointerMove=${look} onPointerLeave=${() => setNear(null)} onClick=${() => near && onOpen(near.line.id)} class=${near ? "pointing" : ""}></canvas>
        <svg width=${full} height=${HEIGHT} aria-hidden="true">
          ${axes.map((axis, index) => {
            const range = drag?.axis.id === axis.id ? [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)] : placesOf(axis, brushes[axis.id]);
            return html`<g key=${axis.id} transform=${`translate(${xOf(index)},0)`}>
              <line y1=${TOP} y2=${HEIGHT - BOTTOM} class="axis-line" />
              ${ticksOf(axis).map(
                ([value, place]) => html`<g key=${String(value)}><line x1="-4" x2="4" y1=${yOf(place)} y2=${yOf(place)} class="axis-line" /><text x="8" y=${yOf(place) + 4} class="axis-tick">${cut(typeof value === "number" ? number(value, 3) : value, 16)}</text></g>`,
              )}
              ${range && html`<rect x="-9" width="18" y=${yOf(range[1])} height=${Math.max(3, yOf(range[0]) - yOf(range[1]))} class="brush" />`}
              <rect x="-14" width="28" y=${TOP - 8} height=${HEIGHT - TOP - BOTTOM + 16} class="grip" onPointerDown=${begin(axis)} onPointerMove=${(event) => drag && setDrag({ ...drag, to: placeAt(event) })} onPointerUp=${end} onPointerCancel=${() => setDrag(null)} onDblClick=${() => onBrush(axis.id, null)} />
            </g>`;
          })}
        </svg>
        ${axes.map(
          (axis, index) => html`<div key=${axis.id} class="axis-head" style=${{ left: `${xOf(index) - 48}px`, maxWidth: `${Math.max(90, gap - 8)}px` }}>
            <span class="mono" title=${axis.id}>${axis.id.replace(/^(config|summary)\./, "")}</span>
            <span class="axis-buttons">
              <button type="button" class="ghost tight" aria-label=${`Move ${axis.id} to the left`} disabled=${index === 0} onClick=${() => onMove(axis.id, -1)}>‹</button>
              ${axis.canLog && html`<button type="button" class="ghost tight" title="Logarithmic or linear" aria-label=${`${axis.log ? "log" : "lin"} scale of ${axis.id}`} onClick=${() => onFlip(axis.id)}>${axis.log ? "log" : "lin"}</button>`}
              <button type="button" class="ghost tight" aria-label=${`Move ${axis.id} to the right`} disabled=${index === axes.length - 1} onClick=${() => onMove(axis.id, 1)}>›</button>
            </span>
          </div>`,
        )}
      </div>
    </div>
    <p class="readout" role="status">${near ? `${near.line.name}: ${axes.map((axis) => `${axis.id.replace(/^(config|summary)\./, "")} ${number(axis.values[near.line.at] ?? null, 4)}`).join(" · ")}` : `${count} of ${lines.length} runs${Object.keys(brushes).length ? " go through all ranges" : "; draw a range on an axis to keep those that go through it"}`}</p>
    ${colorAxis && html`<${Scale} axis=${colorAxis} mode=${mode} />`}
    <details class="ranges"><summary>Ranges by the keys</summary>
      <div class="range-list">${axes.map((axis) => html`<${RangeFields} key=${axis.id} axis=${axis} range=${brushes[axis.id]} set=${(range) => onBrush(axis.id, range)} />`)}</div>
    </details>
    <details class="ranges"><summary>${count} ${count === 1 ? "run" : "runs"} kept</summary>
      <ul class="kept">${paths.filter((_, index) => kept[index]).slice(0, 500).map(
        (path) => html`<li key=${path.line.id}><button type="button" class="link" onFocus=${() => setNear(path)} onBlur=${() => setNear(null)} onMouseEnter=${() => setNear(path)} onMouseLeave=${() => setNear(null)} onClick=${() => onOpen(path.line.id)}>${path.line.name}</button></li>`,
      )}</ul>
    </details>
  </div>`;
}

function RangeFields({ axis, range, set }) {
  if (axis.kind === "words") {
    const chosen = range ?? axis.domain;
    const toggle = (word) => {
      const next = axis.domain.filter((one) => (one === word ? !chosen.includes(one) : chosen.includes(one)));
      set(next.length === axis.domain.length ? null : next.length ? next : null);
    };
    return html`<fieldset><legend class="mono">${axis.id}</legend>${axis.domain.map((word) => html`<label key=${word}><input type="checkbox" checked=${chosen.includes(word)} onChange=${() => toggle(word)} /> ${word}</label>`)}</fieldset>`;
  }
  const [low, high] = range ?? axis.domain;
  const change = (place) => (event) => {
    const value = event.currentTarget.value.trim() === "" ? axis.domain[place] : Number(event.currentTarget.value);
    if (!Number.isFinite(value)) return;
    const next = place ? [low, value] : [value, high];
    set(next[0] <= axis.domain[0] && next[1] >= axis.domain[1] ? null : next);
  };
  return html`<fieldset><legend class="mono">${axis.id}</legend>
    <label>from <input class="short" inputmode="decimal" value=${number(low, 4).replaceAll(" ", "")} onChange=${change(0)} /></label>
    <label>to <input class="short" inputmode="decimal" value=${number(high, 4).replaceAll(" ", "")} onChange=${change(1)} /></label>
  </fieldset>`;
}

/** What the colours mean. */
function Scale({ axis, mode }) {
  if (axis.kind === "words") {
    return html`<div class="scale"><span class="mono">${axis.id}</span>${axis.domain.map((word) => html`<span key=${word} class="scale-word"><svg width="12" height="12" aria-hidden="true"><rect width="12" height="12" rx="3" fill=${tint(placeOf(axis, word) ?? 0, mode)} /></svg> ${word}</span>`)}</div>`;
  }
  const stops = Array.from({ length: 24 }, (_, index) => index / 23);
  return html`<div class="scale"><span class="mono">${axis.id}</span> ${number(axis.domain[0], 3)}
    <svg width="168" height="12" aria-hidden="true">${stops.map((stop, index) => html`<rect key=${index} x=${index * 7} width="7.5" height="12" fill=${tint(stop, mode)} />`)}</svg> ${number(axis.domain[1], 3)}</div>`;
}

// -- geometry and colours --------------------------------------------------------------------------

/** Every value where there are few, else the ends and the middle. @param {Axis} axis @returns {[any, number][]} */
function ticksOf(axis) {
  const few = axis.kind === "words" ? axis.domain : [...new Set(axis.values.filter((value) => value !== undefined))];
  const places = axis.kind === "words" || few.length <= 8 ? few.map((value) => placeOf(axis, value) ?? 0).sort((a, b) => a - b) : [];
  const apart = places.every((place, index) => index === 0 || place - places[index - 1] > 0.035);
  if (axis.kind === "words" || (few.length <= 8 && apart)) return few.map((value) => [value, placeOf(axis, value) ?? 0]);
  return [0, 0.5, 1].map((place) => [valueAt(axis, place), place]);
}

function rangeOf(axis, low, high) {
  if (axis.kind === "words") {
    const words = axis.domain.filter((word) => {
      const place = placeOf(axis, word) ?? 0;
      return place >= low - 0.02 && place <= high + 0.02;
    });
    return words.length && words.length < axis.domain.length ? words : null;
  }
  return [valueAt(axis, low), valueAt(axis, high)];
}

function placesOf(axis, range) {
  if (!range) return null;
  const places = (axis.kind === "words" ? range : range.map((value) => Math.max(axis.domain[0], Math.min(axis.domain[1], value)))).map((value) => placeOf(axis, value) ?? 0);
  const room = axis.kind === "words" ? 0.02 : 0;
  return places.length ? [Math.max(0, Math.min(...places) - room), Math.min(1, Math.max(...places) + room)] : null;
}

function distanceTo(points, x, y, xOf, yOf, gap) {
  if (!gap) return points[0] === null ? Infinity : Math.abs(yOf(points[0]) - y);
  const index = Math.max(0, Math.min(points.length - 2, Math.floor((x - xOf(0)) / gap)));
  const [from, to] = [points[index], points[index + 1]];
  if (from === null || to === null) return Infinity;
  const share = Math.max(0, Math.min(1, (x - xOf(index)) / gap));
  const eased = share * share * (3 - 2 * share);
  return Math.abs(yOf(from) + (yOf(to) - yOf(from)) * eased - y);
}

/** Told apart by lightness too, so by colour-blind eyes: dark blue over green to yellow, or the other way on dark. */
const STOPS = {
  light: [[54, 33, 120], [38, 96, 160], [20, 135, 130], [70, 150, 40], [190, 130, 0]],
  dark: [[120, 110, 235], [80, 150, 235], [50, 190, 170], [150, 215, 90], [253, 231, 60]],
};

/** @param {number} place @param {string} mode */
function tint(place, mode) {
  const stops = STOPS[mode] ?? STOPS.light;
  const at = Math.max(0, Math.min(1, place)) * (stops.length - 1);
  const low = Math.min(stops.length - 2, Math.floor(at));
  const mixed = stops[low].map((value, index) => Math.round(value + (stops[low + 1][index] - value) * (at - low)));
  return `rgb(${mixed.join(",")})`;
}

function tintOf(axis, at, mode) {
  const place = axis ? placeOf(axis, axis.values[at]) : null;
  return place === null ? color("--quiet") : tint(place, mode);
}

function cut(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
