// Any metrics of all runs, a chart each, a line for each run. Only what is in sight is fetched.
import { html, useMemo, useState } from "../../core/dom.js";
import { useData } from "../../core/data.js";
import { useQuery } from "../../core/router.js";
import { Chart } from "../../parts/chart.js";
import { Dialog } from "../../parts/dialog.js";
import { Grid } from "../../parts/grid.js";
import { Empty, Loading } from "../../parts/states.js";
import { AXES, axisName, fits, kindOf, readZoom, sections, writeZoom } from "../run/charts/axis.js";
import { useSeen } from "../run/charts/batch.js";
import { Patient } from "../run/charts/toolbar.js";

/** So many runs are drawn over each other at most; more are no picture. */
const DRAWN = 60;
/** With more lines than that, bands would hide one another. */
const BANDED = 6;
/** So few metrics need no sections. */
const FEW = 12;
/** So many metrics can be chosen to draw along. */
const MAX_CHOICES = 200;

/** @param {{ runs: import("../compare.js").ComparedRun[], data: any }} props */
export function Charts({ runs, data }) {
  const [search, setSearch] = useQuery("q", "");
  const [x, setX] = useQuery("x", "step", { back: true });
  const [smoothing, setSmoothing] = useQuery("smooth", "0");
  const [logs, setLogs] = useQuery("log", "", { back: true });
  const [zoomed, setZoomed] = useQuery("zoom", "", { back: true });
  const [shared, setShared] = useQuery("metrics", "all");
  const visible = runs.filter((run) => !run.hidden);
  const drawn = visible.slice(0, DRAWN);
  const zoom = useMemo(() => readZoom(zoomed), [zoomed]);
  const weight = Math.min(0.999, Math.max(0, Number(smoothing) || 0));
  const own = data.metrics.filter((one) => !one.key.startsWith("system/") || search.includes("system"));
  const shown = own.filter((one) => (!search || fits(one.key, search)) && (shared !== "shared" || one.runs === data.followed));
  const groups = shown.length && shown.length <= FEW ? [["metrics", shown]] : sections(shown);
  const view = { runs: drawn, x, smoothing: weight, logX: logs.includes("x"), logY: logs.includes("y"), zoom, setZoom: (next) => setZoomed(writeZoom(next)) };
  const log = (letter) => setLogs(logs.includes(letter) ? logs.replace(letter, "") : logs + letter);
  if (!data.followed) {
    return html`<${Empty} title=${`${runs.length} runs are too many for charts.`}>Charts are drawn for up to ${DRAWN} runs. Leave some out, or look at the parallel coordinates.<//>`;
  }
  if (!data.metrics.length) return html`<${Empty} title="No metrics yet.">None of these runs has logged a number. Log some: <code>run.log({"loss": loss})</code>.<//>`;
  const steps = own.slice(0, MAX_CHOICES).map((one) => `key:${one.key}`);
  return html`<div><div class="tools charts-tools" role="group" aria-label="How the charts are drawn">
      <${Patient} type="search" aria-label="Search for metrics" placeholder="Search metrics" value=${search} set=${setSearch} />
      <label>Along <select value=${x} onChange=${(event) => setX(event.currentTarget.value)}>
        ${AXES.map(([id, title]) => html`<option key=${id} value=${id}>${title.toLowerCase()}</option>`)}
        ${x.startsWith("key:") && !steps.includes(x) && html`<option value=${x}>${axisName(x)}</option>`}
        <optgroup label="a metric">${steps.map((id) => html`<option key=${id} value=${id}>${axisName(id)}</option>`)}</optgroup>
      </select></label>
      <label class="slide">Smooth <${Patient} type="range" min="0" max="0.999" step="0.001" value=${String(weight)} set=${setSmoothing} /><output>${weight || "off"}</output></label>
      <label><input type="checkbox" checked=${view.logX} onChange=${() => log("x")} /> log x</label>
      <label><input type="checkbox" checked=${view.logY} onChange=${() => log("y")} /> log y</label>
      ${runs.length > 1 && html`<label><input type="checkbox" checked=${shared === "shared"} onChange=${() => setShared(shared === "shared" ? "all" : "shared")} /> only metrics of all runs</label>`}
      ${zoom && html`<button type="button" class="primary" onClick=${() => setZoomed("")}>Show everything</button>`}
      <span class="grow"></span><span class="quiet" role="status">${shown.length === own.length ? "" : `${shown.length} of `}${own.length} ${own.length === 1 ? "metric" : "metrics"}${visible.length > DRAWN ? `; the first ${DRAWN} of ${visible.length} runs` : ""}</span>
    </div>
    ${visible.length === 0 && html`<${Empty} title="All runs are hidden.">Press the colour of a run to draw it.<//>`}
    ${shown.length === 0 && html`<${Empty} title="No metric fits.">None of ${own.length} does. ${shared === "shared" ? "Not every run has logged the others." : ""}<//>`}
    ${visible.length > 0 &&
    groups.map(
      ([name, inside]) => html`<section key=${name} class="section" aria-label=${name}>
        <h2>${name} <span class="quiet">${inside.length}</span></h2>
        <${Grid} all=${inside} of=${shown.length} show=${(one) => html`<${Panel} key=${one.key} metric=${one} of=${data.followed} view=${view} />`} />
      </section>`,
    )}</div>`;
}

function Panel({ metric, of, view }) {
  const [seen, place] = useSeen();
  const [large, enlarge] = useState(false);
  const [kept, keep] = useState(false);
  if (seen && !kept) keep(true);
  return html`<div class="panel" ref=${place}>
    <div class="panel-head">
      <h3 title=${metric.key}>${metric.key}</h3>
      <span class="grow"></span>
      ${metric.runs < of && html`<span class="quiet" title="so many of the runs have it">${metric.runs} of ${of}</span>`}
      <button type="button" class="ghost tight" aria-label=${`Enlarge ${metric.key}`} title="Enlarge" onClick=${() => enlarge(true)}>⤢</button>
    </div>
    ${kept ? html`<${Lines} metric=${metric} view=${view} height=${220} buckets=${400} />` : html`<div class="hold"></div>`}
    ${large &&
    html`<${Dialog} title=${metric.key} wide=${true} close=${() => enlarge(false)}>
      <div class="compare-large"><${Lines} metric=${metric} view=${view} height=${Math.max(240, Math.round(innerHeight * 0.62))} buckets=${1500} legend=${true} /></div>
    <//>`}
  </div>`;
}

function Lines({ metric, view, height, buckets, legend = false }) {
  const zoom = view.zoom && view.zoom.axis === view.x ? view.zoom : null;
  const running = view.runs.some((run) => run.status === "running");
  const params = { run: view.runs.map((run) => run.id), key: metric.key, buckets, x: view.x, from: zoom?.from, to: zoom?.to };
  const data = useData("/charts", params, { everySeconds: running ? 10 : 0 });
  const lines = useMemo(() => {
    const byRun = new Map((data.value?.series ?? []).map((one) => [one.run, one]));
    return view.runs
      .filter((run) => byRun.get(run.id)?.x.length || byRun.get(run.id)?.bad?.length)
      .map((run) => {
        const one = byRun.get(run.id);
        const banded = view.runs.length <= BANDED;
        return { label: run.name, color: run.color, x: one.x, y: one.mean, min: banded ? one.min : null, max: banded ? one.max : null, bad: one.bad };
      });
  }, [data.value, view.runs]);
  const axis = data.value?.series?.find((one) => one.x.length)?.axis ?? view.x;
  if (data.error) return html`<p class="bad" role="alert">${data.error.message}</p>`;
  if (!data.value) return html`<div class="hold"><${Loading} /></div>`;
  if (!lines.length) return html`<div class="hold state">None of the drawn runs has a point here${zoom ? ", in this range" : ""}.</div>`;
  return html`<${Chart} title=${metric.key} series=${lines} height=${height} logX=${view.logX} logY=${view.logY} smoothing=${view.smoothing} xName=${axisName(axis)} xKind=${kindOf(axis)} legend=${legend}
    range=${zoom ? [zoom.from, zoom.to] : null} onZoom=${(range) => view.setZoom(range ? { axis: view.x, from: range[0], to: range[1] } : null)} group="compare" />`;
}
