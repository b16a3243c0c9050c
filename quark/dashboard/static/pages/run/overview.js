// A run at a glance: how it does, what it was given, what it came to, and where it comes from.
import { html } from "../../core/dom.js";
import { segment } from "../../core/api.js";
import { useData } from "../../core/data.js";
import { duration, moment, number } from "../../core/format.js";
import { Link } from "../../core/router.js";
import { Health, Severity, Status } from "../../parts/chips.js";
import { When } from "../../parts/states.js";
import { Rare } from "./head.js";
import { Files, Origin } from "./overview/origin.js";
import { Tree, loader } from "./overview/tree.js";
import { Words } from "./overview/words.js";

const SEVERITIES = ["critical", "error", "warning", "info"];

/** @param {{ runId: string, overview: any, reload: () => void, me: any }} props */
export default function Overview({ runId, overview, reload, me }) {
  const { run } = overview;
  const about = useData(`/runs/${segment(runId)}/about`, {}, { revision: run.status });
  const own = Object.entries(run.summary).filter(([name]) => !name.startsWith("_"));
  // Numbers and words first; histograms of a watched model would hide them.
  const isPlain = ([, value]) => typeof value !== "object" || value === null;
  const summary = Object.fromEntries([...own.filter(isPlain), ...own.filter((one) => !isPlain(one))]);
  return html`<div class="overview">
    <div class="column">
      <${State} overview=${overview} />
      <section class="panel" aria-label="Words"><h2>About</h2><${Words} run=${run} me=${me} reload=${reload} /><${Rare} run=${run} me=${me} reload=${reload} /></section>
      <${When} data=${about} what="Reading the run's folder">${(value) => html`<${Origin} about=${value} run=${run} />`}<//>
    </div>
    <div class="column">
      <section class="panel" aria-label="Summary"><h2>Summary <span class="quiet">${Object.keys(summary).length}</span></h2>
        <${Tree} value=${summary} label="summary" load=${loader(runId, "summary")} empty="The last value of each metric comes here, and what is set with run.summary." /></section>
      <section class="panel" aria-label="Config"><h2>Config <span class="quiet">${Object.keys(run.config).length}</span></h2>
        <${Tree} value=${run.config} label="config" load=${loader(runId, "config")} empty=${`Nothing was configured. Give it: init(config={"lr": 0.1}).`} /></section>
      ${about.value && html`<${Files} about=${about.value} />`}
      <${Counts} counts=${overview.counts} base=${`/runs/${segment(runId)}`} />
    </div>
  </div>`;
}

/** @param {{ overview: any }} props */
function State({ overview }) {
  const { run, health, alerts } = overview;
  const end = run.ended_at ? Date.parse(run.ended_at) : Date.now();
  const base = `/runs/${segment(run.id)}`;
  const found = SEVERITIES.filter((one) => alerts[one]);
  return html`<section class="panel" aria-label="State"><h2>State</h2>
    <dl class="pairs">
      <dt>Status</dt><dd><${Status} status=${run.status} /> ${run.end_reason ?? ""} ${run.exit_code ? html`<span class="quiet">exit code ${run.exit_code}</span>` : ""}</dd>
      <dt>Begun</dt><dd>${moment(run.created_at)}</dd>
      <dt>${run.ended_at ? "Ended" : "Heard of last"}</dt><dd>${moment(run.ended_at ?? run.updated_at)}</dd>
      <dt>${run.ended_at ? "Took" : "Running for"}</dt><dd>${duration((end - Date.parse(run.created_at)) / 1000)}</dd>
      ${run.resume_count > 0 && html`<dt>Resumed</dt><dd>${run.resume_count === 1 ? "once" : `${run.resume_count} times`}</dd>`}
      ${run.parent_run_id && html`<dt>Comes from</dt><dd><${Link} to=${`/runs/${segment(run.parent_run_id)}`}>${run.parent_run_id}<//></dd>`}
      <dt>Findings</dt><dd>${found.length ? found.map((one) => html`<${Link} key=${one} to=${`${base}/diagnosis`} class="plain">${alerts[one]} <${Severity} severity=${one} /><//>${" "}`) : html`<span class="quiet">none${health ? "" : " yet; a run is judged while it trains and when it ends"}</span>`}</dd>
    </dl>
    ${health && html`<h3>Health <${Health} score=${health.score} /> <span class="quiet">${health.status ?? ""}</span></h3>
      <div class="scores">${health.parts.map(
        (one) => html`<span key=${one.key} title=${one.summary}>${one.key}</span><meter min="0" max="100" low="50" high="80" optimum="100" value=${one.score} aria-label=${`Health of ${one.key}`}></meter><span class="numeric">${Math.round(one.score)}</span>`,
      )}</div>`}
  </section>`;
}

const TABS = { alert: "diagnosis", console_line: "logs", event: "events", health_score: "diagnosis", layer_summary: "layers", phase: "diagnosis", system_telemetry: "system", artifact: "artifacts", architecture: "model" };

/** @param {{ counts: Record<string, number>, base: string }} props */
function Counts({ counts, base }) {
  const names = Object.keys(counts).sort();
  return html`<section class="panel" aria-label="Records"><h2>Records</h2>
    ${names.length
      ? html`<dl class="counts">${names.map((name) => [html`<dt>${TABS[name] ? html`<${Link} to=${`${base}/${TABS[name]}`}>${name.replaceAll("_", " ")}<//>` : name.replaceAll("_", " ")}</dt>`, html`<dd>${number(counts[name])}</dd>`])}</dl>`
      : html`<p class="quiet">None yet.</p>`}
  </section>`;
}
