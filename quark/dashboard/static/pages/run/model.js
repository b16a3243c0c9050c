// What the model is made of: a tree of its modules with types, shapes and parameters.
import { html, useEffect, useMemo, useRef, useState } from "../../core/dom.js";
import { segment } from "../../core/api.js";
import { useData } from "../../core/data.js";
import { bytes, number } from "../../core/format.js";
import { Link, useQuery } from "../../core/router.js";
import { Severity } from "../../parts/chips.js";
import { Empty, When } from "../../parts/states.js";
import { firstOpen, found as search, linesOf, treeOf } from "./model/tree.js";

const LINE = 30;
const ROOM = 260;

/** @param {{ runId: string, overview: any }} props */
export default function Model({ runId, overview }) {
  const [name, setName] = useQuery("model", "");
  const counts = overview?.counts ?? {};
  const revision = `${counts.model_architecture ?? 0}.${counts.alert ?? 0}.${counts.analysis ?? 0}.${counts.parameter_summary ? 1 : 0}`;
  const data = useData(`/runs/${segment(runId)}/model`, { name }, { revision });
  return html`<${When} data=${data} what="Reading the model">
    ${(model) =>
      model.modules.length
        ? html`<${Facts} model=${model} setName=${setName} /><${Tree} key=${model.name} model=${model} runId=${runId} />`
        : html`<${Empty} title="This run has no model.">
            Have it kept: <code>log_architecture(session, model)</code>, or <code>wandb.watch(model, log_graph=True)</code>. Models that are watched show what is known of their layers.
          <//>`}
  <//>`;
}

function Facts({ model, setName }) {
  const frozen = model.frozen_count;
  const dtypes = Object.entries(model.dtypes).map(([dtype, count]) => `${number(count)} ${dtype}`);
  const devices = Object.keys(model.devices).join(", ");
  return html`<div class="model-facts">
    ${model.models.length > 1 && html`<label>Model <select value=${model.name} onChange=${(event) => setName(event.target.value)}>${model.models.map((one) => html`<option key=${one}>${one}</option>`)}</select></label>`}
    <div class="model-fact"><b>${model.type || "model"}</b><span class="quiet">${number(model.modules.length)} modules</span></div>
    <div class="model-fact"><b>${number(model.parameter_count)}</b><span class="quiet">parameters${model.parameter_bytes !== null && `, ${bytes(model.parameter_bytes)}`}</span></div>
    <div class="model-fact"><b>${number(model.trainable_count)}</b><span class="quiet">trainable</span></div>
    ${frozen > 0 && html`<div class="model-fact"><b>${number(frozen)}</b><span class="quiet">frozen</span></div>`}
    ${model.buffer_count > 0 && html`<div class="model-fact"><b>${number(model.buffer_count)}</b><span class="quiet">in buffers, ${bytes(model.buffer_bytes)}</span></div>`}
    ${dtypes.length > 0 && html`<div class="model-fact"><b>${dtypes.join(", ")}</b><span class="quiet">${devices || "types"}</span></div>`}
  </div>
  ${model.source === "watched" && html`<p class="quiet">This tree is made of the names that were watched. <code>log_architecture(session, model)</code> or <code>wandb.watch(model, log_graph=True)</code> keeps all of the model.</p>`}
  ${model.truncated && html`<p class="quiet">The model was too large to be kept whole; what comes last is missing.</p>`}
  ${model.shared.length > 0 && html`<details class="model-shared" open=${model.shared.length <= 4}><summary>${model.shared.length} shared ${model.shared.length === 1 ? "parameter counts" : "parameters count"} once</summary>
    <ul>${model.shared.slice(0, 100).map((names) => html`<li key=${names.join()}><span class="mono">${names.join(" = ")}</span></li>`)}</ul></details>`}`;
}

