// One artifact: its versions on the left, the one that is looked at on the right.
import { html } from "../../core/dom.js";
import { useData } from "../../core/data.js";
import { ago, bytes, moment, number } from "../../core/format.js";
import { segment } from "../../core/api.js";
import { Link, useQuery } from "../../core/router.js";
import { Status, Tags } from "../../parts/chips.js";
import { Empty, Guarded, When } from "../../parts/states.js";
import { Changes } from "./changes.js";
import { Files } from "./files.js";
import { Lineage } from "./lineage.js";
import { artifactPath, named } from "./names.js";

const PARTS = [
  ["about", "About"],
  ["files", "Files"],
  ["changes", "Changes"],
  ["lineage", "Lineage"],
];

/** @param {{ name: string, version?: string }} props */
export function Collection({ name, version }) {
  const [project] = useQuery("project", "");
  const [workspace] = useQuery("workspace", "");
  const data = useData("/artifacts/collection", { name, project, workspace }, { everySeconds: 20 });
  return html`<div class="page"><p><${Link} to="/artifacts">Artifacts<//> <span class="quiet">/ ${project}</span></p>
    <${When} data=${data} what="Reading the versions">
      ${(found) => {
        const current = found.versions.find((one) => one.version === version || one.aliases.includes(version)) ?? (version ? null : found.versions[0]);
        return html`<div>
          <div class="head"><div><h1>${found.name}</h1>
            <p class="quiet">${found.is_portfolio ? "registry" : found.type} · ${number(found.version_count)} ${found.version_count === 1 ? "version" : "versions"} · changed ${ago(found.updated_at)}</p>
            ${found.description && html`<p class="whole">${found.description}</p>`}</div><span class="grow"></span><${Tags} tags=${found.tags} /></div>
          <div class="artifact">
            <${Versions} found=${found} current=${current} />
            <div class="artifact-version">${
              current
                ? html`<${Guarded} key=${current.version}><${Version} collection=${found} one=${current} /><//>`
                : html`<${Empty} title=${found.versions.length ? `There is no version ${version}.` : "All versions were deleted."}>${found.versions.length ? "It was deleted, or is yet to come." : "Log another one."}<//>`
            }</div>
          </div>
        </div>`;
      }}
    <//></div>`;
}

function Versions({ found, current }) {
  return html`<nav class="versions" aria-label="Versions">
    <ul>${found.versions.map(
      (one) => html`<li key=${one.version}><${Link} to=${artifactPath(one)} aria-current=${one.version === current?.version ? "page" : undefined}>
        <strong>${one.version}</strong> <span class="quiet">${bytes(one.size)} · ${ago(one.created_at)}</span>
        <span class="version-aliases">${one.aliases.map((alias) => html`<span key=${alias} class="tag">${alias}</span>`)}</span>
      <//></li>`,
    )}</ul>
    ${found.version_count > found.versions.length && html`<p class="quiet">and ${number(found.version_count - found.versions.length)} older ones</p>`}
  </nav>`;
}

function Version({ collection, one }) {
  const [part, setPart] = useQuery("part", "about");
  const data = useData("/artifacts/version", named(one));
  const current = PARTS.find(([id]) => id === part)?.[0] ?? "about";
  return html`<div><div class="head"><h2>${one.name}:${one.version}</h2>${one.aliases.map((alias) => html`<span key=${alias} class="tag">${alias}</span>`)}<span class="grow"></span><${Tags} tags=${one.tags} /></div>
    <nav class="tabs" aria-label="Parts of the version">${PARTS.map(([id, title]) => html`<button key=${id} type="button" class="tab" aria-current=${id === current ? "page" : undefined} onClick=${() => setPart(id)}>${title}</button>`)}</nav>
    ${current === "files"
      ? html`<${Files} one=${one} />`
      : current === "changes"
        ? html`<${Changes} collection=${collection} one=${one} />`
        : current === "lineage"
          ? html`<${Lineage} asked=${named(one)} />`
          : html`<${When} data=${data}>${(found) => html`<${About} found=${found} />`}<//>`}</div>`;
}

function About({ found }) {
  const metadata = Object.entries(found.metadata);
  return html`<div>
    ${found.description && html`<p class="whole">${found.description}</p>`}
    <dl class="pairs">
      <dt>Type</dt><dd>${found.type}</dd>
      <dt>Size</dt><dd>${bytes(found.size)} in ${number(found.file_count)} ${found.file_count === 1 ? "file" : "files"}</dd>
      <dt>Digest</dt><dd class="mono">${found.digest}</dd>
      <dt>Made</dt><dd>${moment(found.created_at)}${found.ttl_seconds !== null ? ` · kept for ${number(found.ttl_seconds / 86400, 3)} days` : ""}</dd>
      ${found.source && html`<dt>A link to</dt><dd class="mono">${found.source}</dd>`}
      <dt>Logged by</dt><dd>${found.logged_by.length ? found.logged_by.map((run) => html`<${RunLine} key=${run.id} run=${run} />`) : html`<span class="quiet">nobody that is known</span>`}</dd>
      <dt>Used by</dt><dd>${found.used_by.length ? found.used_by.map((run) => html`<${RunLine} key=${run.id} run=${run} />`) : html`<span class="quiet">no run yet: <code>run.use_artifact("${found.name}:${found.version}")</code></span>`}
        ${found.used_by_count > found.used_by.length ? html`<p class="quiet">and ${number(found.used_by_count - found.used_by.length)} more</p>` : ""}</dd>
      ${found.links.length > 0 && html`<dt>In registries</dt><dd>${found.links.map((link) => html`<${Link} key=${link.name} to=${artifactPath(link)}>${link.name}:${link.version}<//> `)}</dd>`}
    </dl>
    <h3>Metadata</h3>
    ${metadata.length ? html`<dl class="pairs">${metadata.map(([key, value]) => [html`<dt key=${`t${key}`} class="mono">${key}</dt>`, html`<dd key=${`d${key}`} class="whole">${said(value)}</dd>`])}</dl>` : html`<p class="quiet">None. Give some: <code>wandb.Artifact(…, metadata={"rows": 1500})</code>.</p>`}
    <h3>Take it</h3>
    <pre class="value" tabindex="0" aria-label="How to use it">${`run.use_artifact("${found.project}/${found.name}:${found.version}").download()`}</pre></div>`;
}

function said(value) {
  if (typeof value === "number") return number(value, 7);
  return typeof value === "string" ? value : JSON.stringify(value, null, 1);
}

function RunLine({ run }) {
  return html`<div>${run.status === null ? html`<span class="mono">${run.id}</span> <span class="quiet">not here any more</span>` : html`<${Link} to=${`/runs/${segment(run.id)}`}>${run.name || run.id}<//> <${Status} status=${run.status} />`}</div>`;
}
