// Artifacts: all of them, one with its versions, and one version.
import { html, useMemo } from "../core/dom.js";
import { useData } from "../core/data.js";
import { ago, bytes, number } from "../core/format.js";
import { Link, useQuery } from "../core/router.js";
import { Empty, When } from "../parts/states.js";
import { Table, sorted } from "../parts/table.js";
import { artifactPath } from "./artifacts/names.js";
import { Collection } from "./artifacts/collection.js";
import { fits } from "./run/charts/axis.js";

/** Made by logging itself, not by who trains: left out until asked for. */
const MADE = new Set(["run_table", "wandb-history", "wandb-run-incremental-table", "job", "code"]);

/** @param {{ name?: string, version?: string, me: any }} props */
export default function Artifacts({ name, version }) {
  return name ? html`<${Collection} name=${name} version=${version} />` : html`<${All} />`;
}

function All() {
  const [search, setSearch] = useQuery("q", "");
  const [project, setProject] = useQuery("project", "");
  const [type, setType] = useQuery("type", "");
  const [made, setMade] = useQuery("made", "");
  const [order, setOrder] = useQuery("sort", "-updated");
  const data = useData("/artifacts", { project, type }, { everySeconds: 15 });
  const sort = { id: order.replace(/^-/, ""), descending: order.startsWith("-") };
  const rows = useMemo(() => {
    const every = data.value?.collections ?? [];
    const found = every.filter((row) => (made || type || !MADE.has(row.type)) && (!search || fits(`${row.name} ${row.project} ${row.type} ${row.description ?? ""} ${row.tags.join(" ")} ${Object.values(row.aliases).flat().join(" ")}`, search)));
    const by = { name: (row) => row.name, project: (row) => row.project, type: (row) => row.type, versions: (row) => row.version_count, size: (row) => row.latest_bytes, updated: (row) => row.updated_at }[sort.id];
    return by ? sorted(found, by, sort.descending) : found;
  }, [data.value, search, made, type, order]);
  const columns = [
    { id: "name", title: "Artifact", width: 260, show: (row) => html`<${Link} to=${artifactPath(row)}>${row.name}<//>`, hint: (row) => row.description ?? row.name },
    { id: "type", title: "Type", width: 120, show: (row) => html`<span class="chip">${row.is_portfolio ? "registry · " : ""}${row.type}</span>` },
    { id: "project", title: "Project", width: 140, show: (row) => row.project },
    { id: "versions", title: "Versions", width: 90, numeric: true, show: (row) => number(row.version_count) },
    { id: "size", title: "Latest", tip: "Size of the latest version", width: 90, numeric: true, show: (row) => (row.is_portfolio ? "–" : bytes(row.latest_bytes)) },
    { id: "aliases", title: "Aliases", width: 220, sortable: false, show: (row) => html`<${Aliases} aliases=${row.aliases} />` },
    { id: "updated", title: "Changed", width: 130, show: (row) => ago(row.updated_at) },
  ];
  return html`<div class="page"><h1>Artifacts</h1>
    <${When} data=${data} what="Reading the artifacts">
      ${(value) => {
        const hidden = type ? 0 : value.collections.filter((row) => MADE.has(row.type)).length;
        const none = Object.keys(value.types).length === 0 && !project;
        if (none) return html`<${Empty} title="No artifacts yet.">Log one: <code>artifact = wandb.Artifact("digits", type="dataset")</code>, <code>artifact.add_dir("data")</code>, <code>run.log_artifact(artifact)</code>.<//>`;
        return html`<div><div class="tools">
            <input type="search" aria-label="Search for artifacts" placeholder="Name, alias, tag" value=${search} onInput=${(event) => setSearch(event.currentTarget.value)} />
            <label>Project <select value=${project} onChange=${(event) => setProject(event.currentTarget.value)}><option value="">all</option>${value.projects.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select></label>
            <label>Type <select value=${type} onChange=${(event) => setType(event.currentTarget.value)}><option value="">all</option>${Object.entries(value.types).map(([one, count]) => html`<option key=${one} value=${one}>${one} (${count})</option>`)}</select></label>
            ${hidden > 0 && html`<label><input type="checkbox" checked=${made !== ""} onChange=${() => setMade(made ? "" : "too")} /> also ${number(hidden)} that logging made itself</label>`}
            <span class="quiet" role="status">${number(rows.length)} ${rows.length === 1 ? "artifact" : "artifacts"}</span>
          </div>
          ${rows.length === 0
            ? html`<${Empty} title="No artifact fits.">${hidden > 0 && !made ? "There are tables that runs logged; tick the box to see them." : "Search for something else."}<//>`
            : html`<${Table} label="Artifacts" columns=${columns} rows=${rows} idOf=${(row) => `${row.workspace}/${row.project}/${row.name}`} sort=${sort} onSort=${(id, descending) => setOrder((descending ? "-" : "") + id)} top=${order + search} />`}</div>`;
      }}
    <//></div>`;
}

/** @param {{ aliases: Record<string, string[]> }} props */
function Aliases({ aliases }) {
  return Object.entries(aliases).flatMap(([version, names]) => names.map((name) => html`<span key=${name} class="tag" title=${`${name} is ${version}`}>${name} <span class="quiet">${version}</span></span>`));
}
