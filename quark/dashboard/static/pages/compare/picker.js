// Choosing runs by searching for them: a field, and what it finds below.
import { html, useEffect, useRef, useState } from "../../core/dom.js";
import { useData } from "../../core/data.js";
import { ago } from "../../core/format.js";
import { Status } from "../../parts/chips.js";

const FOUND = 40;

/** @param {{ chosen: string[], add: (ids: string[]) => void, remove: (ids: string[]) => void, spread?: boolean }} props  `spread`: always open, part of the page */
export function RunPicker({ chosen, add, remove, spread = false }) {
  const [text, setText] = useState("");
  const [asked, ask] = useState("");
  const [opened, setOpen] = useState(false);
  const open = opened || spread;
  const [active, setActive] = useState(-1);
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    const timer = setTimeout(() => ask(text.trim()), 150);
    return () => clearTimeout(timer);
  }, [text]);
  useEffect(() => {
    const outside = (event) => place.current?.contains(event.target) || setOpen(false);
    addEventListener("pointerdown", outside);
    return () => removeEventListener("pointerdown", outside);
  }, []);
  const data = useData(open ? "/runs" : null, { q: asked, limit: FOUND });
  const rows = data.value?.rows ?? [];
  const total = data.value?.total ?? 0;
  const isChosen = (row) => chosen.includes(row.id);
  const toggle = (row) => (isChosen(row) ? remove([row.id]) : add([row.id]));
  const press = (event) => {
    if (event.key === "Escape" && open) {
      event.preventDefault();
      setOpen(false);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      setOpen(true);
      setActive((before) => Math.max(0, Math.min(rows.length - 1, before + (event.key === "ArrowDown" ? 1 : -1))));
    } else if (event.key === "Enter" && rows[active]) {
      event.preventDefault();
      toggle(rows[active]);
    }
  };
  const fresh = rows.filter((row) => !isChosen(row));
  return html`<div class=${spread ? "picker spread" : "picker"} ref=${place} onKeyDown=${press}>
    <input type="search" role="combobox" aria-label="Search for runs to compare" aria-expanded=${String(open)} aria-controls="picker-found" aria-autocomplete="list"
      aria-activedescendant=${open && rows[active] ? `picker-${active}` : undefined} placeholder="Add runs: name, id, tag…" value=${text}
      onInput=${(event) => {
        setText(event.currentTarget.value);
        setActive(-1);
        setOpen(true);
      }}
      onFocus=${() => setOpen(true)} />
    ${open &&
    html`<div class="picker-found">
      ${data.error && html`<p class="bad" role="alert">${data.error.message}</p>`}
      ${data.value && rows.length === 0 && html`<p class="quiet">No run fits.</p>`}
      <ul id="picker-found" role="listbox" aria-label="Runs that fit" aria-multiselectable="true">
        ${rows.map(
          (row, index) => html`<li key=${row.id} id=${`picker-${index}`} role="option" aria-selected=${String(isChosen(row))} class=${index === active ? "active" : ""} onClick=${() => toggle(row)}>
            <span class="tick" aria-hidden="true">${isChosen(row) ? "✓" : ""}</span>
            <span class="picker-name">${row.name || row.id}</span>
            <span class="quiet">${row.project} · ${ago(row.created_at)}</span>
            <${Status} status=${row.status} />
          </li>`,
        )}
      </ul>
      <div class="tools picker-tools">
        <span class="quiet">${total > rows.length ? `${rows.length} of ${total}; search on to find others` : ""}</span>
        <span class="grow"></span>
        ${fresh.length > 1 && html`<button type="button" onClick=${() => add(fresh.map((row) => row.id))}>Add these ${fresh.length}</button>`}
        ${!spread && html`<button type="button" onClick=${() => setOpen(false)}>Done</button>`}
      </div>
    </div>`}
  </div>`;
}
