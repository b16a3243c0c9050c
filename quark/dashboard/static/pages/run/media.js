// What a run logged besides numbers: charts, images, tables, sounds, films, pages, histograms, texts.
import { html, useEffect, useMemo, useState } from "../../core/dom.js";
import { segment } from "../../core/api.js";
import { useData } from "../../core/data.js";
import { useQuery } from "../../core/router.js";
import { ofRun } from "../../parts/media/files.js";
import { Items } from "../../parts/media/items.js";
import { MediaTable } from "../../parts/media/table.js";
import { Empty, When } from "../../parts/states.js";
import { fits, sections } from "./charts/axis.js";
import { useSeen } from "./charts/batch.js";
import { MediaPlot } from "./media/plot.js";
import { Spread } from "./media/spread.js";

const TITLES = {
  plot: "Charts",
  image: "Images",
  table: "Tables",
  audio: "Audio",
  video: "Videos",
  html: "HTML",
  histogram: "Histograms",
  object: "3D and molecules",
  document: "Plotly and Bokeh figures",
  value: "Texts and values",
  lost: "Lost",
};
const WIDE = new Set(["table", "html"]);

/** @param {{ runId: string, revision: string | null }} props */
export default function Media({ runId, revision }) {
  const data = useData(`/runs/${segment(runId)}/media`, {}, { revision });
  return html`<${When} data=${data} what="Looking what was logged">
    ${({ keys }) =>
      keys.length
        ? html`<${Shelf} runId=${runId} keys=${keys} />`
        : html`<${Empty} title="No media yet.">Log some: <code>run.log({"examples": wandb.Image(pixels)})</code>, a <code>wandb.Table</code>, a chart of <code>wandb.plot</code>, a sound, a page, a histogram.<//>`}
  <//>`;
}

