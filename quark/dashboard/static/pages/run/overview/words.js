// What people may change of a run: its name, its tags, its notes.
import { html, useEffect, useState } from "../../../core/dom.js";
import { post, segment } from "../../../core/api.js";

/** @param {{ run: any, me: any, reload: () => void }} props */
export function Words({ run, me, reload }) {
  const [error, setError] = useState("");
  const act = async (body) => {
    try {
      await post(`/runs/${segment(run.id)}/actions`, body);
      setError("");
      reload();
      return true;
    } catch (fault) {
      setError(/** @type {Error} */ (fault).message);
      return false;
    }
  };
  const mayWrite = me?.may_write ?? false;
  return html`<dl class="pairs">
      <dt>Name</dt><dd><${Word} label="Name" value=${run.name ?? ""} mayWrite=${mayWrite} save=${(name) => act({ action: "rename", name })} /></dd>
      <dt>Group</dt><dd><${Word} label="Group" value=${run.group ?? ""} mayWrite=${mayWrite} save=${(group) => act({ action: "group", group })} /></dd>
      ${run.job_type && html`<dt>Job type</dt><dd>${run.job_type}</dd>`}
      <dt>Tags</dt><dd><${EditTags} tags=${run.tags} mayWrite=${mayWrite} act=${act} /></dd>
      <dt>Notes</dt><dd><${Word} label="Notes" isLong=${true} value=${run.notes ?? ""} mayWrite=${mayWrite} save=${(notes) => act({ action: "note", notes })} /></dd>
    </dl>
    ${error && html`<p class="bad" role="alert">${error}</p>`}`;
}

/** @param {{ label: string, value: string, mayWrite: boolean, save: (text: string) => Promise<boolean>, isLong?: boolean }} props */
function Word({ label, value, mayWrite, save, isLong = false }) {
  const [text, setText] = useState(/** @type {string | null} */ (null));
  useEffect(() => setText(null), [value]);
  if (text === null) {
    return html`<span class=${isLong ? "notes" : ""}>${value || html`<span class="quiet">none</span>`}</span>
      ${mayWrite && html`<button type="button" class="ghost tight" aria-label=${`Change ${label.toLowerCase()}`} title="Change" onClick=${() => setText(value)}>✎</button>`}`;
  }
  const submit = async (event) => {
    event.preventDefault();
    if (text === value || (await save(text))) setText(null);
  };
  const keys = (event) => {
    if (event.key === "Escape") setText(null);
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
  };
  const field = { "aria-label": label, value: text, onInput: (event) => setText(event.target.value), onKeyDown: keys, ref: (box) => text === value && box?.focus() };
  return html`<form class="edit" onSubmit=${submit}>
    ${isLong ? html`<textarea rows="5" ...${field}></textarea>` : html`<input ...${field} />`}
    <span><button type="submit" class="primary">Save</button> <button type="button" onClick=${() => setText(null)}>Cancel</button></span>
  </form>`;
}

/** @param {{ tags: string[], mayWrite: boolean, act: (body: any) => Promise<boolean> }} props */
function EditTags({ tags, mayWrite, act }) {
  const [text, setText] = useState("");
  const add = async (event) => {
    event.preventDefault();
    const wanted = text.trim();
    if (wanted && (await act({ action: "tag", tags: [wanted] }))) setText("");
  };
  return html`${tags.map(
      (tag) => html`<span class="tag" key=${tag}>${tag}${mayWrite && html` <button type="button" class="cross" aria-label=${`Remove tag ${tag}`} onClick=${() => act({ action: "untag", tags: [tag] })}>×</button>`}</span>`,
    )}
    ${!tags.length && !mayWrite && html`<span class="quiet">none</span>`}
    ${mayWrite && html`<form class="edit inline" onSubmit=${add}><input aria-label="New tag" placeholder="add a tag" size="12" value=${text} onInput=${(event) => setText(event.target.value)} /></form>`}`;
}
