// Finding runs: the search, the filters that are set, and the window that makes one.
import { html, useEffect, useMemo, useRef, useState } from "../../core/dom.js";
import { useData } from "../../core/data.js";
import { Popover } from "../../parts/menu.js";
import { term } from "./words.js";

const OPERATORS = [
  ["=", "is"],
  ["!=", "is not"],
  ["<", "is less than"],
  ["<=", "is at most"],
  [">", "is more than"],
  [">=", "is at least"],
  ["~", "holds the text"],
  ["!~", "does not hold"],
];
const EXAMPLES = [
  ["baseline", "a text in a name, id, tag, group, project or note"],
  ["config.lr < 0.01", "a value of the configuration"],
  ["summary.val/loss <= 0.3", "a result"],
  ["status:failed,interrupted", "one of several"],
  ["tag:best -group:old", "with the tag, and not in the group"],
  ["duration > 2h", "seconds, or with s, min, h, d"],
  ["created > 2d", "begun in the last two days; or a date"],
  ["health < 50", "health from 0 to 100"],
  ["summary.acc:*", "there is a value at all"],
  ['name ~ "two words"', "blanks in quotes"],
];

/** The search box. It sets the address a moment after the last key. @param {{ value: string, set: (text: string) => void, error: string | null }} props */
export function Search({ value, set, error }) {
  const [text, setText] = useState(value);
  const sent = useRef(value);
  useEffect(() => {
    if (value !== sent.current) setText(value);
    sent.current = value;
  }, [value]);
  useEffect(() => {
    if (text === sent.current) return undefined;
    const timer = setTimeout(() => {
      sent.current = text;
      set(text);
    }, 220);
    return () => clearTimeout(timer);
  }, [text]);
  const now = (event) => {
    if (event.key !== "Enter") return;
    sent.current = text;
    set(text);
  };
  return html`<span class="searchbox">
    <input type="search" aria-label="Search runs" placeholder="Search, or config.lr < 0.01" value=${text} aria-invalid=${error ? "true" : undefined}
      aria-describedby=${error ? "runs-search-error" : undefined} spellcheck=${false} onInput=${(event) => setText(event.target.value)} onKeyDown=${now} />
    <${Popover} label="?" title="What can be searched for" css="ghost" align="right">
      <div class="help">
        <h3>What can be searched for</h3>
        <dl class="pairs">${EXAMPLES.map(([example, what]) => [
          html`<dt key=${example}><button type="button" class="link" onClick=${() => setText(`${text.trim()} ${example}`.trim())}><code>${example}</code></button></dt>`,
          html`<dd>${what}</dd>`,
        ])}</dl>
      </div>
    <//>
  </span>`;
}

/** Filters that are set, each with a button that takes it away. @param {{ filters: string[], set: (filters: string[]) => void }} props */
export function Chips({ filters, set }) {
  return filters.map(
    (filter, place) => html`<span class="chip calm filter" key=${filter}>
      <code>${filter}</code>
      <button type="button" aria-label=${`Remove the filter ${filter}`} onClick=${() => set(filters.filter((_, at) => at !== place))}>✕</button>
    </span>`,
  );
}

/** @param {{ params: Record<string, any>, add: (term: string) => void }} props */
export function AddFilter({ params, add }) {
  return html`<${Popover} label="Filter" title="Add a filter">
    ${(close) => html`<${FilterForm} params=${params} add=${(text) => (close(), add(text))} />`}
  <//>`;
}

function FilterForm({ params, add }) {
  const { value: known, error } = useData("/run-columns", { project: params.project, archived: params.archived });
  const [field, setField] = useState("");
  const [operator, setOperator] = useState("=");
  const [value, setValue] = useState("");
  const fields = useMemo(() => [...(known?.own ?? []), ...(known?.found ?? [])], [known]);
  const chosen = fields.find((one) => one.id === field);
  const submit = (event) => {
    event.preventDefault();
    if (field.trim() && value.trim()) add(term(field.trim(), operator, value.trim()));
  };
  return html`<form class="filterform" onSubmit=${submit}>
    <label>Field<input list="runs-fields" value=${field} onInput=${(event) => setField(event.target.value)} placeholder="config.lr" spellcheck=${false} required /></label>
    <datalist id="runs-fields">${fields.slice(0, 1000).map((one) => html`<option key=${one.id} value=${one.id} />`)}</datalist>
    <label>How<select value=${operator} onChange=${(event) => setOperator(event.target.value)}>${OPERATORS.map(([sign, word]) => html`<option key=${sign} value=${sign}>${word}</option>`)}</select></label>
    <label>Value<input list="runs-values" value=${value} onInput=${(event) => setValue(event.target.value)} placeholder=${chosen?.values?.[0] ?? "0.01"} spellcheck=${false} required /></label>
    <datalist id="runs-values">${(chosen?.values ?? []).map((one) => html`<option key=${one} value=${one} />`)}</datalist>
    ${error && html`<p class="bad">${error.message}</p>`}
    <div class="tools end"><button type="submit" class="primary">Add</button></div>
  </form>`;
}
