// All metrics of a run, in sections by prefix. Only what is in sight is fetched and drawn.
import { html, useMemo } from "../../core/dom.js";
import { segment } from "../../core/api.js";
import { useData } from "../../core/data.js";
import { useQuery } from "../../core/router.js";
import { Grid } from "../../parts/grid.js";
import { Empty, When } from "../../parts/states.js";
import { AS_DEFINED, fits, readZoom, sections, writeZoom } from "./charts/axis.js";
import { Panel } from "./charts/panel.js";
import { Toolbar } from "./charts/toolbar.js";

/** @param {{ runId: string, revision: string | null }} props */
export default function Charts({ runId, revision }) {
  const keys = useData(`/runs/${segment(runId)}/keys`, {}, { revision });
  return html`<${When} data=${keys} what="Looking what was logged">
    ${(found) => {
      const own = found.keys.filter((one) => !one.key.startsWith("system/"));
      return own.length
        ? html`<${Sections} runId=${runId} revision=${revision} keys=${own} roles=${found.roles} hasEpochs=${found.has_epochs} />`
        : html`<${Empty} title="No metrics yet.">Log some: <code>run.log({"loss": loss})</code>. What the machine does is under System.<//>`;
    }}
  <//>`;
}

/** @param {{ runId: string, revision: any, keys: any[], roles: Record<string, string>, hasEpochs: boolean }} props */
function Sections({ runId, revision, keys, roles, hasEpochs }) {
  const [search, setSearch] = useQuery("q", "");
  const [x, setX] = useQuery("x", AS_DEFINED, { back: true });
  const [smoothing, setSmoothing] = useQuery("smooth", "0");
  const [logs, setLogs] = useQuery("log", "", { back: true });
  const [zoomed, setZoomed] = useQuery("zoom", "", { back: true });
  const [closed, setClosed] = useQuery("closed", /** @type {string[]} */ ([]));
  const zoom = useMemo(() => readZoom(zoomed), [zoomed]);
  const weight = Math.min(0.999, Math.max(0, Number(smoothing) || 0));
  const view = { runId, revision, logX: logs.includes("x"), logY: logs.includes("y"), smoothing: weight, zoom, setZoom: (next) => setZoomed(writeZoom(next)) };
  const axisOf = (one) => (x === AS_DEFINED ? (one.x ? `key:${one.x}` : "step") : x);
  const axes = [...new Set(keys.map(axisOf))];
  const marks = useMarks(runId, axes, revision);
  const shown = keys.filter((one) => (search ? fits(one.key, search) : !one.hidden));
  const groups = useMemo(() => sections(shown, roles), [shown.map((one) => `${one.key}\t${one.x ?? ""}`).join("\n")]);
  const toggle = (name) => setClosed(closed.includes(name) ? closed.filter((one) => one !== name) : [...closed, name]);
  return html`<${Toolbar} keys=${keys} hasEpochs=${hasEpochs} x=${x} setX=${setX} search=${search} setSearch=${setSearch} smoothing=${weight} setSmoothing=${setSmoothing}
      logs=${logs} setLogs=${setLogs} zoom=${zoom} reset=${() => setZoomed("")} count=${shown.length} />
    ${groups.map(([name, inside]) => {
      const isOpen = search !== "" || !closed.includes(name);
      return html`<section key=${name} class="section" aria-label=${name}>
        <h2><button type="button" class="fold" aria-expanded=${isOpen} onClick=${() => toggle(name)}><span aria-hidden="true">${isOpen ? "▾" : "▸"}</span> ${name} <span class="quiet">${inside.length}</span></button></h2>
        ${isOpen &&
        html`<${Grid}
          all=${inside}
          of=${shown.length}
          show=${(one) => html`<${Panel} key=${one.key} view=${view} title=${one.key} axis=${axisOf(one)} lines=${[{ key: one.key, label: one.key }]} marks=${marksOf(marks[axisOf(one)], one.key, roles)} />`}
        />`}
      </section>`;
    })}
    ${shown.length === 0 && html`<${Empty} title="No metric fits.">None of ${keys.length} has “${search}” in its name.<//>`}`;
}

/** @type {WeakMap<any, Map<string, any>>} */
const chosen = new WeakMap();

/**
 * A loss shows all that was found; another metric what was found about it.
 * @param {any} marks @param {string} key @param {Record<string, string>} roles
 */
function marksOf(marks, key, roles) {
  if (!marks) return null;
  const known = chosen.get(marks) ?? new Map();
  chosen.set(marks, known);
  if (!known.has(key)) {
    const isLoss = roles[key] === "train_loss" || roles[key] === "val_loss";
    known.set(key, isLoss ? marks : { phases: [], alerts: marks.alerts.filter((one) => one.keys.includes(key)) });
  }
  return known.get(key);
}

/**
 * Phases and alerts along each axis that is in use; there are two at most that matter.
 * @param {string} runId @param {string[]} axes @param {any} revision
 */
function useMarks(runId, axes, revision) {
  const [first, second] = axes;
  const path = `/runs/${segment(runId)}/marks`;
  const one = useData(path, { x: first }, { revision });
  const other = useData(second ? path : null, { x: second }, { revision });
  return { [first]: one.value, ...(second ? { [second]: other.value } : {}) };
}
