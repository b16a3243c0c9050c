// One layer: what it put out and what gradients it got over the steps, its parameters, how their
// values are spread.
import { html } from "../../../core/dom.js";
import { segment } from "../../../core/api.js";
import { useData } from "../../../core/data.js";
import { number } from "../../../core/format.js";
import { Link, useQuery } from "../../../core/router.js";
import { Chart } from "../../../parts/chart.js";
import { HistogramOverTime } from "../../../parts/histogram.js";
import { Empty, When } from "../../../parts/states.js";
import { useSeen } from "../../../parts/seen.js";

const KINDS = { value: "Values", gradient: "Gradients", update: "Updates" };

/** @param {{ runId: string, name: string, revision: string | null }} props */
export function Layer({ runId, name, revision }) {
  const data = useData(`/runs/${segment(runId)}/layer`, { name }, { revision });
  const base = `/runs/${segment(runId)}/layers`;
  return html`<${When} data=${data} what="Reading the layer">
    ${(found) => html`<div class="layer-page">
      <div class="tools">
        <${Link} to=${base}>All layers<//>
        <span class="grow"></span>
        ${found.before !== null && html`<${Link} class="button" to=${`${base}/${segment(found.before)}`} title=${found.before}>‹ ${found.before}<//>`}
        ${found.after !== null && html`<${Link} class="button" to=${`${base}/${segment(found.after)}`} title=${found.after}>${found.after} ›<//>`}
      </div>
      <h2 class="layer-name">${found.name} <span class="chip">${found.type}</span></h2>
      <p class="quiet">Layer ${found.depth + 1} of ${number(found.layer_count)}${found.shapes.length > 0 && html`, output ${found.shapes.map((shape) => shape.join(" × ")).join("; ")}`} · <${Link} to=${`/runs/${segment(runId)}/model?find=${segment(found.name)}`}>in the model<//></p>
      ${!found.charts.length && !found.parameters.length && html`<${Empty} title="Nothing was measured of this layer." />`}
      <div class="grid layer-charts">${found.charts.map((chart) => html`<${Panel} key=${chart.title} chart=${chart} />`)}</div>
      ${found.parameters.map((one) => html`<${Parameter} key=${one.name} one=${one} runId=${runId} layer=${found} revision=${revision} />`)}
    </div>`}
  <//>`;
}

function Panel({ chart }) {
  const isPositive = chart.series.every((line) => line.y.every((value) => value === null || value > 0));
  const broken = chart.series.reduce((sum, line) => sum + line.nonfinite.length, 0);
  const marks = broken ? [{ x: Math.min(...chart.series.flatMap((line) => line.nonfinite)), label: "not finite from here on", tone: "bad" }] : undefined;
  return html`<div class="panel">
    <h3 title=${chart.title}>${chart.title} ${broken > 0 && html`<span class="chip bad">not finite at ${broken} probes</span>`}</h3>
    <${Chart} title=${chart.title} series=${chart.series} xName="step" height=${180} logY=${chart.log && isPositive} marks=${marks} legend=${chart.series.length > 1} group="layer" />
  </div>`;
}

function Parameter({ one, runId, layer, revision }) {
  const kinds = layer.distributions.filter((found) => found.parameter === one.name).map((found) => found.kind);
  const facts = [
    one.shape.join(" × ") || "a number",
    `${number(one.element_count)} elements`,
    one.dtype,
    one.requires_grad ? "trainable" : "frozen",
    one.optimizer_group !== null && `optimizer group ${one.optimizer_group}`,
  ];
  return html`<section class="section">
    <h2>${one.name} <span class="quiet">${facts.filter(Boolean).join(", ")}</span></h2>
    ${kinds.length
      ? html`<div class="grid dg-wide">${kinds.map((kind) => html`<${Spread} key=${kind} kind=${kind} parameter=${one.name} runId=${runId} name=${layer.name} revision=${revision} />`)}</div>`
      : html`<p class="quiet">There are no histograms of it: <code>wandb.watch(model, log="all")</code> or <code>ParameterDiagnosticsConfig(capture_distributions=True)</code> keeps some.</p>`}
    <div class="grid layer-charts">${one.charts.map((chart) => html`<${Panel} key=${chart.title} chart=${chart} />`)}</div>
  </section>`;
}

function Spread({ kind, parameter, runId, name, revision }) {
  const [seen, place] = useSeen();
  const [look, setLook] = useQuery("spread", "picture");
  const data = useData(seen ? `/runs/${segment(runId)}/distribution` : null, { name, parameter, kind, columns: 90 }, { revision });
  return html`<div class="panel" ref=${place}>
    <div class="tools spread-tools"><h3>${KINDS[kind]} of ${parameter} over the steps</h3><span class="grow"></span>
      <button type="button" aria-pressed=${look === "ridges" ? "true" : "false"} onClick=${() => setLook(look === "ridges" ? "picture" : "ridges")}>${look === "ridges" ? "As a picture" : "As ridges"}</button></div>
    ${seen && html`<${When} data=${data} what="Reading the histograms">
      ${(found) =>
        found.steps.length
          ? html`<${HistogramOverTime} title=${`${KINDS[kind]} of ${parameter}`} found=${found} ridges=${look === "ridges"} />
              ${found.total > found.steps.length && html`<p class="quiet">${found.steps.length} of ${number(found.total)} histograms, evenly spaced.</p>`}
              ${found.is_cut && html`<p class="quiet">Some histograms are much wider; what lies outside is in the outermost bins.</p>`}`
          : html`<${Empty} title="No histograms." />`}
    <//>`}
    ${!seen && html`<div class="hold"></div>`}
  </div>`;
}
