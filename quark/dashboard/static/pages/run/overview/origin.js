// Where a run comes from: code, command, machine, packages; and the files that it left.
import { html, useState } from "../../../core/dom.js";
import { bytes } from "../../../core/format.js";
import { Tree } from "./tree.js";

/** @param {{ about: any, run: any }} props */
export function Origin({ about, run }) {
  const { metadata, runtime } = about;
  const python = runtime.python ?? {};
  const platform = runtime.platform ?? {};
  const launched = commandOf(metadata);
  const sha = metadata.git_sha ?? run.git_commit;
  const dirty = metadata.git_dirty;
  return html`<section class="panel" aria-label="Code and machine"><h2>Code and machine</h2>
    <dl class="pairs">
      ${sha && html`<dt>Commit</dt><dd><span class="mono">${sha}</span>${metadata.git_branch ? ` on ${metadata.git_branch}` : ""} ${dirty && html`<span class="chip warn">with changes</span>`}</dd>`}
      ${metadata.git_root && html`<dt>Repository</dt><dd class="mono">${metadata.git_root}</dd>`}
      ${launched && html`<dt>Command</dt><dd><pre class="command">${launched}</pre></dd>`}
      ${python.version && html`<dt>Python</dt><dd>${python.version} <span class="quiet">${python.executable ?? ""}</span></dd>`}
      ${platform.system && html`<dt>System</dt><dd>${platform.system} ${platform.release} ${platform.machine}</dd>`}
      ${runtime.hostname && html`<dt>Host</dt><dd>${runtime.hostname}</dd>`}
      ${runtime.cpu_count && html`<dt>Processors</dt><dd>${runtime.usable_cpu_count ?? runtime.cpu_count} of ${runtime.cpu_count}</dd>`}
    </dl>
    ${about.has_folder && !sha && !launched && !python.version && html`<p class="quiet">Nobody noted where this run comes from. Quark does when it begins one; a run that was imported or copied may not have it.</p>`}
    ${!about.has_folder && html`<p class="quiet">More is in the run's folder on the machine that trained it; this store has only what was sent.</p>`}
    ${metadata.git_status_porcelain && html`<details><summary>What was not committed</summary><pre class="command">${metadata.git_status_porcelain}</pre></details>`}
    ${runtime.packages && html`<details><summary>Packages <span class="quiet">${Object.keys(runtime.packages).length}</span></summary><${Tree} value=${runtime.packages} label="packages" empty="" /></details>`}
    ${runtime.environment && html`<details><summary>Variables <span class="quiet">${Object.keys(runtime.environment).length}</span></summary><${Tree} value=${runtime.environment} label="variables" empty="" /></details>`}
  </section>`;
}

/** @param {any} metadata @returns {string} */
function commandOf(metadata) {
  const found = metadata.command ?? metadata.argv ?? metadata.launcher?.command ?? metadata.launcher?.argv ?? metadata.program;
  return Array.isArray(found) ? found.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${String(word).replaceAll("'", `'\\''`)}'`)).join(" ") : (found ?? "");
}

const FEW = 30;

/** @param {{ about: any }} props */
export function Files({ about }) {
  const [all, setAll] = useState(false);
  const shown = all ? about.files : about.files.slice(0, FEW);
  return html`<section class="panel" aria-label="Files"><h2>Files <span class="quiet">${about.files.length + about.more_files}</span></h2>
    ${about.files.length
      ? html`<table class="table"><tbody>${shown.map((one) => html`<tr key=${one.name}><td class="mono" title=${one.name}>${one.name}</td><td class="numeric">${bytes(one.size_bytes)}</td></tr>`)}</tbody></table>
          ${shown.length < about.files.length && html`<button type="button" onClick=${() => setAll(true)}>Show all ${about.files.length}</button>`}
          ${all && about.more_files > 0 && html`<p class="quiet">and ${about.more_files} more in the run's folder</p>`}`
      : !about.has_folder
        ? html`<p class="quiet">What the run saved is in its folder on the machine that trained it. Artifacts come here.</p>`
        : html`<p class="quiet">The run left no files. <code>run.save("model.pt")</code> keeps one.</p>`}
  </section>`;
}
