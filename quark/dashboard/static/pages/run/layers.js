// Layers over steps: a picture of all of them, or the page of one.
import { html, useEffect, useMemo, useState } from "../../core/dom.js";
import { segment } from "../../core/api.js";
import { useData } from "../../core/data.js";
import { number } from "../../core/format.js";
import { go, useQuery } from "../../core/router.js";
import { Heatmap } from "../../parts/heatmap.js";
import { Empty, When } from "../../parts/states.js";
import { Layer } from "./layers/layer.js";

/** @param {{ runId: string, item?: string, revision: string | null }} props */
export default function Layers({ runId, item, revision }) {
  return item
    ? html`<${Layer} key=${item} runId=${runId} name=${item} revision=${revision} />`
    : html`<${Picture} runId=${runId} revision=${revision} />`;
}

function Picture({ runId, revision }) {
  const [measure, setMeasure] = useQuery("measure", "");
  const [sort, setSort] = useQuery("sort", "depth");
  const [search, setSearch] = useQuery("layer", "");
  const [from, setFrom] = useQuery("from", "");
  const [to, setTo] = useQuery("to", "");
  const [offset, setOffset] = useQuery("offset", "");
  const wanted = useLater(search);
  const data = useData(`/runs/${segment(runId)}/layers`, { measure, sort, search: wanted, from, to, offset, columns: innerWidth < 700 ? 60 : 140 }, { revision });
  const zoom = (range) => {
    setFrom(range ? String(range[0]) : "");
    setTo(range ? String(range[1]) : "");
  };
  return html`<${When} data=${data} what="Reading the layers">
    ${(found) => {
      const measured = found.measures.filter((one) => one.rows);
      if (!measured.length) return html`<${Nothing} />`;
      const missing = found.measures.filter((one) => !one.rows);
      return html`<div class="tools layer-tools">
          <label>Show <select value=${found.measure.name} onChange=${(event) => { setOffset(""); setMeasure(event.target.value); }}>
            ${measured.map((one) => html`<option key=${one.name} value=${one.name}>${one.title}</option>`)}
            ${missing.length > 0 && html`<optgroup label="Not measured in this run">${missing.map((one) => html`<option key=${one.name} value=${one.name}>${one.title}</option>`)}</optgroup>`}
          </select></label>
          <label>Sort by <select value=${sort} onChange=${(event) => setSort(event.target.value)}>
            <option value="depth">depth</option><option value="worst">worst first</option>
          </select></label>
          <input type="search" placeholder="Search layers" aria-label="Search layers" value=${search} onInput=${(event) => { setOffset(""); setSearch(event.target.value); }} />
          ${(from || to) && html`<button type="button" onClick=${() => zoom(null)}>All steps</button>`}
          <span class="grow"></span>
          ${found.total > found.rows.length && html`<${Turn} found=${found} turn=${(next) => setOffset(next ? String(next) : "")} />`}
        </div>
        <p class="quiet heat-about">${found.measure.about} ${words(found, sort)}</p>
        <${Body} found=${found} runId=${runId} zoom=${zoom} search=${search} />`;
    }}
  <//>`;
}

function Body({ found, runId, zoom, search }) {
  const rows = useMemo(
    () => found.rows.map((one) => ({ ...one, to: `/runs/${segment(runId)}/layers/${segment(one.module)}` })),
    [found.rows, runId],
  );
  if (!found.rows.length) {
    return search && found.starts.length
      ? html`<${Empty} title="No layer is called that.">Search for a part of a name or of a type, such as <code>Linear</code>.<//>`
      : html`<${Empty} title=${`${found.measure.title} was not measured in this run.`}>${missingWords(found.measure)}<//>`;
  }
  if (!found.starts.length) return html`<${Empty} title="Nothing was measured at these steps."><button type="button" onClick=${() => zoom(null)}>Show all steps</button><//>`;
  const scale = { low: found.low, high: found.high, log: !found.measure.is_ratio };
  return html`<${Heatmap} title=${found.measure.title} rows=${rows} starts=${found.starts} ends=${found.ends} values=${found.values}
    nonfinite=${found.nonfinite} scale=${scale} hasZero=${found.has_zero} open=${(row) => go(row.to)} onZoom=${zoom} />
    <p class="quiet">A click opens a layer; dragging across chooses steps, a double click shows all of them.</p>`;
}

/** @param {any} found @param {string} sort */
function words(found, sort) {
  const of = found.measure.of === "parameters" ? "parameters" : "layers";
  const parts = [`${number(found.total)} ${of}, ${number(found.starts.length)} columns of steps.`];
  const widest = found.starts.some((start, index) => start !== found.ends[index]);
  if (widest) parts.push(`A cell shows the ${found.measure.take === "greatest" ? "greatest" : "mean"} of its steps.`);
  if (found.measure.thinned) parts.push("Of this long run not every probe is shown.");
  if (sort === "worst") {
    parts.push(found.measure.bad === "highest" ? "The highest come first." : "Those come first that are farthest from the middle of all, in orders of magnitude.");
  }
  return parts.join(" ");
}

/** @param {any} measure */
function missingWords(measure) {
  if (measure.of === "parameters") return html`<code>ParameterDiagnostics(session, model, optimizer)</code> measures it, and calls of <code>snapshot(step)</code> after each optimizer step.`;
  return html`<code>wandb.watch(model, log="all")</code> and <code>HookEngine(session, model)</code> measure it, where a layer has it.`;
}

function Nothing() {
  return html`<${Empty} title="Nothing was measured of this run's layers.">
    Watch the model: <code>wandb.watch(model, log="all", log_freq=10)</code>; or use <code>HookEngine</code> for activations and gradients and <code>ParameterDiagnostics</code> for weights and updates.
  <//>`;
}

function Turn({ found, turn }) {
  const last = found.offset + found.rows.length;
  return html`<span class="heat-turn">
    <button type="button" disabled=${!found.offset} onClick=${() => turn(Math.max(0, found.offset - 200))} aria-label="Earlier layers">‹</button>
    ${found.offset + 1}–${last} of ${number(found.total)}
    <button type="button" disabled=${last >= found.total} onClick=${() => turn(last)} aria-label="Later layers">›</button>
  </span>`;
}

/** A text once nobody has typed for a moment. @param {string} text */
function useLater(text) {
  const [later, setLater] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setLater(text), 200);
    return () => clearTimeout(timer);
  }, [text]);
  return later;
}
