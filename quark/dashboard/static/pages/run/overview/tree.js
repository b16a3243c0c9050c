// Nested values as a tree that folds and can be searched.
import { html, useState } from "../../../core/dom.js";
import { get, segment } from "../../../core/api.js";
import { number } from "../../../core/format.js";

const MAX_CHILDREN = 300;

/**
 * @param {{ value: Record<string, any>, label: string, empty: string, load?: (name: string) => Promise<any> }} props
 *   `load` gets a value that was too long to be sent along
 */
export function Tree({ value, label, empty, load }) {
  const [search, setSearch] = useState("");
  const names = Object.keys(value);
  if (!names.length) return html`<p class="quiet">${empty}</p>`;
  const shown = names.filter((name) => holds(name, value[name], search.toLowerCase()));
  return html`${names.length > 6 && html`<input type="search" class="wide" placeholder=${`Search ${label}`} aria-label=${`Search ${label}`} value=${search} onInput=${(event) => setSearch(event.target.value)} />`}
    <div class="tree" role="group" aria-label=${label}>
      ${shown.slice(0, MAX_CHILDREN).map((name) => html`<${Node} key=${name} name=${name} value=${value[name]} search=${search.toLowerCase()} load=${load} />`)}
      ${shown.length > MAX_CHILDREN && html`<p class="quiet">and ${shown.length - MAX_CHILDREN} more; search for those that you mean</p>`}
      ${!shown.length && html`<p class="quiet">Nothing here has “${search}” in it.</p>`}
    </div>`;
}

/** Load whole values of a run. @param {string} runId @param {"config" | "summary"} part */
export function loader(runId, part) {
  return (name) => get(`/runs/${segment(runId)}/value`, { part, name }).then((answer) => answer.value);
}

/** @param {{ name: string, value: any, search: string, load?: (name: string) => Promise<any> }} props */
function Node({ name, value, search, load }) {
  const [loaded, setLoaded] = useState({ value: /** @type {any} */ (null), error: "" });
  const now = loaded.value ?? value;
  if (typeof now !== "object" || now === null) return html`<div class="leaf"><span class="name">${name}</span><span class=${`value ${typeof now}`}>${plain(now)}</span></div>`;
  if (now._shortened) {
    const show = () => load?.(name).then((whole) => setLoaded({ value: whole, error: "" }), (error) => setLoaded({ value: null, error: error.message }));
    return html`<div class="leaf"><span class="name">${name}</span><span class="value quiet">${now._shortened} ${load && html`<button type="button" class="tight" onClick=${show}>show</button>`} ${loaded.error}</span></div>`;
  }
  const inside = Object.entries(now);
  if (!inside.length) return html`<div class="leaf"><span class="name">${name}</span><span class="value quiet">${Array.isArray(now) ? "[]" : "{}"}</span></div>`;
  if (inside.length <= 12 && inside.every(([, one]) => typeof one === "number")) {
    const text = Array.isArray(now) ? `[${inside.map(([, one]) => number(one)).join(", ")}]` : inside.map(([key, one]) => `${key} ${number(one)}`).join(", ");
    if (Array.isArray(now) || inside.length <= 3) return html`<div class="leaf"><span class="name">${name}</span><span class="value number">${text}</span></div>`;
  }
  const own = name.toLowerCase().includes(search) ? "" : search;
  const fitting = inside.filter(([key, one]) => holds(key, one, own));
  return html`<details class="branch" open=${search !== "" || (inside.length <= 20 && loaded.value === null)}>
    <summary><span class="name">${name}</span> <span class="quiet">${inside.length}</span></summary>
    <div class="inside">${fitting.slice(0, MAX_CHILDREN).map(([key, one]) => html`<${Node} key=${key} name=${key} value=${one} search=${own} />`)}
      ${fitting.length > MAX_CHILDREN && html`<p class="quiet">and ${fitting.length - MAX_CHILDREN} more</p>`}</div>
  </details>`;
}

/** @param {string} name @param {any} value @param {string} search */
function holds(name, value, search) {
  if (!search || name.toLowerCase().includes(search)) return true;
  if (typeof value === "object" && value !== null) return Object.entries(value).some(([key, one]) => holds(key, one, search));
  return plain(value).toLowerCase().includes(search);
}

/** @param {any} value */
function plain(value) {
  if (value === null) return "null";
  return typeof value === "number" ? number(value, 8) : String(value);
}
