// One chart of a run: its title, what can be done with it, and the chart when it is in sight.
import { html, useMemo, useState } from "../../../core/dom.js";
import { Chart } from "../../../parts/chart.js";
import { axisName, kindOf } from "./axis.js";
import { useSeen, useSeries } from "./batch.js";
import { Enlarged } from "./enlarged.js";
import { Export } from "./export.js";

const TONES = { critical: "bad", error: "bad", warning: "warn", info: "calm" };

/**
 * @typedef {object} View  how all panels are drawn
 * @property {string} runId
 * @property {any} revision
 * @property {boolean} logX
 * @property {boolean} logY
 * @property {number} smoothing
 * @property {import("./axis.js").Zoom | null} zoom
 * @property {(zoom: import("./axis.js").Zoom | null) => void} setZoom
 */

/**
 * @param {{
 *   view: View, title: string, axis: string, unit?: string,
 *   lines: { key: string, label: string }[],
 *   marks?: { phases: any[], alerts: any[] } | null,
 * }} props  `marks`: of the run, if the chart shows them
 */
export function Panel({ view, title, axis, unit = "", lines, marks }) {
  const [seen, place] = useSeen();
  const [isLarge, setLarge] = useState(false);
  const keys = useMemo(() => lines.map((line) => line.key), [JSON.stringify(lines)]);
  const params = asked(view, axis, 500);
  const { value, error } = useSeries(keys, params, { seen, revision: view.revision });
  const props = useChart({ view, title, unit, lines, marks, value, axis });
  const notes = props ? notesOf(value ?? [], axis) : [];
  return html`<div class="panel" ref=${place} data-metric=${keys[0]}>
    <div class="panel-head">
      <h3 title=${keys.join(", ")}>${title}</h3>
      ${notes.map((note) => html`<span class=${`note ${note.tone}`} title=${note.long}>${note.short}</span>`)}
      ${props &&
      html`<${Export} title=${title} place=${place} chart=${props} axis=${props.axis} />
        <button type="button" class="ghost tight" onClick=${() => setLarge(true)} aria-label=${`Enlarge ${title}`} title="Enlarge">⤢</button>`}
    </div>
    ${seen && props ? html`<${Chart} ...${props} />` : error ? html`<div class="hold quiet" role="alert">${error.message}</div>` : html`<div class="hold"></div>`}
    ${isLarge && html`<${Enlarged} view=${view} title=${title} axis=${axis} unit=${unit} lines=${lines} marks=${marks} close=${() => setLarge(false)} />`}
  </div>`;
}

/** What `/charts` is asked. @param {View} view @param {string} axis @param {number} buckets */
export function asked({ runId, zoom }, axis, buckets) {
  const mine = zoom && zoom.axis === axis ? zoom : null;
  return { run: runId, x: axis, buckets, thin: 1, from: mine?.from ?? null, to: mine?.to ?? null };
}

/**
 * From the answer to what the chart is given; null before there is one.
 * @param {{ view: View, title: string, unit?: string, lines: any[], marks: any, value: any[] | null, axis: string, height?: number }} props
 */
export function useChart({ view, title, unit, lines, marks, value, axis, height }) {
  const series = useMemo(
    () => value?.map((one, index) => ({ label: lines[index]?.label ?? one.key, x: one.x, y: one.mean, min: one.min, max: one.max, bad: one.bad })),
    [value, JSON.stringify(lines)],
  );
  const drawn = value?.[0]?.axis ?? axis; // a key without steps is drawn along time
  const isMine = drawn === axis;
  const bands = useMemo(() => (isMine ? marks?.phases : undefined), [marks, isMine]);
  const shown = useMemo(
    () =>
      isMine
        ? marks?.alerts.map((one) => ({ x: one.at, label: `${one.severity}: ${one.label}`, tone: TONES[one.severity] ?? "calm", to: `/runs/${encodeURIComponent(view.runId)}/diagnosis/${encodeURIComponent(one.id)}` }))
        : undefined,
    [marks, isMine],
  );
  if (!series) return null;
  const zoom = view.zoom && view.zoom.axis === drawn ? view.zoom : null;
  return {
    series,
    title,
    unit,
    height,
    bands,
    marks: shown,
    axis: drawn,
    xName: axisName(drawn),
    xKind: kindOf(drawn),
    logX: view.logX && drawn !== "time",
    logY: view.logY,
    smoothing: view.smoothing,
    legend: lines.length > 1,
    range: zoom ? /** @type {[number, number]} */ ([zoom.from, zoom.to]) : null,
    onZoom: (range) => view.setZoom(range && { axis: drawn, from: range[0], to: range[1] }),
    group: `run ${drawn}`,
  };
}

/** What is to be said of a chart besides its picture. @param {any[]} found @param {string} axis */
function notesOf(found, axis) {
  const notes = [];
  const bad = found.reduce((sum, one) => sum + one.nonfinite, 0);
  const out = found.reduce((sum, one) => sum + one.left_out, 0);
  if (bad) notes.push({ tone: "bad", short: `${bad} not finite`, long: "Values that are NaN or infinite; they are marked at the edges." });
  if (found.some((one) => one.axis !== axis)) notes.push({ tone: "", short: "by time", long: `Logged without steps, so it is drawn along the time since the start.` });
  if (out) notes.push({ tone: "", short: `${out} left out`, long: `So many points have no place on this axis (${axisName(axis)}).` });
  return notes;
}
