// The files of a version, a folder at a time; one of them can be looked into.
import { html } from "../../core/dom.js";
import { useData } from "../../core/data.js";
import { bytes, number } from "../../core/format.js";
import { useQuery } from "../../core/router.js";
import { Items } from "../../parts/media/items.js";
import { Empty, When } from "../../parts/states.js";
import { artifactFile, named, ofVersion } from "./names.js";

/** @param {{ one: import("./names.js").Named }} props */
export function Files({ one }) {
  const [folder, setFolder] = useQuery("folder", "");
  const [search, setSearch] = useQuery("q", "");
  const [opened, open] = useQuery("file", "");
  const data = useData("/artifacts/files", { ...named(one), folder: search ? "" : folder, search });
  const parts = folder ? folder.split("/") : [];
  return html`<div><div class="tools">
      <input type="search" aria-label="Search for files" placeholder="Files in all folders" value=${search} onInput=${(event) => setSearch(event.currentTarget.value)} />
      <nav class="crumbs" aria-label="Folder"><button type="button" class="link" onClick=${() => setFolder("")}>${one.name}</button>
        ${!search && parts.map((part, place) => html`<span key=${place}> / <button type="button" class="link" onClick=${() => setFolder(parts.slice(0, place + 1).join("/"))}>${part}</button></span>`)}</nav>
    </div>
    <${When} data=${data} what="Reading the files">
      ${(found) =>
        found.total === 0
          ? html`<${Empty} title=${search ? "No file fits." : "Nothing is in here."} />`
          : html`<div><div class="scroll" tabindex="0" role="group" aria-label="Files"><table class="table">
                <thead><tr><th scope="col">Name</th><th scope="col" class="numeric">Size</th><th scope="col"><span class="unseen">What can be done</span></th></tr></thead>
                <tbody>${found.rows.map(
                  (row) => html`<tr key=${row.path}>
                    <td>${
                      row.kind === "folder"
                        ? html`<button type="button" class="link" onClick=${() => setFolder(row.path)}><span aria-hidden="true">▸ </span>${row.name}/</button> <span class="quiet">${number(row.file_count)} files</span>`
                        : html`<button type="button" class="link" aria-expanded=${String(opened === row.path)} onClick=${() => open(opened === row.path ? "" : row.path)}>${row.name}</button>`
                    }</td>
                    <td class="numeric">${bytes(row.size)}</td>
                    <td>${row.kind === "folder" ? "" : row.kind === "reference" ? html`<span class="chip" title=${row.reference}>lies elsewhere</span>` : html`<a href=${artifactFile(one, row)} download>Save</a>`}</td>
                  </tr>`,
                )}</tbody></table></div>
              ${found.total > found.rows.length && html`<p class="quiet">The first ${number(found.rows.length)} of ${number(found.total)}; search for others.</p>`}</div>`}
    <//>
    ${opened && html`<${Preview} key=${opened} one=${one} path=${opened} close=${() => open("")} />`}</div>`;
}

function Preview({ one, path, close }) {
  const data = useData("/artifacts/preview", { ...named(one), path });
  return html`<section class="panel preview" aria-label=${`Preview of ${path}`}>
    <div class="panel-head"><h3 title=${path}>${path}</h3><span class="grow"></span><button type="button" class="ghost tight" aria-label="Close the preview" onClick=${close}>✕</button></div>
    <${When} data=${data}>${(found) => html`<${Shown} one=${one} found=${found} />`}<//>
  </section>`;
}

function Shown({ one, found }) {
  const shown = found.kind === "reference" ? "" : artifactFile(one, found, "shown");
  if (found.kind === "reference") return html`<p>Lies elsewhere: <span class="mono whole">${found.reference}</span></p>`;
  if (found.kind === "image") return html`<img class="preview-image" src=${shown} alt=${found.path} />`;
  if (found.kind === "audio") return html`<audio controls src=${shown} aria-label=${found.path}></audio>`;
  if (found.kind === "video") return html`<video controls playsinline src=${shown} aria-label=${found.path}></video>`;
  if (found.item) {
    return html`<div><${Items} from=${ofVersion(one)} items=${[found.item]} name=${found.path} />
      ${found.text !== null && html`<details><summary>As it is stored</summary><${Text} found=${found} /></details>`}</div>`;
  }
  return html`<div>${found.kind === "html" && html`<iframe class="logged-page" sandbox="allow-scripts" referrerpolicy="no-referrer" src=${artifactFile(one, found, "page")} title=${`HTML: ${found.path}`}></iframe>`}
    ${found.text === null ? html`<p class="quiet">${bytes(found.size)} that are no text. Save the file to look into it.</p>` : html`<${Text} found=${found} />`}</div>`;
}

function Text({ found }) {
  return html`<pre class="value" tabindex="0" aria-label=${found.path}>${found.text}</pre>${found.is_cut && html`<p class="quiet">The first 64 KB of ${bytes(found.size)}.</p>`}`;
}
