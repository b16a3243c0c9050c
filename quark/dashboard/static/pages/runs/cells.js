// What stands in the cells: of runs, and of groups of runs.
import { html } from "../../core/dom.js";
import { segment } from "../../core/api.js";
import { ago, duration, moment, number } from "../../core/format.js";
import { Link } from "../../core/router.js";
import { Health, Status } from "../../parts/chips.js";
import { Spark } from "../../parts/spark.js";
import { cellText, counted, term } from "./words.js";

const WIDTHS = { status: 112, project: 120, health: 80, created: 118, ended: 118, duration: 112, age: 112, tags: 170, group: 130, notes: 220, id: 130, archived: 90 };

/**
 * The table's columns.
 * @param {{
 *   heads: any[], spark: string, details: () => Map<string, any>, narrow: boolean, grouped: boolean,
 *   toggle: (path: string) => void, filter: (term: string) => void,
 * }} given
 * @returns {import("../../parts/table.js").Column[]}
 */
export function tableColumns({ heads, spark, details, narrow, grouped, toggle, filter }) {
  /** @type {import("../../parts/table.js").Column[]} */
  const found = [
    {
      id: "name",
      title: "Run",
      width: narrow ? 170 : grouped ? 330 : 260,
      hint: (row) => (row.sums ? `${row.field}: ${row.value}` : [row.name || row.id, row.notes].filter(Boolean).join("\n")),
      show: (row) => (row.sums ? html`<${GroupName} row=${row} toggle=${toggle} />` : html`<${RunName} row=${row} />`),
    },
  ];
  if (spark) {
    found.push({
      id: "spark",
      title: spark,
      tip: `${spark}, over its steps`,
      width: 132,
      sortable: false,
      show: (row) => {
        const known = details().get(row.id);
        if (row.sums) return "";
        if (!known) return html`<span class="coming"></span>`;
        return known.spark ? html`<${Spark} y=${known.spark.y} x=${known.spark.x} label=${spark} />` : html`<span class="quiet">–</span>`;
      },
    });
  }
  for (const head of heads) {
    found.push({
      id: head.id,
      title: head.title,
      tip: head.kind === "run" ? undefined : head.id,
      numeric: head.numeric,
      width: grouped && head.id === "status" ? 156 : (WIDTHS[head.id] ?? Math.max(head.numeric ? 108 : 132, Math.min(200, 34 + 8 * head.title.length))),
      hint: (row) => (row.sums ? undefined : hint(row, head)),
      show: (row) => (row.sums ? (head.id === "status" ? html`<${Statuses} statuses=${row.statuses} />` : html`<${Sum} sum=${row.sums[head.id]} head=${head} />`) : cell(row, head, details, filter)),
    });
  }
  return found;
}

function RunName({ row }) {
  return html`<span class="runname" style=${row.level ? { paddingLeft: `${row.level * 18}px` } : undefined}>
    <${Link} to=${`/runs/${segment(row.id)}`} tabindex="-1">${row.name.trim() || row.id}<//>
    ${row.archived && html`<span class="chip">archived</span>`}
  </span>`;
}

function GroupName({ row, toggle }) {
  return html`<span class="groupname" style=${{ paddingLeft: `${row.level * 18}px` }}>
    <button type="button" class="twist" tabindex="-1" aria-label=${row.open ? "Close the group" : "Open the group"} onClick=${() => toggle(row.group)}>${row.open ? "▾" : "▸"}</button>
    <span class="quiet">${row.field}</span> <strong>${row.value === null ? "none" : cellText(row.value)}</strong>
    <span class="quiet">${counted(row.count, "run")}</span>
  </span>`;
}

const TONES = { running: "good", completed: "calm", finished: "calm", interrupted: "warn", stopping: "warn", failed: "bad", crashed: "bad" };

/** How many runs of a group have which status. */
function Statuses({ statuses }) {
  const order = Object.keys(TONES);
  const place = (status) => (order.includes(status) ? order.indexOf(status) : order.length);
  return Object.entries(statuses)
    .sort(([a], [b]) => place(a) - place(b))
    .map(([status, runs]) => html`<span key=${status} class=${`chip small ${TONES[status] ?? ""}`} title=${`${runs} ${status}`}>${number(runs)}<span class="unseen"> ${status}</span></span>`);
}

/** How a number of a column is written. */
function shown(value, id, digits = 4) {
  if (id === "duration" || id === "age") return duration(value);
  if (id === "created" || id === "ended") return ago(new Date(value / 1000).toISOString());
  return number(value, digits);
}

function Sum({ sum, head }) {
  if (!sum) return html`<span class="quiet">–</span>`;
  if (sum.mean === undefined) return html`<span class="quiet">${sum.value !== null ? cellText(sum.value) : counted(sum.distinct, "value")}</span>`;
  if (head.id === "created" || head.id === "ended") return html`<span title="the latest">${shown(sum.max, head.id)}</span>`;
  const range = `mean of ${sum.n}; least ${shown(sum.min, head.id)}, most ${shown(sum.max, head.id)}`;
  return html`<span class="sum" title=${range}>${shown(sum.mean, head.id)}${sum.n > 1 && sum.max !== sum.min ? html`<small class="quiet range">${shown(sum.min, head.id, 2)} … ${shown(sum.max, head.id, 2)}</small>` : null}</span>`;
}

function seconds(row) {
  if (row.ended_us === null && row.over) return null;
  return Math.max(0, (row.ended_us ?? Date.now() * 1000) - row.created_us) / 1e6;
}

function cell(row, head, details, filter) {
  const known = details().get(row.id);
  switch (head.id) {
    case "status":
      return html`<${Status} status=${row.status} />`;
    case "health":
      return html`<${Health} score=${known?.health ?? row.health} />`;
    case "created":
      return ago(row.created_at);
    case "ended":
      return row.ended_us === null ? "–" : ago(new Date(row.ended_us / 1000).toISOString());
    case "duration":
      return duration(seconds(row));
    case "age":
      return duration(Date.now() / 1000 - row.created_us / 1e6);
    case "tags":
      return row.tags.map(
        (tag) => html`<button type="button" class="tag" tabindex="-1" key=${tag} title=${`Only runs with the tag ${tag}`} onClick=${() => filter(term("tag", ":", tag))}>${tag}</button>`,
      );
    case "archived":
      return row.archived ? "yes" : "no";
    case "id":
    case "project":
    case "group":
    case "job_type":
    case "notes":
    case "parent":
      return row[head.id] || html`<span class="quiet">–</span>`;
    default: {
      const live = known?.cells?.[head.id] ?? (row.live.includes(head.id) ? row.cells[head.id] : undefined);
      if (live !== undefined) return html`<em title="the last value so far; the run goes on">${cellText(live)}</em>`;
      return cellText(row.cells[head.id]);
    }
  }
}

function hint(row, head) {
  if (head.id === "created") return moment(row.created_at);
  if (head.id === "ended") return row.ended_us === null ? undefined : moment(new Date(row.ended_us / 1000).toISOString());
  if (head.id === "tags") return row.tags.join(", ") || undefined;
  const value = head.id in row.cells ? row.cells[head.id] : row[head.id];
  return typeof value === "string" || (typeof value === "number" && head.kind !== "run") ? String(value) : undefined;
}
