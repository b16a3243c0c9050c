// What a run logged and used: versions of artifacts, and payloads that were stored by themselves.
import { html, useState } from "../../core/dom.js";
import { segment } from "../../core/api.js";
import { useData } from "../../core/data.js";
import { ago, bytes, number } from "../../core/format.js";
import { Link } from "../../core/router.js";
import { ofRun } from "../../parts/media/files.js";
import { Empty, When } from "../../parts/states.js";
import { Table, sorted } from "../../parts/table.js";
import { Lineage } from "../artifacts/lineage.js";
import { artifactPath } from "../artifacts/names.js";

/** @param {{ runId: string, revision: string | null }} props */
export default function RunArtifacts({ runId, revision }) {
  const data = useData(`/runs/${segment(runId)}/artifacts`, {}, { revision });
  return html`<${When} data=${data} what="Reading the artifacts">
    ${(found) =>
      found.logged.length + found.used.length + found.payload_count === 0
        ? html`<${Empty} title="No artifacts yet.">Log one: <code>run.log_artifact("model.pt", name="model", type="model")</code>, or use one: <code>run.use_artifact("model:best")</code>.<//>`
        : html`<div>
            <${Versions} title="Logged" rows=${found.logged} none="This run has logged none." />
            <${Versions} title="Used" rows=${found.used} none="This run has used none." />
            ${found.logged.length + found.used.length > 0 && html`<section class="section" aria-label="Lineage"><h2>Lineage</h2><${Lineage} asked=${{ run: runId }} /></section>`}
            ${found.payload_count > 0 && html`<${Payloads} runId=${runId} rows=${found.payloads} count=${found.payload_count} />`}
          </div>`}
  <//>`;
}

function Versions({ title, rows, none }) {
  return html`<section class="section" aria-label=${title}><h2>${title} <span class="quiet">${rows.length}</span></h2>
    ${rows.length === 0
      ? html`<p class="quiet">${none}</p>`
      : html`<div class="scroll" tabindex="0" role="group" aria-label=${title}><table class="table">
          <thead><tr><th scope="col">Version</th><th scope="col">Type</th><th scope="col">Aliases</th><th scope="col" class="numeric">Files</th><th scope="col" class="numeric">Size</th><th scope="col">Made</th></tr></thead>
          <tbody>${rows.map(
            (row) => html`<tr key=${`${row.project} ${row.name} ${row.version}`}>
              <td><${Link} to=${artifactPath(row)}>${row.name}:${row.version}<//></td><td><span class="chip">${row.type}</span></td>
              <td>${row.aliases.map((alias) => html`<span key=${alias} class="tag">${alias}</span>`)}</td>
              <td class="numeric">${number(row.file_count)}</td><td class="numeric">${bytes(row.size)}</td><td>${ago(row.created_at)}</td></tr>`,
          )}</tbody></table></div>`}
  </section>`;
}

function Payloads({ runId, rows, count }) {
  const [sort, setSort] = useState({ id: "step", descending: true });
  const by = { key: (row) => row.key, type: (row) => row.type, step: (row) => row.step, size: (row) => row.size, time: (row) => row.time };
  const columns = [
    { id: "key", title: "Payload", width: 280, show: (row) => html`<span class="mono">${row.key}</span>`, hint: (row) => JSON.stringify(row.metadata) },
    { id: "type", title: "Type", width: 160, show: (row) => html`<span class="chip">${row.type}</span>` },
    { id: "step", title: "Step", width: 90, numeric: true, show: (row) => number(row.step) },
    { id: "size", title: "Size", width: 90, numeric: true, show: (row) => bytes(row.size) },
    { id: "time", title: "Stored", width: 130, show: (row) => ago(row.time) },
    { id: "save", title: "", width: 80, sortable: false, show: (row) => html`<a href=${ofRun(runId).file(row, "saved")} download>Save</a>` },
  ];
  return html`<section class="section" aria-label="Payloads"><h2>Payloads <span class="quiet">${number(count)}</span></h2>
    <p class="quiet">Stored by themselves, by an ArtifactStore.${count > rows.length ? ` The last ${number(rows.length)} of them.` : ""}</p>
    <${Table} label="Payloads" columns=${columns} rows=${sorted(rows, by[sort.id], sort.descending)} idOf=${(row, index) => `${row.key} ${row.step} ${index}`} sort=${sort} onSort=${(id, descending) => setSort({ id, descending })} height="50vh" />
  </section>`;
}
