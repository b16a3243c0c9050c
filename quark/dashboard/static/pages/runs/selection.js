// What can be done with the runs that are selected.
import { html, useState } from "../../core/dom.js";
import { post } from "../../core/api.js";
import { go } from "../../core/router.js";
import { number } from "../../core/format.js";
import { Confirm } from "../../parts/dialog.js";
import { counted } from "./words.js";

const AT_ONCE = 200;
const MOST_COMPARED = 50;
const NAMED = 8;

/**
 * Do something with many runs, some at a time.
 * @param {string[]} ids @param {Record<string, any>} body @param {(done: number) => void} [tell]
 * @returns {Promise<{ changed: string[], failed: { run_id: string, error: string }[] }>}
 */
export async function actOnMany(ids, body, tell) {
  const changed = [];
  const failed = [];
  for (let start = 0; start < ids.length; start += AT_ONCE) {
    const answer = await post("/runs/actions", { ...body, run_ids: ids.slice(start, start + AT_ONCE) });
    for (const one of answer.results) {
      if (one.error) failed.push(one);
      else if (one.changed) changed.push(one.run_id);
    }
    tell?.(Math.min(ids.length, start + AT_ONCE));
  }
  return { changed, failed };
}

/**
 * @param {{ picked: Set<string>, rows: any[], me: any, clear: () => void, done: () => void }} props
 *   `rows`: those that are here; not all that are selected need be
 */
export function Selection({ picked, rows, me, clear, done }) {
  const [asking, setAsking] = useState(/** @type {string | null} */ (null));
  const [progress, setProgress] = useState("");
  const [said, setSaid] = useState(/** @type {{ text: string, bad?: boolean, undo?: () => void } | null} */ (null));
  const ids = [...picked];
  const mayWrite = me?.may_write !== false;
  const compare = () => {
    const query = new URLSearchParams();
    for (const id of ids) query.append("run", id);
    go(`/compare?${query}`);
  };
  const act = async (body, words, undo) => {
    setSaid(null);
    try {
      const { changed, failed } = await actOnMany(ids, body, (count) => ids.length > AT_ONCE && setProgress(`${number(count)} of ${number(ids.length)}…`));
      const problem = failed.length ? ` ${counted(failed.length, "run")} could not be: ${failed[0].error}` : "";
      setSaid({
        text: `${words} ${counted(changed.length, "run")}.${problem}`,
        bad: failed.length > 0,
        undo: undo && changed.length ? () => act2(changed, undo) : undefined,
      });
      return { changed, failed };
    } catch (error) {
      setSaid({ text: /** @type {Error} */ (error).message, bad: true });
      throw error;
    } finally {
      setProgress("");
      done();
    }
  };
  const act2 = async (changed, body) => {
    setSaid(null);
    try {
      const { failed } = await actOnMany(changed, body);
      setSaid({ text: failed.length ? failed[0].error : "Taken back.", bad: failed.length > 0 });
    } catch (error) {
      setSaid({ text: /** @type {Error} */ (error).message, bad: true });
    }
    done();
  };
  const here = rows.filter((row) => picked.has(row.id));
  const allArchived = here.length === ids.length && here.every((row) => row.archived);
  if (!ids.length && !said) return null;
  return html`<div class="tools selection" role="region" aria-label="Selected runs">
    ${ids.length > 0 &&
    html`<strong>${number(ids.length)} selected</strong>
      <button type="button" class="primary" onClick=${compare} disabled=${ids.length > MOST_COMPARED}
        title=${ids.length > MOST_COMPARED ? `At most ${MOST_COMPARED} runs are compared at once.` : undefined}>${ids.length === 1 ? "Compare with…" : "Compare"}</button>
      ${mayWrite &&
      html`<button type="button" onClick=${() => setAsking("tag")}>Tags…</button>
        ${allArchived
          ? html`<button type="button" onClick=${() => act({ action: "unarchive" }, "Put back", { action: "archive" }).catch(() => {})}>Put back</button>`
          : html`<button type="button" onClick=${() => act({ action: "archive" }, "Archived", { action: "unarchive" }).catch(() => {})}>Archive</button>`}
        <button type="button" class="danger" onClick=${() => setAsking("delete")}>Delete…</button>`}
      <button type="button" class="ghost" onClick=${clear}>Clear</button>`}
    ${progress && html`<span role="status">${progress}</span>`}
    ${said &&
    html`<span class=${said.bad ? "bad" : "quiet"} role="status">${said.text}</span>
      ${said.undo && html`<button type="button" onClick=${said.undo}>Undo</button>`}
      <button type="button" class="ghost" aria-label="Dismiss" onClick=${() => setSaid(null)}>✕</button>`}
    ${asking === "tag" && html`<${TagWindow} ids=${ids} rows=${here} act=${act} close=${() => setAsking(null)} />`}
    ${asking === "delete" && html`<${DeleteWindow} ids=${ids} rows=${here} act=${act} close=${() => setAsking(null)} clear=${clear} />`}
  </div>`;
}

