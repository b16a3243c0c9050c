// What the comparison engine says of runs against a reference: metrics, targets, alerts, phases,
// layers. Nothing is analysed for it: alerts and phases are those that are there.
import { html, classes, useMemo, useState } from "../../core/dom.js";
import { segment } from "../../core/api.js";
import { useData } from "../../core/data.js";
import { number } from "../../core/format.js";
import { Link, useQuery } from "../../core/router.js";
import { Severity } from "../../parts/chips.js";
import { RunTitle, signed } from "../../parts/diff.js";
import { Empty, Failure, Loading, When } from "../../parts/states.js";
import { Table, sorted } from "../../parts/table.js";
import { fits } from "../run/charts/axis.js";

const OTHERS = 8;
const NUMBERS = [
  ["last", "last value"],
  ["best", "best value"],
  ["mean", "mean"],
];

/** @param {{ runs: import("../compare.js").ComparedRun[], data: any, reference: string }} props */
export function Differences({ runs, data, reference }) {
  const [targets, setTargets] = useQuery("target", /** @type {string[]} */ ([]));
  const others = runs.filter((run) => !run.hidden && run.id !== reference);
  const asked = others.slice(0, OTHERS);
  const found = useData(asked.length ? "/compare/differences" : null, { reference, run: asked.map((run) => run.id), target: targets });
  if (runs.length < 2) return html`<${Empty} title="One run alone has no differences.">Add another run above.<//>`;
  if (!asked.length) return html`<${Empty} title="All other runs are hidden.">Press the colour of a run to see it here.<//>`;
  const columns = [...runs.filter((run) => run.id === reference), ...asked];
  return html`<div><p class="quiet">
      Compared with <strong>${columns[0].name}</strong> ★. ${others.length > OTHERS ? `The first ${OTHERS} of ${others.length} runs; hide some to see others.` : ""}
    </p>
    <${Targets} metrics=${data.metrics} targets=${targets} setTargets=${setTargets} />
    ${found.error
      ? html`<${Failure} error=${found.error} retry=${targets.length ? () => setTargets([]) : found.reload} />`
      : found.value && found.value.runs.join() !== columns.map((run) => run.id).join()
        ? html`<${Loading} what="Comparing" />`
        : html`<${When} data=${found} what="Comparing">
            ${(value) => html`<div>
              ${value.targets.length > 0 && html`<${TargetRows} rows=${value.targets} runs=${columns} remove=${(row) => setTargets(targets.filter((_, place) => place !== row))} />`}
              <${Metrics} rows=${value.metrics} runs=${columns} />
              <${Alerts} rows=${value.alerts} runs=${columns} />
              <${Phases} rows=${value.phases} runs=${columns} />
              <${Layers} rows=${value.layers} runs=${columns} />
            </div>`}
          <//>`}</div>`;
}

// -- targets ---------------------------------------------------------------------------------------

function Targets({ metrics, targets, setTargets }) {
  const [key, setKey] = useState("");
  const [sign, setSign] = useState("<=");
  const [value, setValue] = useState("");
  const number = Number(value);
  const ready = key !== "" && value.trim() !== "" && Number.isFinite(number);
  const submit = (event) => {
    event.preventDefault();
    const text = `${key}${sign}${number}`;
    if (ready && !targets.includes(text)) setTargets([...targets.filter((one) => !one.startsWith(`${key}<=`) && !one.startsWith(`${key}>=`)), text]);
    setValue("");
  };
  return html`<form class="tools" onSubmit=${submit} aria-label="Time to a target">
    <span>Time to target:</span>
    <input list="target-metrics" aria-label="Metric" placeholder="val/loss" value=${key} onInput=${(event) => setKey(event.currentTarget.value)} />
    <datalist id="target-metrics">${metrics.map((one) => html`<option key=${one.key} value=${one.key}></option>`)}</datalist>
    <select aria-label="At most or at least" value=${sign} onChange=${(event) => setSign(event.currentTarget.value)}>
      <option value="<=">≤</option><option value=">=">≥</option>
    </select>
    <input class="short" inputmode="decimal" aria-label="Value" placeholder="0.3" value=${value} onInput=${(event) => setValue(event.currentTarget.value)} />
    <button type="submit" disabled=${!ready}>Find the steps</button>
  </form>`;
}

function TargetRows({ rows, runs, remove }) {
  return html`<section class="section" aria-label="Time to target"><h2>Time to target</h2>
    <${Wide}><table class="table">
      <thead><tr><th scope="col">Target</th>${runs.map((run, place) => html`<th key=${run.id} scope="col" class="numeric"><${RunTitle} run=${run} starred=${place === 0} /></th>`)}<td></td></tr></thead>
      <tbody>${rows.map(
        (row, place) => html`<tr key=${row.key}>
          <th scope="row" class="mono">${row.key} ${row.direction === "at_most" ? "≤" : "≥"} ${number(row.value)}</th>
          ${row.steps.map((step, at) => html`<td key=${at} class="numeric">${step === null ? html`<span class="quiet">never</span>` : `step ${number(step)}`} <${By} text=${steps(row.by[at])} tone=${tone(row.by[at])} /></td>`)}
          <td><button type="button" class="ghost tight" aria-label=${`Forget the target of ${row.key}`} onClick=${() => remove(place)}>✕</button></td>
        </tr>`,
      )}</tbody>
    </table><//></section>`;
}

