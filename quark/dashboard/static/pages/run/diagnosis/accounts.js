// What the run's data was like, and what its machine did: findings that are no alerts.
import { html } from "../../../core/dom.js";
import { segment } from "../../../core/api.js";
import { useData } from "../../../core/data.js";
import { bytes, duration, number } from "../../../core/format.js";
import { Link } from "../../../core/router.js";
import { useSeen } from "../../../parts/seen.js";
import { When } from "../../../parts/states.js";

/** @param {{ runId: string, revision: string | null }} props */
export function Accounts({ runId, revision }) {
  const [seen, place] = useSeen();
  const data = useData(seen ? `/runs/${segment(runId)}/accounts` : null, {}, { revision });
  return html`<section class="section" aria-labelledby="accounts-head" ref=${place}>
    <h2 id="accounts-head">Data and machine</h2>
    ${seen ? html`<${When} data=${data} what="Reading the accounts">
      ${(found) => html`<div class="grid dg-accounts">
        <${Kept} found=${found} runId=${runId} />
        ${found.nonfinite.length > 0 && html`<${Broken} found=${found} />`}
        ${found.batches && html`<${Batches} of=${found.batches} />`}
        ${found.inputs && html`<${Inputs} of=${found.inputs} />`}
        <${Machine} of=${found.machine} cost=${found.cost} runId=${runId} />
        ${found.notes.map((note) => html`<div class="panel" key=${note.label}><h3>${String(note.label)}</h3><p>${String(note.text)}</p>
          ${Array.isArray(note.details) && note.details.length > 0 && html`<ul>${note.details.slice(0, 20).map((text) => html`<li key=${text}>${String(text)}</li>`)}</ul>`}</div>`)}
      </div>`}
    <//>` : html`<div class="hold"></div>`}
  </section>`;
}

/** @param {{ rows: [string, any][] }} props  what has no value is left out */
function Pairs({ rows }) {
  return html`<dl class="pairs">${rows.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => [html`<dt key=${name}>${name}</dt>`, html`<dd key=${`${name} value`}>${value}</dd>`])}</dl>`;
}

/** @param {number | null | undefined} ratio */
function share(ratio) {
  return ratio === null || ratio === undefined ? null : `${(ratio * 100).toFixed(ratio < 0.1 ? 1 : 0)} %`;
}

function Kept({ found }) {
  const done = found.completeness;
  const lost = Object.entries(done?.lost ?? {});
  return html`<div class="panel"><h3>Data</h3>
    <p><b>${number(found.points)}</b> points of ${number(found.metrics)} metrics, and ${number(found.records)} records.</p>
    ${done && html`<p>${number(done.logged)} records logged, ${number(done.stored)} stored: ${done.complete ? html`<span class="chip good">nothing is lost</span>` : html`<span class="chip bad">not everything is stored</span>`}</p>`}
    ${lost.length > 0 && html`<ul>${lost.map(([name, count]) => html`<li key=${name}>${number(count)} lost, ${name}</li>`)}</ul>`}
    ${!done && html`<p class="quiet">Whether all of it is stored is said at the end of the run, where it ran.</p>`}
    ${!found.nonfinite.length && html`<p>All values are finite.</p>`}
  </div>`;
}

function Broken({ found }) {
  return html`<div class="panel"><h3>Not finite <span class="chip bad">${number(found.nonfinite_key_count)} metrics</span></h3>
    <${Pairs} rows=${found.nonfinite.map((one) => [one.key, `${number(one.count)} of ${number(one.of)} values`])} /></div>`;
}

function Batches({ of }) {
  return html`<div class="panel"><h3>Batches</h3>
    <${Pairs} rows=${[
      ["batches", number(of.count)],
      ["samples", of.samples ? number(of.samples) : null],
      ["different samples", of.distinct_ids ? number(of.distinct_ids) : null],
      ["seen most often", of.most_exposed.length ? of.most_exposed.slice(0, 3).map(([id, count]) => `${id} (${number(count)}×)`).join(", ") : null],
      ["padding", share(of.padding_ratio)],
    ]} />
    ${of.classes.length > 0 && html`<${Classes} counts=${of.classes} total=${of.class_count} />`}</div>`;
}

function Inputs({ of }) {
  return html`<div class="panel"><h3>What went into the model</h3>
    <${Pairs} rows=${[
      ["looked at", `${number(of.looked_at)} times`],
      ["rows of a batch", of.rows === null ? null : number(of.rows)],
      ["range", of.min === null || of.max === null ? null : `${number(of.min, 4)} to ${number(of.max, 4)}`],
      ["mean and deviation", of.mean === null ? null : `${number(of.mean, 4)} ± ${number(of.std, 4)}`],
      ["rows seen before", share(of.duplicate_ratio)],
      ["padding", share(of.padding_ratio)],
    ]} />
    ${of.targets.length > 0 && html`<${Classes} counts=${of.targets} total=${of.target_class_count} />`}</div>`;
}

function Classes({ counts, total }) {
  const most = Math.max(...counts.map(([, count]) => count));
  return html`<h4>${number(total)} classes, the most frequent first</h4>
    <ul class="dg-classes">${counts.slice(0, 12).map(([name, count]) => html`<li key=${name}><span title=${name}>${name}</span><i style=${{ width: `${(count / most) * 100}%` }}></i><b>${number(count)}</b></li>`)}</ul>
    ${total > 12 && html`<p class="quiet">and ${number(total - 12)} more</p>`}`;
}

function Machine({ of, cost, runId }) {
  const percent = (value) => (value === null ? null : `${number(value, 3)} %`);
  return html`<div class="panel"><h3>Machine <span class="quiet">${number(of.readings)} readings</span></h3>
    <${Pairs} rows=${[
      ["GPU, in the median", percent(of.gpu_percent)],
      ["memory of the GPU", of.gpu_memory_bytes === null ? null : `${bytes(of.gpu_memory_bytes)}${of.gpu_memory_total_bytes === null ? "" : ` of ${bytes(of.gpu_memory_total_bytes)}`}`],
      ["processor, in the median", percent(of.cpu_percent)],
      ["cores of the training", of.cores === null ? null : `${number(of.cores, 3)}${of.cpu_count === null ? "" : ` of ${number(of.cpu_count)}`}`],
      ["memory, at most", of.ram_percent === null ? null : `${percent(of.ram_percent)} of ${bytes(of.ram_total_bytes)}`],
      ["memory of the training", of.process_bytes === null ? null : bytes(of.process_bytes)],
      ["waiting for data", of.data_share === null ? null : `${share(of.data_share)} of the time (${duration(of.data_seconds)})`],
      ["Quark took", cost && typeof cost.training_percent === "number" ? `${number(cost.training_percent, 3)} % of the training, ${number(cost.background_percent, 3)} % of a core beside it` : null],
    ]} />
    <p><${Link} to=${`/runs/${segment(runId)}/system`}>All readings<//></p></div>`;
}
