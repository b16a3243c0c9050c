// The runs, as a table: searched, filtered, sorted and grouped by the server, scrolled here. What is
// shown is in the address; which runs are selected is kept until the window is closed.
import { html, useCallback, useEffect, useMemo, useRef, useState } from "../core/dom.js";
import { address, get, segment } from "../core/api.js";
import { useData } from "../core/data.js";
import { number } from "../core/format.js";
import { go, useLocation, useQuery } from "../core/router.js";
import { Menu } from "../parts/menu.js";
import { Empty, Failure, Loading } from "../parts/states.js";
import { Table } from "../parts/table.js";
import { tableColumns } from "./runs/cells.js";
import { ChooseColumns, ChooseGroups } from "./runs/choosing.js";
import { useDetails } from "./runs/details.js";
import { AddFilter, Chips, Search } from "./runs/filters.js";
import { useLines } from "./runs/lines.js";
import { Selection } from "./runs/selection.js";
import { counted, term } from "./runs/words.js";

const NONE = /** @type {string[]} */ ([]);

/** Which runs are selected, for who comes back to the table. */
const kept = { project: "", picked: /** @type {Set<string>} */ (new Set()), seen: /** @type {Map<string, any>} */ (new Map()) };

/** @param {{ me: any }} props */
export default function Runs({ me }) {
  const [project, setProject] = useQuery("project", "", { back: true });
  const [search, setSearch] = useQuery("q", "");
  const [filters, setFilters] = useQuery("f", NONE, { back: true });
  const [archived, setArchived] = useQuery("archived", "hide", { back: true });
  const [sort, setSort] = useQuery("sort", "-created", { back: true });
  const [groups, setGroups] = useQuery("group", NONE, { back: true });
  const [opened, setOpened] = useQuery("open", NONE);
  const [chosen, setChosen] = useQuery("column", NONE);
  const [sparkChosen, setSpark] = useQuery("spark", "");
  const which = { project, q: search, f: filters, archived, sort, group: groups };
  const params = { ...which, open: groups.length ? opened : NONE, column: chosen };
  const lines = useLines(params);
  const { head, rowAt } = lines;
  const [sight, setSight] = useState([0, 40]);
  const narrow = useNarrow();

  const show = useCallback((first, last) => {
    lines.show(first, last);
    setSight((before) => (before[0] === first && before[1] === last ? before : [first, last]));
  }, []);
  const spark = sparkChosen === "none" ? "" : sparkChosen || (head?.metrics[0] ?? "");
  const inSight = [];
  for (let index = sight[0]; index < sight[1]; index += 1) {
    const row = rowAt(index);
    if (row && !row.sums) inSight.push(row);
  }
  const { known: details, turn } = useDetails(inSight, spark, head?.columns.map((column) => column.id) ?? NONE, head?.revision);
  const selection = useSelection(lines, which, groups.length > 0);

  const toggle = (path) => setOpened(opened.includes(path) ? opened.filter((one) => one !== path) : [...opened, path]);
  const addFilter = (text) => filters.includes(text) || setFilters([...filters, text]);
  const latest = useRef(details);
  latest.current = details;
  const columns = useMemo(
    () => (head ? tableColumns({ heads: head.columns, spark, details: () => latest.current, narrow, grouped: groups.length > 0, toggle, filter: addFilter }) : []),
    [head, spark, narrow, groups.length, opened.join("\n"), filters.join("\n")],
  );
  const clearFilters = () => go(`/runs${project ? `?project=${segment(project)}` : ""}`, { replace: true });
  const isFiltered = Boolean(search || filters.length);

  if (!head) return lines.error && !isFiltered ? html`<${Failure} error=${lines.error} retry=${lines.reload} />` : html`<div class="page runs">${lines.error ? html`<${Failure} error=${lines.error} retry=${clearFilters} />` : html`<${Loading} what="Loading the runs" />`}</div>`;
  const nothing = head.all === 0 && !head.archived && !isFiltered;
  return html`<div class="page runs">
    <div class="tools runshead">
      <h1>Runs</h1>
      <${Projects} project=${project} set=${setProject} />
      <span class="quiet" role="status">${count(head, isFiltered)}</span>
      <${Statuses} statuses=${head.statuses} add=${addFilter} />
      <span class="grow"></span>
    </div>
    <div class="tools">
      <${Search} value=${search} set=${setSearch} error=${lines.error?.message ?? null} />
      <${AddFilter} params=${params} add=${addFilter} />
      <${ChooseGroups} params=${params} groups=${groups} set=${(next) => setGroups(next)} />
      <${ChooseColumns} params=${params} heads=${head.columns} set=${setChosen} isDefault=${!chosen.length} metrics=${head.metrics} spark=${spark} setSpark=${(key) => setSpark(key === head.metrics[0] ? "" : key)} />
      ${(head.archived > 0 || archived !== "hide") &&
      html`<select aria-label="Archived runs" value=${archived} onChange=${(event) => setArchived(event.target.value)}>
        <option value="hide">${number(head.archived)} archived hidden</option>
        <option value="show">Archived shown</option>
        <option value="only">Only archived</option>
      </select>`}
      <${Menu} label="Download" align="right" items=${[
        { label: "CSV of these columns", act: () => download({ ...which, column: chosen }) },
        { label: "CSV of every column", act: () => download({ ...which, every: 1 }) },
      ]} />
      <${Chips} filters=${filters} set=${setFilters} />
    </div>
    ${lines.error && html`<p class="bad" role="alert" id="runs-search-error">${lines.error.message}</p>`}
    ${head.pending > 0 && html`<p class="quiet" role="status"><span class="spinner small" aria-hidden="true"></span> Looking at ${counted(head.pending, "more run")}…</p>`}
    ${head.left_out > 0 && html`<p class="quiet">${counted(head.left_out, "run")} ${head.left_out === 1 ? "has" : "have"} more values than this table holds; the run's own page has all of them.</p>`}
    <${Selection} picked=${selection.picked} rows=${selection.rows} me=${me} clear=${selection.clear} done=${lines.reload} />
    ${nothing
      ? html`<${Empty} title=${project ? `No runs in ${project} yet.` : "No runs yet."}>Train something, and it appears here: <code>import quark.compat.wandb as wandb; run = wandb.init()</code>.<//>`
      : !head.total
        ? html`<${Empty} title=${head.all ? "No run is like this." : archived === "only" ? "No run is archived." : "All runs are archived."}>
            ${isFiltered && html`<button type="button" onClick=${clearFilters}>Show all ${number(head.all)} runs</button>`}
            ${!head.all && archived === "hide" && html`<button type="button" onClick=${() => setArchived("show")}>Show ${counted(head.archived, "archived run")}</button>`}
            ${!head.all && archived === "only" && html`<button type="button" onClick=${() => setArchived("hide")}>Show the others</button>`}
          <//>`
        : html`<div class=${lines.busy ? "tableplace stale" : "tableplace"} aria-busy=${String(lines.busy)}>
            <${Table} label="Runs" columns=${columns} count=${head.total} rowAt=${rowAt} onRange=${show} fresh=${turn} top=${JSON.stringify({ ...which, chosen: 0 })}
              idOf=${(row) => (row.sums ? `g${row.group}` : row.id)} sort=${sort === "-created" && !chosenSort(head, "created") ? null : head.sort}
              onSort=${(id, descending) => setSort(`${descending ? "-" : ""}${id}`)}
              onOpen=${(row) => (row.sums ? toggle(row.group) : go(`/runs/${segment(row.id)}`))}
              isPicked=${selection.has} onPick=${selection.pick} allPicked=${selection.all} onPickAll=${selection.pickAll}
              classOf=${(row) => (row.sums ? "grouprow" : row.archived ? "archivedrow" : null)} expandedOf=${groups.length ? (row) => (row.sums ? row.open : undefined) : undefined} />
          </div>`}
    ${head.total > 0 && html`<p class="quiet keys"><kbd>↑</kbd> <kbd>↓</kbd> move, <kbd>Enter</kbd> opens, <kbd>Space</kbd> selects, <kbd>Shift</kbd> selects up to there, <kbd>/</kbd> searches.</p>`}
  </div>`;
}

function chosenSort(head, id) {
  return head.columns.some((column) => column.id === id);
}

function count(head, isFiltered) {
  if (!isFiltered) return counted(head.all, "run");
  return `${number(head.runs)} of ${counted(head.all, "run")}`;
}

function Projects({ project, set }) {
  const { value } = useData("/projects", {}, { everySeconds: 30 });
  const names = value?.projects ?? [];
  if (!project && names.length < 2) return null;
  const all = project && !names.includes(project) ? [project, ...names] : names;
  return html`<select aria-label="Project" class="projects" value=${project} onChange=${(event) => set(event.target.value)}>
    <option value="">All projects</option>
    ${all.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
  </select>`;
}

/** How many runs have which status; each is a filter. */
function Statuses({ statuses, add }) {
  const tones = { running: "good", failed: "bad", crashed: "bad", interrupted: "warn" };
  return Object.keys(tones)
    .filter((status) => statuses[status])
    .map((status) => [status, statuses[status]])
    .map(
      ([status, runs]) => html`<button type="button" key=${status} class=${`chip ${tones[status]}`} title=${`Only runs that are ${status}`} onClick=${() => add(term("status", ":", status))}>${number(runs)} ${status}</button>`,
    );
}

function download(params) {
  const link = document.createElement("a");
  link.href = address("/runs.csv", params);
  link.download = "runs.csv";
  link.click();
}

function useNarrow() {
  const query = useMemo(() => matchMedia("(max-width: 700px)"), []);
  const [narrow, setNarrow] = useState(query.matches);
  useEffect(() => {
    const look = () => setNarrow(query.matches);
    query.addEventListener("change", look);
    return () => query.removeEventListener("change", look);
  }, []);
  return narrow;
}

/** Which runs are selected. Those that are out of sight are asked of the server. */
function useSelection(lines, which, isGrouped) {
  const [picked, setPicked] = useState(kept.project === which.project ? kept.picked : /** @type {Set<string>} */ (new Set()));
  const [anchor, setAnchor] = useState(-1);
  const seen = useRef(kept.seen);
  Object.assign(kept, { project: which.project, picked });
  const { head, rowAt } = lines;
  for (const row of lines.loaded) if (!row.sums && picked.has(row.id)) seen.current.set(row.id, row);
  const asked = JSON.stringify(which);
  useEffect(() => setAnchor(-1), [asked]);
  const project = useRef(which.project);
  useEffect(() => {
    if (project.current !== which.project) setPicked(new Set());
    project.current = which.project;
  }, [which.project]);
  const ids = async (within) => (await get("/run-ids", within ? { ...which, within } : which)).run_ids;
  const change = (some, add) =>
    setPicked((before) => {
      const after = new Set(before);
      for (const id of some) add ? after.add(id) : after.delete(id);
      return after;
    });
  const groupIds = useRef(/** @type {Map<string, string[]>} */ (new Map()));
  const has = (row) => (row.sums ? Boolean(groupIds.current.get(row.group)?.every((id) => picked.has(id))) : picked.has(row.id));
  const pick = async (index, how) => {
    const row = rowAt(index);
    if (how === "range" && anchor >= 0) {
      const [first, last] = [Math.min(anchor, index), Math.max(anchor, index)];
      let some = [];
      for (let at = first; at <= last; at += 1) some.push(rowAt(at));
      if (some.includes(undefined)) some = isGrouped ? some.filter(Boolean) : (await ids()).slice(first, last + 1).map((id) => ({ id }));
      change(some.filter((one) => !one.sums).map((one) => one.id), true);
      return;
    }
    setAnchor(index);
    if (!row) return;
    if (row.sums) {
      const some = await ids(row.group);
      groupIds.current.set(row.group, some);
      change(some, !some.every((id) => picked.has(id)));
    } else change([row.id], !picked.has(row.id));
  };
  const all = picked.size > 0 && (picked.size >= (head?.runs ?? 0) ? true : "some");
  const clear = () => {
    setPicked(new Set());
    seen.current.clear();
  };
  const pickAll = async () => (all === true ? clear() : change(await ids(), true));
  const rows = [...picked].map((id) => seen.current.get(id)).filter(Boolean);
  return { picked, rows, has, pick, all, pickAll, clear };
}
