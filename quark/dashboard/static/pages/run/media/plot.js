// A logged chart, large if wanted, and the table that it is drawn from.
import { html, useState } from "../../../core/dom.js";
import { segment } from "../../../core/api.js";
import { useData } from "../../../core/data.js";
import { Dialog } from "../../../parts/dialog.js";
import { ofRun } from "../../../parts/media/files.js";
import { MediaTable } from "../../../parts/media/table.js";
import { Plot } from "../../../parts/plot.js";
import { When } from "../../../parts/states.js";

/** @param {{ runId: string, entry: any, item: any }} props  `entry`: of the list of all media */
export function MediaPlot({ runId, entry, item }) {
  const [large, enlarge] = useState(false);
  const [open, setOpen] = useState(false);
  const data = useData(`/runs/${segment(runId)}/media/plot`, { key: entry.key, path: item.paths });
  const table = html`<${MediaTable} from=${ofRun(runId)} item=${item} name=${entry.key} />`;
  return html`<${When} data=${data} what="Drawing">
    ${(found) =>
      found.kind === "none"
        ? html`<div><p class="notice">This chart cannot be drawn: ${found.reason} This is its table.</p>${table}</div>`
        : html`<div>
            <${Plot} found=${found} label=${entry.plot.name} />
            <div class="tools plot-tools">
              <button type="button" aria-expanded=${open} onClick=${() => setOpen(!open)}>${open ? "Hide table" : "Table"}<span class="unseen"> of ${entry.plot.name}</span></button>
              <button type="button" onClick=${() => enlarge(true)}>Enlarge<span class="unseen"> ${entry.plot.name}</span></button>
            </div>
            ${open && table}
            ${large &&
            html`<${Dialog} title=${entry.plot.name} wide=${true} close=${() => enlarge(false)}>
              <div class="plot-large"><${Plot} found=${found} label=${entry.plot.name} height=${Math.max(260, Math.min(640, Math.round(innerHeight * 0.58)))} /></div>
            <//>`}
          </div>`}
  <//>`;
}
