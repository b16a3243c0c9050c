// What Quark makes of a run: what is wrong, on what evidence, what to try; how healthy it is.
import { html, useEffect, useRef, useState } from "../../core/dom.js";
import { post, segment } from "../../core/api.js";
import { useData } from "../../core/data.js";
import { ago, duration, moment } from "../../core/format.js";
import { Empty, When } from "../../parts/states.js";
import { Accounts } from "./diagnosis/accounts.js";
import { Alert } from "./diagnosis/alert.js";
import { HealthPart } from "./diagnosis/health.js";
import { Phases } from "./diagnosis/phases.js";

/** Alerts that are open when the page is. */
const OPEN = 4;

/** @param {{ runId: string, item?: string, revision: string | null, overview: any }} props */
export default function Diagnosis({ runId, item, revision, overview }) {
  const [judging, setJudging] = useState(false);
  const data = useData(`/runs/${segment(runId)}/diagnosis`, {}, { revision, everySeconds: judging ? 3 : 0 });
  useEffect(() => setJudging(!!data.value?.is_judging), [data.value]);
  return html`<${When} data=${data} what="Reading what was found">
    ${(found) => html`<${Judgement} runId=${runId} found=${found} reload=${data.reload} counts=${overview?.counts} />
      ${found.judged || found.alerts.length > 0
        ? html`<${HealthPart} found=${found} />
          <${Alerts} found=${found} runId=${runId} item=${item} />
          <${Phases} found=${found} runId=${runId} revision=${revision} />`
        : html`<${Empty} title="This run was not judged yet.">
            A run is judged when it ends, and while it trains once 50 rows were logged. It needs a dozen points of some metric, or a watched model.
          <//>`}
      <${Accounts} runId=${runId} revision=${revision} />`}
  <//>`;
}

function Judgement({ runId, found, reload }) {
  const [state, setState] = useState({ busy: false, error: "", done: "" });
  const alive = useRef(true);
  useEffect(() => () => { alive.current = false; }, []);
  const judge = async () => {
    setState({ busy: true, error: "", done: "" });
    try {
      const outcome = await post(`/runs/${segment(runId)}/judge`, {});
      const count = outcome.alerts?.alert_count ?? 0;
      const faults = Object.keys(outcome.faults ?? {});
      const done = `Judged just now: ${count ? `${count} ${count === 1 ? "alert" : "alerts"}` : "no alerts"}.${faults.length ? ` These rules failed: ${faults.join(", ")}.` : ""}`;
      if (alive.current) setState({ busy: false, error: "", done });
      reload();
    } catch (error) {
      if (alive.current) setState({ busy: false, error: error.message, done: "" });
    }
  };
  const busy = state.busy || found.is_judging;
  return html`<div class="tools dg-judgement">
    <span class="quiet">${
      found.judged
        ? html`<span title=${moment(found.judged_at)}>${found.status === "running" ? "Judged while it trains" : "Judged"}, ${ago(found.judged_at)}${found.seconds !== null && found.seconds !== undefined && ` in ${duration(found.seconds)}`}.</span>`
        : "Not judged yet."
    } ${roles(found.roles)}</span>
    <span class="grow"></span>
    ${found.may_judge && html`<button type="button" onClick=${judge} disabled=${busy}>${busy ? html`<span class="spinner dg-small" aria-hidden="true"></span> Judging…` : "Judge now"}</button>`}
    <span role="status" class=${state.error ? "bad-words" : "quiet"}>${state.error || state.done}</span>
  </div>`;
}

/** @param {Record<string, string[]>} given */
function roles(given) {
  const said = Object.entries(given).map(([role, keys]) => `${keys[0]} as ${role.replaceAll("_", " ")}`);
  return said.length ? `It took ${said.join(", ")}.` : "";
}

function Alerts({ found, runId, item }) {
  const groups = new Map();
  for (const one of found.alerts) groups.set(one.severity, (groups.get(one.severity) ?? 0) + 1);
  const said = [...groups].map(([severity, count]) => `${count} ${severity}`).join(", ");
  return html`<section class="section" aria-labelledby="alerts-head">
    <h2 id="alerts-head">Alerts <span class="quiet">${said}</span></h2>
    ${!found.alerts.length && html`<p class="none"><span class="chip good">none</span> Nothing was found that is wrong with this training.</p>`}
    ${found.alerts.map((alert, index) => html`<${Alert} key=${alert.id} alert=${alert} runId=${runId} chosen=${alert.id === item} isOpen=${alert.id === item || (alert.severity !== "info" && index < OPEN)} />`)}
    ${found.alert_count > found.alerts.length && html`<p class="quiet">${found.alert_count - found.alerts.length} more alerts are not shown.</p>`}
  </section>`;
}
