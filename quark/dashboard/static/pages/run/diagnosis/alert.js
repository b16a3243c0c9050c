// One alert: what was observed, what that probably means, the evidence, what to try.
import { html, useEffect, useRef, useState } from "../../../core/dom.js";
import { segment } from "../../../core/api.js";
import { useData } from "../../../core/data.js";
import { number } from "../../../core/format.js";
import { Link } from "../../../core/router.js";
import { Chart } from "../../../parts/chart.js";
import { Severity } from "../../../parts/chips.js";
import { useSeen } from "../../../parts/seen.js";
import { When } from "../../../parts/states.js";

const TONES = { critical: "bad", error: "bad", warning: "warn", info: "calm" };

/** @param {{ alert: any, runId: string, isOpen: boolean, chosen: boolean }} props */
export function Alert({ alert, runId, isOpen, chosen }) {
  const [open, setOpen] = useState(isOpen);
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    if (!chosen) return;
    setOpen(true);
    place.current?.scrollIntoView({ block: "start" });
  }, [chosen]);
  return html`<details class=${`dg-alert panel tone-${TONES[alert.severity] ?? "calm"}`} open=${open} ref=${place} onToggle=${(event) => setOpen(event.currentTarget.open)}>
    <summary>
      <${Severity} severity=${alert.severity} />
      <h3>${alert.title}</h3>
      <span class="quiet">${alert.category}${steps(alert.step_start, alert.step_end, ", ")}</span>
      ${alert.live && html`<span class="chip">while it trains</span>`}
    </summary>
    ${open && html`<${Inside} alert=${alert} runId=${runId} />`}
  </details>`;
}

function Inside({ alert, runId }) {
  return html`<div class="alert-inside">
    <p><strong>Observed.</strong> ${alert.fact}</p>
    ${alert.inference && html`<p><strong>Probably.</strong> ${alert.inference}</p>`}
    ${alert.advice.length > 0 && html`<div class="dg-try"><strong>To try</strong><ol>${alert.advice.map((text) => html`<li key=${text}>${text}</li>`)}</ol></div>`}
    <${Evidence} alert=${alert} runId=${runId} />
    ${alert.consequences.length > 0 && html`<details class="dg-more"><summary>It comes with ${alert.consequence_count} further ${alert.consequence_count === 1 ? "finding" : "findings"}</summary>
      <ul class="comes-with">${alert.consequences.map((one, index) => html`<li key=${index}><${Severity} severity=${one.severity} /> <strong>${one.title || one.rule_id}${one.subject && `: ${one.subject}`}</strong> ${one.fact}</li>`)}</ul>
      ${alert.consequence_count > alert.consequences.length && html`<p class="quiet">${alert.consequence_count - alert.consequences.length} more follow from it.</p>`}</details>`}
    ${alert.evidence.length > 0 && html`<details class="dg-more"><summary>The evidence in numbers</summary><${Numbers} alert=${alert} /></details>`}
    ${alert.rule_words.length > 0 && html`<details class="dg-more"><summary>How this is judged, and when it is a false alarm</summary>
      ${alert.rule_words.map((text) => html`<p key=${text}>${text}</p>`)}
      <p>${alert.false_alarm}</p><p class="quiet">Rule <code>${alert.rule_id}</code></p></details>`}
  </div>`;
}

function Evidence({ alert, runId }) {
  const [seen, place] = useSeen();
  const data = useData(seen ? `/runs/${segment(runId)}/evidence` : null, { alert: alert.id });
  return html`<div ref=${place}>
    ${seen
      ? html`<${When} data=${data} what="Reading the evidence">
          ${({ charts }) => (charts.length ? html`<div class="grid dg-evidence">${charts.map((chart) => html`<${Panel} key=${chart.title} chart=${chart} runId=${runId} alert=${alert} />`)}</div>` : html`<p class="quiet">There is nothing that could be drawn of it.</p>`)}
        <//>`
      : html`<div class="hold"></div>`}
  </div>`;
}

function Panel({ chart, runId, alert }) {
  const tone = TONES[alert.severity] ?? "warn";
  const wide = chart.from !== null && chart.to > chart.from;
  const bands = wide ? [{ from: chart.from, to: chart.to, label: chart.meanwhile ? "meanwhile" : "affected steps" }] : undefined;
  const begins = chart.onset ?? chart.from;
  const marks = begins === null || begins === undefined ? undefined : [{ x: begins, label: wide ? "begins here" : "here", tone }];
  const to = chart.link && (chart.link.kind === "layer" ? `/runs/${segment(runId)}/layers/${segment(chart.link.name || "(model)")}` : null);
  return html`<div class="panel">
    <h4>${to ? html`<${Link} to=${to} title="Its layer's page">${chart.title}<//>` : chart.title}</h4>
    <${Chart} title=${chart.title} series=${chart.series} xName="step" height=${170} logY=${chart.log} unit=${chart.unit === "share" ? "" : chart.unit} bands=${bands} marks=${marks} legend=${chart.series.length > 1} />
    <p class="quiet evidence-words">${
      chart.meanwhile
        ? "What the loss did meanwhile."
        : html`${chart.summary && chart.summary !== alert.fact ? `${chart.summary} ` : ""}${chart.observed !== null && html`Observed <b>${number(chart.observed, 4)}</b>${chart.threshold !== null && html`, the limit is <b>${number(chart.threshold, 4)}</b>`}. `}${steps(chart.from, chart.to, "At ")}`
    }</p>
  </div>`;
}

function Numbers({ alert }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="The evidence in numbers"><table class="table">
    <thead><tr><th>of</th><th>what</th><th class="numeric">observed</th><th class="numeric">limit</th><th>steps</th></tr></thead>
    <tbody>${alert.evidence.map((one, index) => html`<tr key=${index}><td class="mono">${one.source}</td><td class="dg-wrap">${one.summary}</td><td class="numeric">${number(one.observed_value, 4)}</td><td class="numeric">${number(one.threshold_value, 4)}</td><td>${steps(one.step_start, one.step_end, "")}</td></tr>`)}</tbody>
  </table></div>
  ${alert.evidence_count > alert.evidence.length && html`<p class="quiet">${alert.evidence_count - alert.evidence.length} more observations are not shown.</p>`}`;
}

/** @param {number | null} start @param {number | null} end @param {string} before */
function steps(start, end, before) {
  if (start === null || start === undefined) return "";
  const said = end === null || end === start ? `step ${number(start)}` : `steps ${number(start)} to ${number(end)}`;
  return before === "At " ? `${before}${said}.` : `${before}${said}`;
}