function Shelf({ runId, keys }) {
  const [search, setSearch] = useQuery("q", "");
  const [kind, setKind] = useQuery("kind", "");
  const [stepText, setStep] = useQuery("step", "");
  const steps = useMemo(() => [...new Set(keys.flatMap((one) => one.steps))].sort((a, b) => a - b), [keys]);
  const step = stepText === "" ? null : Number(stepText);
  const kinds = [...new Set(keys.map((one) => one.kind))];
  const shown = keys.filter((one) => (!kind || one.kind === kind) && (!search || fits(one.plot ? `${one.key} ${one.plot.title}` : one.key, search)));
  const order = Object.keys(TITLES);
  const groups = order.map((name) => [name, shown.filter((one) => one.kind === name)]).filter(([, inside]) => inside.length);
  return html`<div><div class="tools">
      <input type="search" aria-label="Search for keys" placeholder="Keys" value=${search} onInput=${(event) => setSearch(event.currentTarget.value)} />
      <label>Show <select value=${kind} onChange=${(event) => setKind(event.currentTarget.value)}>
        <option value="">everything</option>${order.filter((one) => kinds.includes(one)).map((one) => html`<option key=${one} value=${one}>${TITLES[one]}</option>`)}
      </select></label>
      ${steps.length > 1 && html`<${Slider} label="Step of all" steps=${steps} step=${step} set=${(next) => setStep(next === null ? "" : String(next))} />`}
    </div>
    ${shown.length === 0 && html`<${Empty} title="Nothing fits.">${keys.length} keys have something else.<//>`}
    ${groups.map(([name, inside]) => html`<${Section} key=${name} name=${name} keys=${inside} runId=${runId} step=${step} />`)}</div>`;
}

function Section({ name, keys, runId, step }) {
  const inner = keys.length > 24 ? sections(keys) : [["", keys]];
  return html`<section class="section" aria-label=${TITLES[name]}>
    <h2>${TITLES[name]} <span class="quiet">${keys.length}</span></h2>
    ${inner.map(
      ([prefix, inside]) => html`<div key=${prefix}>${prefix && html`<p class="quiet">${prefix} · ${inside.length}</p>`}
        <div class=${WIDE.has(name) ? "shelf wide" : name === "plot" ? "grid plots" : "grid"}>${inside.map((one) => html`<${Panel} key=${one.key} runId=${runId} entry=${one} step=${step} />`)}</div>
      </div>`,
    )}
  </section>`;
}

function Panel({ runId, entry, step }) {
  const [seen, place] = useSeen();
  const [kept, keep] = useState(false);
  const [own, setOwn] = useState(/** @type {number | null} */ (null));
  if (seen && !kept) keep(true);
  useEffect(() => setOwn(null), [step]);
  const wanted = own ?? step;
  const newest = entry.steps[entry.steps.length - 1] ?? null;
  const asked = wanted === null ? null : (lastUpTo(entry.steps, wanted) ?? entry.steps[0] ?? null);
  const data = useData(kept ? `/runs/${segment(runId)}/media/value` : null, { key: entry.key, step: asked }, { revision: wanted === null ? `${newest} ${entry.count}` : null });
  return html`<div class="panel media" ref=${place}>
    <div class="panel-head"><h3 title=${entry.key}>${entry.kind === "plot" ? entry.plot.name : entry.key}</h3><span class="grow"></span>
      ${data.value && data.value.step !== null && html`<span class="quiet">step ${data.value.step}</span>`}</div>
    ${entry.steps.length > 1 && html`<${Slider} label=${`Step of ${entry.key}`} steps=${entry.steps} step=${wanted} set=${setOwn} short=${true} />`}
    ${kept && entry.kind === "histogram" && entry.steps.length > 1 && html`<${Spread} runId=${runId} entry=${entry} step=${data.value?.step ?? null} onStep=${(one) => setOwn(one === newest ? null : one)} />`}
    ${entry.kind === "table" && entry.plot && html`<p class="quiet">Logged as a chart of <span class="mono">${entry.plot.spec || "a specification without a name"}</span>, which is not drawn here: this is its table.</p>`}
    ${!kept ? html`<div class="hold"></div>` : html`<${When} data=${data}>${({ items }) => html`<${Content} runId=${runId} entry=${entry} items=${items} />`}<//>`}
  </div>`;
}

function Content({ runId, entry, items }) {
  const [first] = items;
  if (items.length === 1 && first.kind === "table" && (first.key || (first.paths && !first.missing && !first.reference))) {
    return entry.kind === "plot" ? html`<${MediaPlot} runId=${runId} entry=${entry} item=${first} />` : html`<${MediaTable} from=${ofRun(runId)} item=${first} name=${entry.key} />`;
  }
  return html`<${Items} from=${ofRun(runId)} items=${items} name=${entry.key} />`;
}

/** The last of ascending numbers that is not above another. @param {number[]} steps @param {number} wanted */
function lastUpTo(steps, wanted) {
  let found;
  for (const step of steps) {
    if (step > wanted) break;
    found = step;
  }
  return found;
}

/**
 * A slider over the steps that there are; at its end it follows the newest.
 * @param {{ label: string, steps: number[], step: number | null, set: (step: number | null) => void, short?: boolean }} props
 */
function Slider({ label, steps, step, set, short = false }) {
  const last = steps.length - 1;
  const at = step === null ? last : Math.max(0, steps.filter((one) => one <= step).length - 1);
  return html`<label class="slider">
    ${!short && html`<span>${label}</span>`}
    <input type="range" min="0" max=${last} step="1" value=${at} aria-label=${label} aria-valuetext=${`step ${steps[at]}${at === last ? ", the newest" : ""}`}
      onInput=${(event) => {
        const next = Number(event.currentTarget.value);
        set(next === last ? null : steps[next]);
      }} />
    ${!short && html`<span class="quiet">${step === null ? "newest" : `step ${steps[at]}`}</span>`}
  </label>`;
}