function Tree({ model, runId }) {
  const [text, setText] = useQuery("find", "");
  const roots = useMemo(() => treeOf(model.modules), [model.modules]);
  const [open, setOpen] = useState(() => firstOpen(roots, ROOM));
  const [focus, setFocus] = useState(0);
  const [top, setTop] = useState(0);
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const shared = useMemo(() => new Set(model.shared.flat()), [model.shared]);
  const hunt = useMemo(() => (text ? search(roots, text) : null), [roots, text]);
  const lines = useMemo(
    () => (hunt ? linesOf(roots.filter((root) => hunt.shown.has(root)), () => true).filter((node) => hunt.shown.has(node)) : linesOf(roots, (node) => open.has(node.module.name))),
    [roots, open, hunt],
  );
  const here = Math.min(focus, Math.max(0, lines.length - 1));
  useEffect(() => setFocus(0), [text]);
  const toggle = (node, wanted = !open.has(node.module.name)) => {
    const next = new Set(open);
    if (wanted) next.add(node.module.name);
    else next.delete(node.module.name);
    setOpen(next);
  };
  const move = (to) => {
    const next = Math.min(lines.length - 1, Math.max(0, to));
    setFocus(next);
    const view = box.current;
    if (!view) return;
    if (next * LINE < view.scrollTop) view.scrollTop = next * LINE;
    else if ((next + 1) * LINE > view.scrollTop + view.clientHeight) view.scrollTop = (next + 1) * LINE - view.clientHeight;
  };
  const press = (event) => {
    const node = lines[here];
    if (!node) return;
    const isOpen = open.has(node.module.name);
    if (event.key === "ArrowDown") move(here + 1);
    else if (event.key === "ArrowUp") move(here - 1);
    else if (event.key === "Home") move(0);
    else if (event.key === "End") move(lines.length - 1);
    else if (event.key === "ArrowRight") {
      if (node.below.length && !isOpen && !hunt) toggle(node, true);
      else if (node.below.length) move(here + 1);
    } else if (event.key === "ArrowLeft") {
      if (node.below.length && isOpen && !hunt) toggle(node, false);
      else if (node.above) move(lines.indexOf(node.above));
    } else if (event.key === "Enter") box.current?.querySelector(`[data-line="${here}"] a`)?.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
    else return;
    event.preventDefault();
  };
  const from = Math.max(0, Math.floor(top / LINE) - 10);
  const to = Math.min(lines.length, from + 20 + Math.ceil((box.current?.clientHeight ?? 900) / LINE));
  return html`<div class="tools">
      <input type="search" placeholder="Search modules" aria-label="Search modules" value=${text} onInput=${(event) => setText(event.target.value)} />
      <button type="button" disabled=${!!hunt} onClick=${() => setOpen(new Set(model.modules.map((one) => one.name)))}>Open all</button>
      <button type="button" disabled=${!!hunt} onClick=${() => setOpen(new Set([""]))}>Close all</button>
      <span class="quiet">${hunt ? `${number(hunt.hits.size)} found` : `${number(lines.length)} of ${number(model.modules.length)} lines`}</span>
    </div>
    ${!lines.length && html`<${Empty} title="No module is called that.">Search for a part of a name or of a type, such as <code>Linear</code>.<//>`}
    ${lines.length > 0 && html`<div class="model-head quiet" aria-hidden="true"><span>module</span><span>shapes</span><span class="numeric">parameters</span><span>share</span></div>
    <div class="model-tree" role="tree" tabindex="0" aria-label="Modules" aria-activedescendant=${`line-${here}`} ref=${box} onKeyDown=${press} onScroll=${(event) => setTop(event.currentTarget.scrollTop)}>
      <div class="model-inside" role="presentation" style=${{ height: `${lines.length * LINE}px` }}>
        ${lines.slice(from, to).map((node, index) => html`<${Line} key=${node.module.name} node=${node} at=${from + index} here=${from + index === here}
          isOpen=${!!hunt || open.has(node.module.name)} toggle=${hunt ? null : () => toggle(node)} focus=${() => setFocus(from + index)}
          total=${model.parameter_count} shared=${shared} runId=${runId} isHit=${!!hunt?.hits.has(node)} />`)}
      </div>
    </div>`}`;
}

function Line({ node, at, here, isOpen, toggle, focus, total, shared, runId, isHit }) {
  const { module } = node;
  const share = total ? module.count / total : 0;
  const frozen = module.count > 0 && module.trainable === 0;
  const partly = module.trainable > 0 && module.trainable < module.count;
  const tied = Object.keys(module.shapes).filter((name) => shared.has(module.name ? `${module.name}.${name}` : name));
  const label = node.short || module.type || "model";
  const shapes = Object.entries(module.shapes).map(([name, shape]) => `${name} ${shape.join("×") || "1"}`);
  const outputs = module.outputs.map((shape) => shape.join("×")).join(", ");
  return html`<div class=${`model-line${here ? " dg-here" : ""}${isHit ? " model-hit" : ""}`} role="treeitem" id=${`line-${at}`} data-line=${at}
      aria-level=${node.depth + 1} aria-expanded=${node.below.length ? String(isOpen) : undefined} aria-selected=${here ? "true" : "false"} style=${{ top: `${at * LINE}px` }} onClick=${focus}>
    <span class="model-name" style=${{ paddingLeft: `${Math.min(node.depth, 12) * 16}px` }}>
      ${node.below.length ? html`<button type="button" class="model-fold" tabindex="-1" disabled=${!toggle} onClick=${toggle} aria-label=${isOpen ? "Close" : "Open"}>${isOpen ? "▾" : "▸"}</button>` : html`<span class="model-fold"></span>`}
      ${module.measured ? html`<${Link} tabindex="-1" to=${`/runs/${segment(runId)}/layers/${segment(module.name || "(model)")}`} title=${`${module.name}: its layer's page`}>${label}<//>` : html`<span title=${module.name}>${label}</span>`}
      ${node.short && html`<span class="model-type">${module.type}</span>`}
      ${module.settings && html`<span class="quiet model-settings" title=${module.settings}>${module.settings}</span>`}
      ${frozen && html`<span class="chip">frozen</span>`}
      ${partly && html`<span class="chip" title=${`${number(module.trainable)} of ${number(module.count)} are trainable`}>partly frozen</span>`}
      ${tied.length > 0 && html`<span class="chip calm" title=${`shared: ${tied.join(", ")}`}>shared</span>`}
      ${module.calls > 1 && html`<span class="chip" title="calls in one forward pass">× ${module.calls}</span>`}
      ${module.alert && html`<${Severity} severity=${module.alert} />`}
    </span>
    <span class="model-shapes quiet" title=${[...shapes, outputs && `puts out ${outputs}`].filter(Boolean).join("; ")}>${shapes.join(", ")}${outputs && html`<span class="model-out"> → ${outputs}</span>`}</span>
    <span class="numeric">${module.count ? number(module.count) : ""}</span>
    <span class="model-share">${module.count > 0 && html`<i style=${{ width: `${Math.max(1, share * 100)}%` }}></i><span>${share >= 0.001 ? `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %` : "< 0.1 %"}</span>`}</span>
  </div>`;
}
