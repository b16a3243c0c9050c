// What happened during the run, the newest first.
import { html } from "../../core/dom.js";
import { segment } from "../../core/api.js";
import { useData } from "../../core/data.js";
import { number } from "../../core/format.js";
import { saidOf } from "./events/words.js";
import { Link, useLocation, useQuery } from "../../core/router.js";
import { Severity } from "../../parts/chips.js";
import { Empty, When } from "../../parts/states.js";
import { Patient } from "./charts/toolbar.js";
import { Choices } from "./logs.js";
import { Tree } from "./overview/tree.js";

const PAGE = 100;
const SEVERITIES = ["debug", "info", "warning", "error", "critical"];
const FEW_TYPES = 8;

/** @param {{ runId: string, revision: any, item?: string }} props */
export default function Events({ runId, revision, item }) {
  const [q, setQ] = useQuery("q", "");
  const [types, setTypes] = useQuery("type", /** @type {string[]} */ ([]));
  const [severities, setSeverities] = useQuery("severity", /** @type {string[]} */ ([]));
  const [from, setFrom] = useQuery("from", "0");
  const start = Math.max(0, Number(from) || 0);
  const data = useData(`/runs/${segment(runId)}/events`, { q, type: types, severity: severities, from: start, limit: PAGE }, { revision });
  const narrow = (set) => (next) => {
    set(next);
    setFrom("0");
  };
  return html`<${When} data=${data} what="Reading the events">
    ${(found) =>
      found.total
        ? html`<div class="tools">
              <${Patient} type="search" placeholder="Search events" aria-label="Search events" value=${q} set=${narrow(setQ)} />
              <${Choices} label="Severity" all=${SEVERITIES.filter((one) => found.severities[one])} words=${(one) => `${one} ${number(found.severities[one])}`} chosen=${severities} choose=${narrow(setSeverities)} />
              <${Types} types=${found.types} chosen=${types} choose=${narrow(setTypes)} />
              <span class="grow"></span><span class="quiet" role="status">${found.matching === found.total ? `${number(found.total)} events` : `${number(found.matching)} of ${number(found.total)} events`}</span>
            </div>
            ${item && html`<${Detail} runId=${runId} id=${item} />`}
            ${found.events.length
              ? html`<${Table} runId=${runId} events=${found.events} item=${item} />`
              : html`<${Empty} title="No event fits.">None of ${number(found.total)} has this text, type and severity.<//>`}
            <${Pages} start=${start} count=${found.matching} go=${(next) => setFrom(String(next))} />`
        : html`<${Empty} title="Nothing happened yet.">Beginnings and ends, checkpoints, alerts and what <code>events.log("…")</code> is told come here.<//>`}
  <//>`;
}

/** @param {{ types: Record<string, number>, chosen: string[], choose: (next: string[]) => void }} props */
function Types({ types, chosen, choose }) {
  const names = Object.keys(types);
  if (names.length <= FEW_TYPES) return html`<${Choices} label="Type" all=${names} words=${(one) => `${one} ${number(types[one])}`} chosen=${chosen} choose=${choose} />`;
  return html`<label>Type <select value=${chosen[0] ?? ""} onChange=${(event) => choose(event.target.value ? [event.target.value] : [])}>
    <option value="">all</option>${names.map((one) => html`<option value=${one}>${one} (${number(types[one])})</option>`)}</select></label>`;
}

/** @param {{ runId: string, events: any[], item?: string }} props */
function Table({ runId, events, item }) {
  const { query } = useLocation();
  const rest = query.toString() ? `?${query}` : "";
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Events"><table class="table events"><thead><tr><th>Time</th><th>Type</th><th>Severity</th><th class="numeric">Step</th><th>What happened</th></tr></thead>
    <tbody>${events.map(
      (one) => html`<tr key=${one.id} class=${one.id === item ? "chosen" : ""}>
        <td title=${new Date(one.time_us / 1000).toISOString()}>${new Date(one.time_us / 1000).toLocaleString(undefined, { hour12: false })}</td>
        <td><${Link} to=${`/runs/${segment(runId)}/events/${segment(one.id)}${rest}`}>${one.event_type || "–"}<//></td>
        <td><${Severity} severity=${one.severity} /></td><td class="numeric">${one.step ?? "–"}</td><td class="dg-wrap what" title=${one.text}>${saidOf(one)}</td>
      </tr>`,
    )}</tbody></table></div>`;
}

/** @param {{ runId: string, id: string }} props */
function Detail({ runId, id }) {
  const { query } = useLocation();
  const data = useData(`/runs/${segment(runId)}/event`, { id });
  const rest = query.toString() ? `?${query}` : "";
  return html`<section class="panel" aria-label="The chosen event"><${When} data=${data}>
    ${({ event }) =>
      event
        ? html`<div class="panel-head"><h3>${event.event_type}</h3><${Link} class="button" to=${`/runs/${segment(runId)}/events${rest}`}>Close<//></div>
            <dl class="pairs"><dt>When</dt><dd>${new Date(event.time_us / 1000).toLocaleString(undefined, { hour12: false })}</dd>
              <dt>Severity</dt><dd><${Severity} severity=${event.severity} /></dd>
              ${event.step !== null && html`<dt>Step</dt><dd>${number(event.step)}</dd>`}${event.epoch !== null && html`<dt>Epoch</dt><dd>${event.epoch}</dd>`}
              ${event.status && html`<dt>Status</dt><dd>${event.status}</dd>`}</dl>
            <${Tree} value=${event.payload} label="payload" empty="It carries nothing else." />`
        : html`<p class="quiet">There is no such event in this run.</p>`}
  <//></section>`;
}

/** @param {{ start: number, count: number, go: (start: number) => void }} props */
function Pages({ start, count, go }) {
  if (count <= PAGE) return null;
  return html`<nav class="tools" aria-label="Pages of events">
    <button type="button" disabled=${start === 0} onClick=${() => go(Math.max(0, start - PAGE))}>Newer</button>
    <span class="quiet">${number(start + 1)} to ${number(Math.min(count, start + PAGE))} of ${number(count)}</span>
    <button type="button" disabled=${start + PAGE >= count} onClick=${() => go(start + PAGE)}>Older</button>
  </nav>`;
}
