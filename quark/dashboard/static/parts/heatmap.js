// Layers over steps as colours: a row each, with a legend, a cursor for the pointer and the keys,
// and a link to each layer's own page.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../core/dom.js";
import { number } from "../core/format.js";
import { Link } from "../core/router.js";
import { useTheme } from "../core/theme.js";
import { scaleColor, valueAt } from "./colors.js";
import { AXIS, BROKEN, draw, rowHeight } from "./heatmap/draw.js";

/**
 * @typedef {object} HeatRow
 * @property {string} name
 * @property {string} type
 * @property {string} to  the address of its own page
 */

/**
 * @param {{
 *   title: string,
 *   rows: HeatRow[],
 *   starts: number[], ends: number[],
 *   values: (number | null)[][],
 *   nonfinite: [number, number][],
 *   scale: { low: number, high: number, log: boolean },
 *   hasZero?: boolean,
 *   open: (row: HeatRow) => void,
 *   onZoom?: (range: [number, number] | null) => void,
 * }} props  `starts` and `ends`: the first and last step of each column. `nonfinite`: row and column
 *   of cells with NaN or infinity. `onZoom`: steps were chosen by dragging, or all by a double click.
 */
export function Heatmap(props) {
  const { title, rows, starts, values, open, onZoom } = props;
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const [cursor, setCursor] = useState(/** @type {{ row: number, column: number } | null} */ (null));
  const [drag, setDrag] = useState(/** @type {[number, number] | null} */ (null));
  const [width, setWidth] = useState(0);
  const [spoken, setSpoken] = useState(false);
  const mode = useTheme();
  const tall = rowHeight(rows.length);
  useEffect(() => {
    const box = /** @type {HTMLCanvasElement} */ (canvas.current);
    const watcher = new ResizeObserver(() => setWidth(box.clientWidth));
    watcher.observe(box);
    return () => watcher.disconnect();
  }, []);
  useLayoutEffect(() => {
    if (canvas.current?.clientWidth) draw(canvas.current, props, cursor, drag);
  }, [props.rows, values, starts, props.scale.low, props.scale.high, cursor, drag, width, mode]);
  const at = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    return {
      row: Math.min(rows.length - 1, Math.max(0, Math.floor((event.clientY - box.top) / tall))),
      column: Math.min(starts.length - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * starts.length))),
    };
  };
  const release = (event) => {
    const place = at(event);
    if (drag && Math.abs(drag[1] - drag[0]) > 0 && onZoom) {
      const [from, to] = drag[0] < drag[1] ? drag : [drag[1], drag[0]];
      onZoom([starts[from], props.ends[to]]);
    } else if (drag) {
      open(rows[place.row]);
    }
    setDrag(null);
  };
  const press = (event) => {
    const here = cursor ?? { row: 0, column: 0 };
    const moves = {
      ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0],
      Home: [0, -starts.length], End: [0, starts.length], PageUp: [-10, 0], PageDown: [10, 0],
    };
    if (event.key in moves) {
      const [down, right] = moves[event.key];
      setCursor({
        row: Math.min(rows.length - 1, Math.max(0, here.row + (cursor ? down : 0))),
        column: Math.min(starts.length - 1, Math.max(0, here.column + (cursor ? right : 0))),
      });
    } else if (event.key === "Enter" && cursor) open(rows[cursor.row]);
    else if (event.key === "Escape") setCursor(null);
    else return;
    event.preventDefault();
  };
  return html`<figure class="heat" aria-label=${`${title}: ${rows.length} rows over ${starts.length} columns of steps`}>
    <${Legend} ...${props} />
    <p class="heat-said" role=${spoken ? "status" : undefined}>${said(props, cursor)}</p>
    <div class="heat-body">
      <ul class="heat-names" aria-label="Layers">
        ${rows.map((row, index) => html`<li key=${row.name} style=${{ height: `${tall}px` }} class=${cursor?.row === index ? "dg-here" : ""}>
          <${Link} to=${row.to} title=${`${row.name} (${row.type})`}>${row.name}<//><span class="quiet heat-type">${row.type}</span>
        </li>`)}
      </ul>
      <canvas
        ref=${canvas} tabindex="0" role="application" style=${{ height: `${rows.length * tall + AXIS}px` }}
        aria-label=${`${title}. Arrow keys move from cell to cell, Enter opens the layer.`}
        onKeyDown=${press}
        onFocus=${() => { setSpoken(true); if (!cursor) setCursor({ row: 0, column: 0 }); }}
        onBlur=${() => setSpoken(false)}
        onPointerDown=${(event) => { if (!event.button) setDrag([at(event).column, at(event).column]); }}
        onPointerMove=${(event) => { setCursor(at(event)); if (drag) setDrag([drag[0], at(event).column]); }}
        onPointerUp=${release}
        onPointerLeave=${() => { setDrag(null); if (!spoken) setCursor(null); }}
        onDblClick=${() => onZoom?.(null)}
      ></canvas>
    </div>
  </figure>`;
}

/** @param {any} props @param {{ row: number, column: number } | null} cursor */
function said({ rows, starts, ends, values, nonfinite, title }, cursor) {
  if (!cursor || !rows[cursor.row] || starts[cursor.column] === undefined) return "Point at a cell, or focus the picture and use the arrow keys.";
  const { row, column } = cursor;
  const [from, to] = [starts[column], ends[column]];
  const broken = nonfinite.some(([r, c]) => r === row && c === column);
  const value = values[row][column];
  const shown = broken ? `values that are not finite${value === null ? "" : `; of the rest ${number(value, 4)}`}` : value === null ? "not measured" : number(value, 4);
  return `${rows[row].name} (${rows[row].type}) · ${from === to ? `step ${number(from)}` : `steps ${number(from)} to ${number(to)}`} · ${title.toLowerCase()}: ${shown}`;
}

/** @param {any} props */
function Legend({ scale, hasZero, nonfinite, values }) {
  const broken = new Set(nonfinite.map(([row, column]) => `${row},${column}`));
  const missing = values.some((row, at) => row.some((value, column) => value === null && !broken.has(`${at},${column}`)));
  const steps = Array.from({ length: 24 }, (_, index) => index / 23);
  return html`<div class="heat-legend" aria-label="Colours">
    ${hasZero && html`<span><i class="heat-swatch zero"></i>0</span>`}
    <span>${number(scale.low, 2)}</span>
    <span class="heat-ramp" aria-hidden="true">${steps.map((share) => html`<i key=${share} style=${{ background: scaleColor(share) }}></i>`)}</span>
    <span>${number(scale.high, 2)}</span>
    ${scale.log && html`<span class="quiet">logarithmic; the middle is ${number(valueAt(0.5, scale), 2)}</span>`}
    ${missing && html`<span><i class="heat-swatch missing"></i>not measured</span>`}
    ${nonfinite.length > 0 && html`<span><i class="heat-swatch" style=${{ background: BROKEN }}></i>not finite</span>`}
  </div>`;
}
