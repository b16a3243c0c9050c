// A chart of series over an axis: lines, their min-max bands, phases behind them, alerts on them,
// and what was no number. It is drawn by uPlot; everything around the canvas is text.
import { html, useEffect, useLayoutEffect, useMemo, useRef } from "../core/dom.js";
import { number } from "../core/format.js";
import { useTheme } from "../core/theme.js";
import { align } from "./chart/align.js";
import { drawBad, drawBands, drawMarks, placeLinks } from "./chart/drawing.js";
import { options } from "./chart/options.js";
import { readout } from "./chart/readout.js";

export { smooth } from "./chart/align.js";

/**
 * @typedef {object} ChartSeries
 * @property {string} label
 * @property {number[]} x  ascending
 * @property {(number | null)[]} y
 * @property {(number | null)[] | null} [min]  with `max`: the band of what the line leaves out
 * @property {(number | null)[] | null} [max]
 * @property {number} [color]  which of the palette; its place in the list if left out
 * @property {[number, number, string | null][]} [bad]  values that are no numbers: where, how many,
 *   which ("NaN", "Infinity", "-Infinity" or unknown)
 */

/**
 * @typedef {object} ChartMark
 * @property {number} x
 * @property {string} label
 * @property {string} tone  "bad", "warn", "good" or "calm"
 * @property {string} [to]  an address of the dashboard; a click goes there
 */

/**
 * @typedef {object} ChartProps
 * @property {ChartSeries[]} series
 * @property {string} title
 * @property {number} [height]
 * @property {boolean} [logX]  what is not above 0 has no place then
 * @property {boolean} [logY]
 * @property {number} [smoothing]  0 to 0.999, exponential; the line as it is stays behind it
 * @property {"number" | "time" | "elapsed"} [xKind]  `time`: seconds since 1970; `elapsed`: seconds
 * @property {string} [xName]  what the chart is drawn along, such as "step"; said below it
 * @property {string} [unit]  of y: "%", "bytes", "bytes/s", or what is written behind numbers
 * @property {boolean} [legend]  say what the lines are while the pointer is elsewhere
 * @property {[number, number] | null} [range]
 * @property {(range: [number, number] | null) => void} [onZoom]  a range was drawn, or null by a
 *   double click
 * @property {{ from: number, to: number, label: string }[]} [bands]
 * @property {ChartMark[]} [marks]
 * @property {string} [group]  charts of a group share their cursor
 */

/**
 * With the keys: left and right move along the points, + and − zoom, 0 shows everything.
 * @param {ChartProps} props
 */
