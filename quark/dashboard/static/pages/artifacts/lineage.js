// Where a version comes from and what became of it. The server has laid it out: columns from left
// to right, each behind what it was made of.
import { html, useLayoutEffect, useRef } from "../../core/dom.js";
import { segment } from "../../core/api.js";
import { useData } from "../../core/data.js";
import { Link } from "../../core/router.js";
import { Empty, When } from "../../parts/states.js";
import { artifactPath } from "./names.js";

const WIDE = 168;
const TALL = 48;
const GAP_X = 48;
const GAP_Y = 18;

/** @param {{ asked: Record<string, any> }} props */
export function Lineage({ asked }) {
  const data = useData("/artifacts/lineage", asked);
  return html`<${When} data=${data} what="Following the lineage">
    ${(found) => (found.nodes.length < 2 ? html`<${Empty} title="Nothing leads here, and nothing from here.">Runs are joined to it by <code>run.log_artifact</code> and <code>run.use_artifact</code>.<//>` : html`<${Graph} found=${found} />`)}
  <//>`;
}

function Graph({ found }) {
  const lowest = Math.min(...found.nodes.map((node) => node.row));
  const highest = Math.max(...found.nodes.map((node) => node.row));
  const layers = Math.max(...found.nodes.map((node) => node.layer)) + 1;
  const left = (node) => 8 + node.layer * (WIDE + GAP_X);
  const top = (node) => 8 + (node.row - lowest) * (TALL + GAP_Y);
  const width = 16 + layers * WIDE + (layers - 1) * GAP_X;
  const byId = new Map(found.nodes.map((node) => [node.id, node]));
  // An edge past other columns would run behind their nodes: it hangs below them.
  const hangs = ([from, to]) => byId.get(to).layer - byId.get(from).layer > 1;
  const height = 16 + (highest - lowest + 1) * TALL + (highest - lowest) * GAP_Y + (found.edges.some(hangs) ? 36 : 0);
  const ordered = [...found.nodes].sort((a, b) => a.layer - b.layer || a.row - b.row);
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => {
    const here = byId.get(found.here);
    const place = box.current;
    if (!here || !place) return;
    place.scrollLeft = left(here) + WIDE / 2 - place.clientWidth / 2;
    place.scrollTop = top(here) + TALL / 2 - place.clientHeight / 2;
  }, [found.here]);
  return html`<div><p class="quiet">What was there first is on the left. ${found.is_cut ? "There is more than can be drawn: the nearest are shown." : ""}</p>
    <div class="scroll lineage-box" ref=${box} tabindex="0" role="group" aria-label=${`Lineage: ${found.nodes.length} runs and versions`}>
      <div class="lineage" style=${{ width: `${width}px`, height: `${height}px` }}>
        <svg width=${width} height=${height} aria-hidden="true">
          ${found.edges.map(([from, to]) => {
            const [a, b] = [byId.get(from), byId.get(to)];
            const [x0, y0, x1, y1] = [left(a) + WIDE, top(a) + TALL / 2, left(b), top(b) + TALL / 2];
            const half = Math.max(24, (x1 - x0) / 2);
            const dip = hangs([from, to]) ? 62 : 0;
            const near = from === found.here || to === found.here;
            return html`<g key=${`${from} ${to}`} class=${near ? "edge near" : "edge"}><path d=${`M${x0},${y0} C${x0 + (dip ? 60 : half)},${y0 + dip} ${x1 - (dip ? 60 : half)},${y1 + dip} ${x1 - 5},${y1}`} /><path class="edge-head" d=${`M${x1},${y1} l-7,-4 v8 z`} /></g>`;
          })}
        </svg>
        ${ordered.map((node) => html`<${Node} key=${node.id} node=${node} here=${node.id === found.here} x=${left(node)} y=${top(node)} />`)}
      </div>
    </div></div>`;
}

function Node({ node, here, x, y }) {
  const place = { left: `${x}px`, top: `${y}px`, width: `${WIDE}px`, height: `${TALL}px` };
  const css = `node ${node.kind}${here ? " here" : ""}`;
  const inside = html`<span class="node-title">${node.title}</span><span class="quiet node-detail">${node.kind === "run" ? `${node.detail}${node.is_there ? "" : " · gone"}` : [node.detail, ...node.aliases].join(" · ")}</span>`;
  if (node.kind === "run") {
    return node.is_there
      ? html`<${Link} to=${`/runs/${segment(node.run_id)}/artifacts`} class=${css} style=${place} title=${node.title} aria-current=${here ? "true" : undefined}>${inside}<//>`
      : html`<span class=${css} style=${place} title=${node.title}>${inside}</span>`;
  }
  return html`<${Link} to=${artifactPath(node, "lineage")} class=${css} style=${place} title=${node.title} aria-current=${here ? "true" : undefined}>${inside}<//>`;
}
