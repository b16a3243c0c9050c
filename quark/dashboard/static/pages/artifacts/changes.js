// What is new, gone or other in a version, held against another one of the same artifact.
import { html } from "../../core/dom.js";
import { useData } from "../../core/data.js";
import { bytes, number } from "../../core/format.js";
import { useQuery } from "../../core/router.js";
import { Empty, When } from "../../parts/states.js";
import { named } from "./names.js";

/** @param {{ collection: any, one: any }} props */
export function Changes({ collection, one }) {
  const others = collection.versions.filter((other) => other.version !== one.version);
  const place = collection.versions.findIndex((other) => other.version === one.version);
  const before = collection.versions[place + 1] ?? others[0];
  const [against, setAgainst] = useQuery("against", before?.version ?? "");
  const asked = others.some((other) => other.version === against) ? against : before?.version;
  const data = useData(asked ? "/artifacts/changes" : null, { ...named(one), against: asked });
  if (!asked) return html`<${Empty} title="This is the only version.">When another one is logged, what changed stands here.<//>`;
  return html`<div><div class="tools"><label>Held against <select value=${asked} onChange=${(event) => setAgainst(event.currentTarget.value)}>${others.map((other) => html`<option key=${other.version} value=${other.version}>${other.version}${other.aliases.length ? ` (${other.aliases.join(", ")})` : ""}</option>`)}</select></label></div>
    <${When} data=${data} what="Comparing the files">
      ${(found) => html`<div><p>${number(found.counts.added)} new, ${number(found.counts.removed)} gone, ${number(found.counts.changed)} other; ${number(found.same)} the same.</p>
        <${List} title="New" tone="good" rows=${found.added} count=${found.counts.added} />
        <${List} title="Gone" tone="bad" rows=${found.removed} count=${found.counts.removed} />
        <${List} title="Other" tone="warn" rows=${found.changed} count=${found.counts.changed} /></div>`}
    <//></div>`;
}

function List({ title, tone, rows, count }) {
  if (!count) return null;
  return html`<section aria-label=${title}><h3><span class=${`chip ${tone}`}>${title}</span></h3>
    <ul class="changed">${rows.map((row) => html`<li key=${row.path}><span class="mono">${row.path}</span> <span class="quiet">${row.before === undefined || row.before === null ? bytes(row.size) : `${bytes(row.before)} → ${bytes(row.size)}`}</span></li>`)}</ul>
    ${count > rows.length && html`<p class="quiet">and ${number(count - rows.length)} more</p>`}</section>`;
}