const steps = (by) => (by === null || by === undefined ? "" : by === 0 ? "same" : by < 0 ? `${number(-by)} earlier` : `${number(by)} later`);
const tone = (by) => (!by ? "" : by < 0 ? "better" : "worse");

// -- metrics ---------------------------------------------------------------------------------------

function Metrics({ rows, runs }) {
  const [what, setWhat] = useQuery("number", "last");
  const [search, setSearch] = useQuery("q", "");
  const [order, setOrder] = useState(/** @type {{ id: string, descending: boolean } | null} */ (null));
  const [judged, setJudged] = useState(false);
  const shown = useMemo(() => {
    const fitting = rows.filter((row) => (!search || fits(row.key, search)) && (!judged || row.direction));
    if (!order) return fitting;
    if (order.id === "key") return sorted(fitting, (row) => row.key, order.descending);
    const place = runs.findIndex((run) => run.id === order.id);
    const size = (row) => {
      const cell = row.cells[place];
      const by = cell?.[`${what}_by`];
      return place === 0 ? cell?.[what] : by ? Math.abs(by[1] ?? Number.MAX_VALUE) : undefined;
    };
    return sorted(fitting, size, order.descending);
  }, [rows, search, judged, order, what, runs.map((run) => run.id).join()]);
  const columns = [
    { id: "key", title: "Metric", width: 200, show: (row) => html`<span class="mono">${row.key}</span> <${Direction} direction=${row.direction} />`, hint: (row) => row.key },
    ...runs.map((run, place) => ({
      id: run.id,
      title: html`<${RunTitle} run=${run} starred=${place === 0} />`,
      tip: place === 0 ? `${run.name}; sorts by its value` : `${run.name}; sorts by how much it differs`,
      width: Math.max(place === 0 ? 150 : 190, Math.min(240, 62 + 9 * run.name.length)),
      numeric: true,
      show: (row) => html`<${Cell} cell=${row.cells[place]} what=${what} direction=${row.direction} />`,
      hint: (row) => told(row.cells[place]),
    })),
  ];
  return html`<section class="section" aria-label="Metrics"><h2>Metrics <span class="quiet">${shown.length} of ${rows.length}</span></h2>
    ${rows.length === 0
      ? html`<${Empty} title="None of them has logged a metric.">Log some: <code>run.log({"loss": loss})</code>.<//>`
      : html`<div class="tools">
            <input type="search" aria-label="Search for metrics" placeholder="Search metrics" value=${search} onInput=${(event) => setSearch(event.currentTarget.value)} />
            <label>Compare the <select value=${what} onChange=${(event) => setWhat(event.currentTarget.value)}>${NUMBERS.map(([id, title]) => html`<option key=${id} value=${id}>${title}</option>`)}</select></label>
            <label><input type="checkbox" checked=${judged} onChange=${() => setJudged(!judged)} /> only where better is known</label>
          </div>
          <${Table} label="Differences of metrics" columns=${columns} rows=${shown} idOf=${(row) => row.key} sort=${order} onSort=${(id, descending) => setOrder({ id, descending })} height="56vh" />`}
  </section>`;
}

function Direction({ direction }) {
  if (!direction) return null;
  const least = direction === "at_least";
  return html`<span class="quiet" role="img" aria-label=${least ? "more is better" : "less is better"} title=${least ? "more is better" : "less is better"}>${least ? "↑" : "↓"}</span>`;
}

function Cell({ cell, what, direction }) {
  if (!cell) return html`<span class="quiet">–</span>`;
  const better = what === "best" ? cell.better_at_best : what === "last" ? cell.better : meanBetter(cell, direction);
  const tone = better === "primary" ? "better" : better === "reference" ? "worse" : "";
  return html`${number(cell[what])} <${By} text=${signed(cell[`${what}_by`])} tone=${tone} />`;
}

function meanBetter(cell, direction) {
  const by = cell.mean_by?.[0];
  if (!by || typeof by !== "number" || !direction) return null;
  return by > 0 === (direction === "at_least") ? "primary" : "reference";
}

function told(cell) {
  if (!cell) return "this run has not logged it";
  const parts = [`last ${number(cell.last)} at step ${cell.last_step ?? "–"}`];
  if (cell.best !== null) parts.push(`best ${number(cell.best)} at step ${cell.best_step ?? "–"}`);
  parts.push(`mean ${number(cell.mean)}`, `${number(cell.min)} to ${number(cell.max)}`, `${number(cell.count)} points`);
  if (cell.nonfinite) parts.push(`${cell.nonfinite} NaN or infinite`);
  return parts.join(" · ");
}

/** A difference, and whether it is a good one: a word is not misread as an arrow is, nor needs colours. */
function By({ text, tone }) {
  if (!text) return null;
  const word = { better: "better", worse: "worse" }[tone];
  return html`<span class=${classes("by", tone)} title=${word}>${text}${word ? ` ${word}` : ""}</span>`;
}

// -- alerts, phases, layers ------------------------------------------------------------------------

function Alerts({ rows, runs }) {
  return html`<section class="section" aria-label="Alerts"><h2>Alerts <span class="quiet">${rows.length}</span></h2>
    ${rows.length === 0
      ? html`<p class="quiet">None of them has an alert. Runs are judged when they end, or under their Diagnosis.</p>`
      : html`<${Wide}><table class="table">
          <thead><tr><th scope="col">What</th>${runs.map((run, place) => html`<th key=${run.id} scope="col"><${RunTitle} run=${run} starred=${place === 0} /></th>`)}</tr></thead>
          <tbody>${rows.map(
            (row) => html`<tr key=${`${row.rule_id} ${row.subject}`}>
              <th scope="row">${row.title}${row.subject ? html` <span class="quiet mono">${row.subject}</span>` : ""}</th>
              ${row.cells.map((severity, place) => html`<td key=${place}>${severity ? html`<${Link} to=${`/runs/${segment(runs[place].id)}/diagnosis`}><${Severity} severity=${severity} /><//>` : html`<span class="quiet">–</span>`}</td>`)}
            </tr>`,
          )}</tbody></table><//>`}
  </section>`;
}

function Phases({ rows, runs }) {
  return html`<section class="section" aria-label="Phases"><h2>Phases</h2>
    ${rows.length === 0
      ? html`<p class="quiet">None of them has been cut into phases; that is done when a run ends.</p>`
      : html`<${Wide}><table class="table">
          <thead><tr><th scope="col">Phase</th>${runs.map((run, place) => html`<th key=${run.id} scope="col"><${RunTitle} run=${run} starred=${place === 0} /></th>`)}</tr></thead>
          <tbody>${rows.map(
            (row) => html`<tr key=${row.title}><th scope="row">${row.title}</th>
              ${row.cells.map((cell, place) => html`<td key=${place}>${cell ? html`<${Share} cell=${cell} />` : html`<span class="quiet">–</span>`}</td>`)}
            </tr>`,
          )}</tbody></table><//>`}
  </section>`;
}

function Share({ cell }) {
  const ratio = cell.ratio ?? 0;
  return html`<span class="share"><svg width="72" height="8" aria-hidden="true"><rect width="72" height="8" rx="2" class="share-all" /><rect width=${72 * ratio} height="8" rx="2" class="share-part" /></svg>
    ${Math.round(ratio * 100)} % <span class="quiet">${number(cell.steps)} steps</span></span>`;
}

const OF_LAYERS = [
  ["norm", "norm"],
  ["std", "standard deviation"],
  ["dead_unit_ratio", "dead units"],
];

function Layers({ rows, runs }) {
  const [what, setWhat] = useState("norm");
  const columns = [
    { id: "name", title: "Layer", width: 240, show: (row) => html`<span class="mono">${row.name}</span> <span class="quiet">${row.what}</span>`, hint: (row) => `${row.name} (${row.type}), ${row.what}` },
    ...runs.map((run, place) => ({
      id: run.id,
      title: html`<${RunTitle} run=${run} starred=${place === 0} />`,
      width: 160,
      numeric: true,
      show: (row) => {
        const cell = row.cells[place];
        return cell ? html`${number(cell[what])} <${By} text=${signed(cell[`${what}_by`])} tone="" />` : html`<span class="quiet">–</span>`;
      },
    })),
  ];
  return html`<section class="section" aria-label="Layers"><h2>Layers <span class="quiet">${rows.length}</span></h2>
    ${rows.length === 0
      ? html`<p class="quiet">None of them has watched its layers. Watch them: <code>wandb.watch(model)</code>.</p>`
      : html`<div class="tools"><label>Means of the <select value=${what} onChange=${(event) => setWhat(event.currentTarget.value)}>${OF_LAYERS.map(([id, title]) => html`<option key=${id} value=${id}>${title}</option>`)}</select></label></div>
          <${Table} label="Differences of layers" columns=${columns} rows=${rows} idOf=${(row) => `${row.name} ${row.what}`} height="50vh" />`}
  </section>`;
}

/** What may be wider than the window, reachable by the keys. */
function Wide({ children }) {
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Scrolls sideways">${children}</div>`;
}
