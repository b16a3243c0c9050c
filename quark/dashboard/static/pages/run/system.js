// The machine while it trained.
import { html, useMemo } from "../../core/dom.js";
import { segment } from "../../core/api.js";
import { useData } from "../../core/data.js";
import { bytes, number } from "../../core/format.js";
import { useQuery } from "../../core/router.js";
import { Empty, When } from "../../parts/states.js";
import { readZoom, writeZoom } from "./charts/axis.js";
import { Panel } from "./charts/panel.js";
import { Patient } from "./charts/toolbar.js";

/** @param {{ runId: string, revision: any }} props */
export default function System({ runId, revision }) {
  const data = useData(`/runs/${segment(runId)}/system`, {}, { revision });
  const [x, setX] = useQuery("x", "elapsed");
  const [smoothing, setSmoothing] = useQuery("smooth", "0");
  const [zoomed, setZoomed] = useQuery("zoom", "", { back: true });
  const zoom = useMemo(() => readZoom(zoomed), [zoomed]);
  const axis = x === "time" ? "time" : "elapsed";
  const weight = Math.min(0.999, Math.max(0, Number(smoothing) || 0));
  const view = { runId, revision, logX: false, logY: false, smoothing: weight, zoom, setZoom: (next) => setZoomed(writeZoom(next)) };
  return html`<${When} data=${data} what="Looking what was measured">
    ${({ sections, facts }) =>
      sections.length || facts.length
        ? html`<div class="tools charts-tools" role="group" aria-label="How the charts are drawn">
              <label>Along <select value=${axis} onChange=${(event) => setX(event.target.value)}><option value="elapsed">time since the start</option><option value="time">time of day</option></select></label>
              <label class="slide">Smooth <${Patient} type="range" min="0" max="0.999" step="0.001" value=${String(weight)} set=${setSmoothing} /><output>${weight || "off"}</output></label>
              ${zoom && html`<button type="button" class="primary" onClick=${() => setZoomed("")}>Show everything</button>`}
            </div>
            ${facts.length > 0 && html`<dl class="facts">${facts.map((one) => html`<div key=${one.label}><dt>${one.label}</dt><dd>${one.unit === "bytes" ? bytes(one.value) : number(one.value)}</dd></div>`)}</dl>`}
            ${sections.map(
              (section) => html`<section key=${section.title} class="section" aria-label=${section.title}><h2>${section.title}</h2>
                <div class="grid">${section.charts.map(
                  (chart) => html`<${Panel} key=${chart.series[0].key} view=${view} title=${chart.title} axis=${axis} unit=${chart.unit} lines=${chart.series} />`,
                )}</div></section>`,
            )}`
        : html`<${Empty} title="Nothing was measured yet.">While a run is open, processor, memory, GPU, disk and network are looked at every few seconds.<//>`}
  <//>`;
}
