// Rows of what several runs have, a column each: what is not as the reference has it stands out.
import { html, classes, useMemo } from "../core/dom.js";
import { number } from "../core/format.js";
import { seriesColor, useTheme } from "../core/theme.js";
import { Table } from "./table.js";

/**
 * @typedef {object} DiffRow
 * @property {string} key
 * @property {([any] | null)[]} values  one for each run, in a list of one; null where a run has none
 * @property {boolean} differs
 */

/**
 * @param {{ label: string, rows: DiffRow[], runs: { id: string, name: string, color: number }[], reference: string, height?: string,
 *   places?: number[] }} props  `places`: which of the values belong to `runs`; all of them if left out
 */
export function DiffTable({ label, rows, runs, reference, height = "60vh", places }) {
  useTheme();
  const at = places ?? runs.map((_, index) => index);
  const base = runs.findIndex((run) => run.id === reference);
  const columns = useMemo(
    () => [
      { id: "key", title: "Key", width: 210, show: (row) => html`<span class="mono">${row.key}</span>`, hint: (row) => row.key },
      ...runs.map((run, index) => ({
        id: run.id,
        title: html`<${RunTitle} run=${run} starred=${run.id === reference} />`,
        tip: `${run.name} · ${run.id}`,
        width: Math.max(120, Math.min(240, 62 + 9 * run.name.length)),
        show: (row) => html`<${Value} value=${row.values[at[index]]} other=${index !== base && base >= 0 && !same(row.values[at[index]], row.values[at[base]])} />`,
        hint: (row) => said(row.values[at[index]]),
      })),
    ],
    [runs, reference, at.join()],
  );
  return html`<${Table} label=${label} columns=${columns} rows=${rows} idOf=${(row) => row.key} height=${height} />`;
}

/** The head of a run's column: its colour and its name. @param {{ run: any, starred?: boolean }} props */
export function RunTitle({ run, starred = false }) {
  return html`<span class="run-title"><svg width="10" height="10" aria-hidden="true"><rect width="10" height="10" rx="2" fill=${seriesColor(run.color)} /></svg> <span class="title">${starred ? "★ " : ""}${run.name}</span></span>`;
}

function Value({ value, other }) {
  if (!value) return html`<span class=${classes("quiet", other && "other")} title="this run has none">–</span>`;
  return html`<span class=${classes(other && "other")}>${said(value)}</span>`;
}

/** @param {[any] | null} value */
function said(value) {
  if (!value) return "";
  return typeof value[0] === "number" ? number(value[0], 6) : String(value[0]);
}

/** @param {[any] | null} one @param {[any] | null} other */
function same(one, other) {
  return one === other || (one !== null && other !== null && one[0] === other[0]);
}

/**
 * A difference as people read it: with its sign, and relative where that says more.
 * @param {[any, any] | null | undefined} by  absolute and relative
 */
export function signed(by) {
  if (!by) return "";
  const [absolute, relative] = by;
  if (absolute === 0) return "same";
  const sign = typeof absolute === "number" && absolute > 0 ? "+" : "";
  if (typeof relative === "number" && Math.abs(relative) < 10) {
    const percent = relative * 100;
    return `${relative > 0 ? "+" : percent < 0 ? "−" : ""}${Math.abs(percent).toPrecision(3)} %`;
  }
  return sign + number(absolute, 3);
}