export function Chart(props) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const said = useRef(/** @type {HTMLElement | null} */ (null));
  const plot = useRef(/** @type {any} */ (null));
  const mode = useTheme();
  const { series, height = 220, logX = false, logY = false, smoothing = 0, xKind = "number", unit = "" } = props;
  const drawn = useMemo(() => align(series, { smoothing, logX, logY }), [series, smoothing, logX, logY]);
  const latest = useRef({ props, drawn });
  latest.current = { props, drawn };
  const shape = JSON.stringify([
    series.map((one) => [one.label, one.color, !!one.min, one.x.length < 3]),
    ...[smoothing > 0, logX, logY, xKind, unit, mode, height, props.group, props.xName],
  ]);
  const say = (made) => said.current && readout(said.current, made, latest.current.props, latest.current.drawn);
  useLayoutEffect(() => {
    const box = /** @type {HTMLElement} */ (place.current);
    const hooks = {
      drawClear: [(made) => drawBands(made, latest.current.props.bands)],
      draw: [
        (made) => {
          drawMarks(made, latest.current.props.marks);
          drawBad(made, latest.current.props.series, latest.current.props.logX);
          placeLinks(made, latest.current.props.marks);
        },
      ],
      setSelect: [(made) => select(made, latest.current.props.onZoom)],
      ready: [(made) => made.over.addEventListener("dblclick", () => latest.current.props.onZoom?.(null))],
      setCursor: [say],
    };
    const made = new uPlot(options(latest.current.props, drawn, box.clientWidth || 300, hooks), drawn.data, box);
    plot.current = made;
    fit(made, latest.current.props);
    say(made);
    const watcher = new ResizeObserver(() => {
      if (box.clientWidth && box.clientWidth !== made.width) made.setSize({ width: box.clientWidth, height });
    });
    watcher.observe(box);
    return () => {
      watcher.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => {
    const made = plot.current;
    if (!made) return;
    if (made.data !== drawn.data) made.setData(drawn.data, false);
    fit(made, props);
    say(made);
  }, [drawn, props.range?.[0], props.range?.[1], shape]);
  useEffect(() => plot.current?.redraw(false), [props.bands, props.marks]);
  return html`<figure class="chart" aria-label=${describe(props)} tabindex="0" onKeyDown=${(event) => press(event, plot.current, latest.current.props)}
    onFocus=${() => said.current?.setAttribute("aria-live", "polite")} onBlur=${() => said.current?.removeAttribute("aria-live")}>
    <div class="plot-box" ref=${place}></div>
    <figcaption class="readout" ref=${said}></figcaption>
  </figure>`;
}

/** @param {ChartProps} props */
function describe({ title, series }) {
  const lasts = series.slice(0, 6).map((one) => `${one.label} ${number(lastOf(one.y))}`);
  return `${title}: ${series.length} series; last values: ${lasts.join(", ") || "none yet"}`;
}

/** @param {(number | null)[]} values */
function lastOf(values) {
  for (let index = values.length - 1; index >= 0; index -= 1) if (values[index] !== null) return values[index];
  return null;
}

/** @param {any} plot @param {ChartProps} props */
function fit(plot, { range, onZoom }) {
  const x = plot.data[0];
  if (!x.length) return;
  let [min, max] = range && onZoom ? range : [x[0], x[x.length - 1]];
  if (plot.scales.x.distr === 3 && min <= 0) min = x[0];
  if (!(max > min)) [min, max] = plot.scales.x.distr === 3 ? [min / 2, min * 2] : [min - 0.5, min + 0.5];
  plot.batch(() => plot.setScale("x", { min, max }));
}

/** @param {any} plot @param {ChartProps["onZoom"]} onZoom */
function select(plot, onZoom) {
  const { left, width } = plot.select;
  if (width > 3 && onZoom) onZoom([plot.posToVal(left, "x"), plot.posToVal(left + width, "x")]);
  if (width > 0) plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
}

/** @param {KeyboardEvent} event @param {any} plot @param {ChartProps} props */
function press(event, plot, { onZoom }) {
  if (!plot || event.ctrlKey || event.metaKey || event.altKey) return;
  const x = plot.data[0];
  const { min, max } = plot.scales.x;
  // What is drawn may begin before the picture does.
  const first = Math.max(0, x.findIndex((one) => one >= min));
  const last = x.findLastIndex((/** @type {number} */ one) => one <= max);
  const at = plot.cursor.left >= 0 && plot.cursor.idx !== null ? plot.cursor.idx : null;
  const stride = event.shiftKey ? 10 : 1;
  const move = { ArrowRight: (at ?? first - 1) + stride, ArrowLeft: (at ?? last + 1) - stride, Home: first, End: last }[event.key];
  const zoom = { "+": 0.5, "=": 0.5, "-": 2, _: 2 }[event.key];
  if (move !== undefined && last >= 0) {
    const index = Math.max(first, Math.min(last, move));
    plot.setCursor({ left: plot.valToPos(x[index], "x"), top: plot.over.clientHeight / 2 });
  } else if (zoom && onZoom && max > min) {
    const middle = at === null ? (min + max) / 2 : x[at];
    const half = ((max - min) * zoom) / 2;
    const wide = half * 2 >= x[last] - x[0] && zoom > 1;
    onZoom(wide ? null : [Math.max(middle - half, x[0]), Math.min(middle + half, x[last])]);
  } else if (event.key === "0" && onZoom) {
    onZoom(null);
  } else {
    return;
  }
  event.preventDefault();
  event.stopPropagation();
}
