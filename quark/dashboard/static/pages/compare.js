// Compare: several runs over each other, and side by side. Which ones is in the address.
import { html, useMemo } from "../core/dom.js";
import { useData } from "../core/data.js";
import { useQuery } from "../core/router.js";
import { Guarded, When } from "../parts/states.js";
import { Charts } from "./compare/charts.js";
import { Differences } from "./compare/differences.js";
import { Legend } from "./compare/legend.js";
import { Parallel } from "./compare/parallel.js";
import { RunPicker } from "./compare/picker.js";
import { Setups } from "./compare/setups.js";

/**
 * @typedef {object} ComparedRun
 * @property {string} id
 * @property {string} name
 * @property {string} project
 * @property {string} status
 * @property {string[]} tags
 * @property {number} color  which of the palette
 * @property {boolean} hidden
 */

const PARTS = [
  { id: "charts", title: "Charts", show: Charts },
  { id: "setups", title: "Config and summary", show: Setups },
  { id: "differences", title: "Differences", show: Differences },
  { id: "parallel", title: "Parallel coordinates", show: Parallel },
];

export default function Compare() {
  const [ids, setIds] = useQuery("run", /** @type {string[]} */ ([]), { back: true });
  const [hidden, setHidden] = useQuery("hide", /** @type {string[]} */ ([]));
  const [chosen, choose] = useQuery("reference", "");
  const [part, setPart] = useQuery("show", "charts", { back: true });
  const wanted = [...new Set(ids)];
  const data = useData(wanted.length ? "/compare" : null, { run: wanted }, { everySeconds: 15 });
  const runs = useMemo(() => {
    const off = new Set(hidden);
    const colors = new Map(wanted.map((id, place) => [id, place]));
    return (data.value?.runs ?? [])
      .filter((run) => colors.has(run.id))
      .map((run) => ({ ...run, color: colors.get(run.id), hidden: off.has(run.id) }));
  }, [data.value, wanted.join("\n"), hidden.join("\n")]);
  const reference = runs.find((run) => run.id === chosen)?.id ?? runs[0]?.id ?? "";
  const add = (more) => setIds([...wanted, ...more.filter((id) => !wanted.includes(id))]);
  const remove = (gone) => setIds(wanted.filter((id) => !gone.includes(id)));
  const current = PARTS.find((one) => one.id === part) ?? PARTS[0];
  return html`<div class="page compare">
    <div class="head">
      <h1>Compare</h1>${wanted.length > 0 && html`<span class="quiet">${wanted.length} ${wanted.length === 1 ? "run" : "runs"}</span>`}
      <span class="grow"></span>
      ${wanted.length > 0 && html`<${RunPicker} chosen=${wanted} add=${add} remove=${remove} />`}
    </div>
    ${wanted.length === 0
      ? html`<p class="quiet">Choose two runs or more here, or pick them in the table of runs and press Compare.</p><${RunPicker} chosen=${wanted} add=${add} remove=${remove} spread=${true} />`
      : html`<${When} data=${data} what="Reading the runs">
          ${(value) => html`<div>
            ${value.missing.length > 0 &&
            html`<p class="notice warn" role="status">
              ${value.missing.length === 1 ? "One run is" : `${value.missing.length} runs are`} not here any more: ${value.missing.slice(0, 5).join(", ")}${value.missing.length > 5 ? "…" : ""}
              <button type="button" onClick=${() => remove(value.missing)}>Leave out</button>
            </p>`}
            <${Legend} runs=${runs} reference=${reference} choose=${choose} hidden=${hidden} setHidden=${setHidden} remove=${remove} />
            <nav class="tabs" aria-label="Parts of the comparison">
              ${PARTS.map(
                (one) => html`<button key=${one.id} type="button" class="tab" aria-current=${one === current ? "page" : undefined} onClick=${() => setPart(one.id)}>${one.title}</button>`,
              )}
            </nav>
            <${Guarded} key=${current.id}>
              <${current.show} runs=${runs} data=${value} reference=${reference} choose=${choose} />
            <//>
          </div>`}
        <//>`}
  </div>`;
}
