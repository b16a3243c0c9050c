// How the runs were set up and where they ended, key by key: what differs comes first.
import { html, useMemo } from "../../core/dom.js";
import { useQuery } from "../../core/router.js";
import { DiffTable } from "../../parts/diff.js";
import { Empty } from "../../parts/states.js";
import { fits } from "../run/charts/axis.js";

/** @param {{ runs: import("../compare.js").ComparedRun[], data: any, reference: string }} props */
export function Setups({ runs, data, reference }) {
  const [search, setSearch] = useQuery("q", "");
  const [only, setOnly] = useQuery("only", "");
  const places = useMemo(() => data.runs.map((run, place) => (runs.some((one) => one.id === run.id) ? place : -1)).filter((place) => place >= 0), [data, runs]);
  // What a program keeps for itself, such as _runtime, is found by a search alone.
  const choose = (rows) => rows.filter((row) => (search ? fits(row.key, search) : !row.key.startsWith("_")) && (!only || row.differs));
  const order = (rows) => [...rows.filter((row) => row.differs), ...rows.filter((row) => !row.differs)];
  const part = (title, rows, empty) => {
    const shown = order(choose(rows));
    const counted = search ? rows : rows.filter((row) => !row.key.startsWith("_"));
    const differing = counted.filter((row) => row.differs).length;
    return html`<section class="section" aria-label=${title}>
      <h2>${title} <span class="quiet">${differing} of ${counted.length} differ</span></h2>
      ${counted.length === 0
        ? html`<${Empty} title=${empty.title}>${empty.more}<//>`
        : shown.length === 0
          ? html`<p class="quiet">${only && !differing ? "They are the same in all of it." : "Nothing fits."}</p>`
          : html`<${DiffTable} label=${title} rows=${shown} runs=${runs} places=${places} reference=${reference} />`}
    </section>`;
  };
  return html`<div><div class="tools">
      <input type="search" aria-label="Search for keys" placeholder="Search keys" value=${search} onInput=${(event) => setSearch(event.currentTarget.value)} />
      <label><input type="checkbox" checked=${only !== ""} onChange=${() => setOnly(only ? "" : "differing")} /> only what differs</label>
    </div>
    ${part("Config", data.config, { title: "No configuration.", more: html`Keep one: <code>wandb.init(config={"lr": 0.01})</code>.` })}
    ${part("Summary", data.summary, { title: "No summary yet.", more: "It fills as the runs log, and with their last values." })}</div>`;
}
