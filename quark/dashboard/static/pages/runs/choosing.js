// Choosing columns and groups.
import { html, useState } from "../../core/dom.js";
import { useData } from "../../core/data.js";
import { Popover } from "../../parts/menu.js";
import { number } from "../../core/format.js";
import { Loading } from "../../parts/states.js";

const MOST_SHOWN = 150;
const TITLES = { run: "Of the run", config: "Configuration", summary: "Summary" };

/**
 * @param {{ params: Record<string, any>, heads: any[], set: (columns: string[]) => void, isDefault: boolean, metrics: string[], spark: string, setSpark: (key: string) => void }} props
 */
export function ChooseColumns({ params, heads, set, isDefault, metrics, spark, setSpark }) {
  return html`<${Popover} label="Columns" title="Choose columns">
    ${() => html`<${ColumnList} params=${params} heads=${heads} set=${set} isDefault=${isDefault} metrics=${metrics} spark=${spark} setSpark=${setSpark} />`}
  <//>`;
}

function ColumnList({ params, heads, set, isDefault, metrics, spark, setSpark }) {
  const { value: known, error } = useData("/run-columns", { project: params.project, archived: params.archived });
  const [text, setText] = useState("");
  const chosen = heads.map((head) => head.id);
  const move = (place, by) => {
    const next = [...chosen];
    const [one] = next.splice(place, 1);
    next.splice(Math.max(0, Math.min(next.length, place + by)), 0, one);
    set(next);
  };
  const others = [...(known?.own ?? []), ...(known?.found ?? [])].filter(
    (one) => one.id !== "name" && !chosen.includes(one.id) && one.id.toLowerCase().includes(text.toLowerCase()),
  );
  return html`<div class="choose">
    <label class="stacked">Sparkline of
      <input list="runs-metrics" value=${spark} placeholder="no metric" spellcheck=${false} onChange=${(event) => setSpark(event.target.value.trim() || "none")} />
    </label>
    <datalist id="runs-metrics">${metrics.map((key) => html`<option key=${key} value=${key} />`)}</datalist>
    <h3>Shown</h3>
    <ul>${heads.map(
      (head, place) => html`<li key=${head.id}>
        <span class="grow" title=${head.id}>${head.kind === "run" ? head.title : head.id}</span>
        <button type="button" class="ghost" aria-label=${`Move ${head.id} to the left`} disabled=${place === 0} onClick=${() => move(place, -1)}>↑</button>
        <button type="button" class="ghost" aria-label=${`Move ${head.id} to the right`} disabled=${place === heads.length - 1} onClick=${() => move(place, 1)}>↓</button>
        <button type="button" class="ghost" aria-label=${`Hide ${head.id}`} disabled=${heads.length === 1} onClick=${() => set(chosen.filter((id) => id !== head.id))}>✕</button>
      </li>`,
    )}</ul>
    ${!isDefault && html`<button type="button" onClick=${() => set([])}>Back to the usual ones</button>`}
    <h3>More</h3>
    <input type="search" aria-label="Search columns" placeholder="Search columns" value=${text} onInput=${(event) => setText(event.target.value)} />
    ${error && html`<p class="bad">${error.message}</p>`}
    ${!known && !error && html`<${Loading} what="Looking at the runs" />`}
    ${["run", "config", "summary"].map((kind) => {
      const some = others.filter((one) => one.kind === kind);
      return (
        some.length > 0 &&
        html`<h3 key=${kind}>${TITLES[kind]}</h3>
          <ul>${some.slice(0, MOST_SHOWN).map(
            (one) => html`<li key=${one.id}><button type="button" class="item" onClick=${() => set([...chosen, one.id])}>${kind === "run" ? one.title : one.id.slice(one.id.indexOf(".") + 1)}</button></li>`,
          )}</ul>
          ${some.length > MOST_SHOWN && html`<p class="quiet">${number(some.length - MOST_SHOWN)} more; search for them.</p>`}`
      );
    })}
    ${known && !others.length && html`<p class="quiet">${text ? "No other column has this in its name." : "All columns are shown."}</p>`}
  </div>`;
}

/** @param {{ params: Record<string, any>, groups: string[], set: (groups: string[]) => void }} props */
export function ChooseGroups({ params, groups, set }) {
  return html`<${Popover} label=${groups.length ? `Groups: ${groups.length}` : "Group"} title="Group runs">
    ${() => html`<${GroupList} params=${params} groups=${groups} set=${set} />`}
  <//>`;
}

function GroupList({ params, groups, set }) {
  const { value: known, error } = useData("/run-columns", { project: params.project, archived: params.archived });
  const [text, setText] = useState("");
  const usable = [
    ...(known?.own ?? []).filter((one) => ["status", "project", "group", "job_type", "tags", "parent"].includes(one.id)),
    ...(known?.found ?? []).filter((one) => one.kind === "config" || !one.numeric),
  ].filter((one) => !groups.includes(one.id) && one.id.toLowerCase().includes(text.toLowerCase()));
  return html`<div class="choose">
    ${groups.length > 0 &&
    html`<h3>Grouped by</h3>
      <ul>${groups.map((id) => html`<li key=${id}><span class="grow">${id}</span><button type="button" class="ghost" aria-label=${`Do not group by ${id}`} onClick=${() => set(groups.filter((one) => one !== id))}>✕</button></li>`)}</ul>`}
    ${groups.length < 3 &&
    html`<h3>${groups.length ? "Then by" : "Group by"}</h3>
      <input type="search" aria-label="Search fields" placeholder="Search fields" value=${text} onInput=${(event) => setText(event.target.value)} />
      ${error && html`<p class="bad">${error.message}</p>`}
      ${!known && !error && html`<${Loading} what="Looking at the runs" />`}
      <ul>${usable.slice(0, MOST_SHOWN).map((one) => html`<li key=${one.id}><button type="button" class="item" onClick=${() => set([...groups, one.id])}>${one.kind === "run" ? one.title : one.id}</button></li>`)}</ul>`}
  </div>`;
}