function words(text) {
  return [...new Set(text.split(",").map((word) => word.trim()).filter(Boolean))];
}

function TagWindow({ ids, rows, act, close }) {
  const [add, setAdd] = useState("");
  const [remove, setRemove] = useState(/** @type {string[]} */ ([]));
  const known = [...new Set(rows.flatMap((row) => row.tags))].sort();
  const save = async () => {
    const tags = words(add);
    if (tags.length) await act({ action: "tag", tags }, "Tagged");
    if (remove.length) await act({ action: "untag", tags: remove }, "Took tags from");
  };
  return html`<${Confirm} title=${`Tags of ${counted(ids.length, "run")}`} action="Save" act=${save} close=${close} disabled=${!words(add).length && !remove.length}>
    <label class="stacked">Add, with commas between<input value=${add} onInput=${(event) => setAdd(event.target.value)} placeholder="best, paper" /></label>
    ${known.length > 0 &&
    html`<fieldset><legend>Remove</legend>${known.map(
      (tag) => html`<label key=${tag} class="check"><input type="checkbox" checked=${remove.includes(tag)}
        onChange=${(event) => setRemove(event.target.checked ? [...remove, tag] : remove.filter((one) => one !== tag))} /> <span class="tag">${tag}</span></label>`,
    )}</fieldset>`}
  <//>`;
}

function DeleteWindow({ ids, rows, act, close, clear }) {
  const [force, setForce] = useState(false);
  const [typed, setTyped] = useState("");
  const running = rows.filter((row) => row.status === "running").length;
  const many = ids.length > 20;
  const remove = async () => {
    const { failed } = await act({ action: "delete", force }, "Deleted");
    if (!failed.length) clear();
  };
  return html`<${Confirm} title=${`Delete ${counted(ids.length, "run")}?`} action="Delete" danger act=${remove} close=${close} disabled=${many && typed.trim() !== String(ids.length)}>
    <p>Metrics, logs, media and everything else of ${ids.length === 1 ? "it" : "them"} goes, and cannot be brought back. To only put runs out of sight, archive them.</p>
    <ul>${rows.slice(0, NAMED).map((row) => html`<li key=${row.id}>${row.name || row.id} <span class="quiet">${row.id}</span></li>`)}</ul>
    ${ids.length > Math.min(NAMED, rows.length) && html`<p class="quiet">and ${number(ids.length - Math.min(NAMED, rows.length))} more</p>`}
    ${running > 0 && html`<label class="check"><input type="checkbox" checked=${force} onChange=${(event) => setForce(event.target.checked)} /> also the ${counted(running, "run")} that are running</label>`}
    ${many && html`<label class="stacked">Type ${ids.length} to go on<input inputmode="numeric" value=${typed} onInput=${(event) => setTyped(event.target.value)} /></label>`}
  <//>`;
}
