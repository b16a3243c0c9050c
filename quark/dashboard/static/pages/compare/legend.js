// The runs of a comparison: their colours, which are drawn, which the others are held against.
import { html, useState } from "../../core/dom.js";
import { segment } from "../../core/api.js";
import { Link } from "../../core/router.js";
import { seriesColor, useTheme } from "../../core/theme.js";
import { Status } from "../../parts/chips.js";

const SHOWN = 12;

/**
 * @param {{ runs: import("../compare.js").ComparedRun[], reference: string, choose: (id: string) => void, hidden: string[],
 *   setHidden: (ids: string[]) => void, remove: (ids: string[]) => void }} props
 */
export function Legend({ runs, reference, choose, hidden, setHidden, remove }) {
  useTheme();
  const [all, setAll] = useState(false);
  const toggle = (id) => setHidden(hidden.includes(id) ? hidden.filter((one) => one !== id) : [...hidden, id]);
  const shown = all ? runs : runs.slice(0, SHOWN);
  const visible = runs.filter((run) => !run.hidden).length;
  return html`<section class="legend" aria-label="Runs of the comparison">
    <ul class="legend-runs">
      ${shown.map(
        (run) => html`<li key=${run.id} class=${run.hidden ? "legend-run off" : "legend-run"}>
          <button type="button" class="swatch" aria-pressed=${String(!run.hidden)} aria-label=${`Draw ${run.name}`} title=${run.hidden ? "Draw it" : "Hide it"} onClick=${() => toggle(run.id)}>
            <svg width="14" height="14" aria-hidden="true"><rect width="14" height="14" rx="3" fill=${run.hidden ? "none" : seriesColor(run.color)} stroke=${seriesColor(run.color)} stroke-width="2" /></svg>
          </button>
          <${Link} to=${`/runs/${segment(run.id)}`} title=${`${run.name} · ${run.id} · ${run.project}`}>${run.name}<//>
          ${run.status !== "completed" && html`<${Status} status=${run.status} />`}
          <button type="button" class="ghost tight" aria-pressed=${String(run.id === reference)} aria-label=${`Hold the others against ${run.name}`}
            title=${run.id === reference ? "The others are held against this run" : "Hold the others against this run"} onClick=${() => choose(run.id)}>${run.id === reference ? "★" : "☆"}</button>
          <button type="button" class="ghost tight" aria-label=${`Leave ${run.name} out`} title="Leave it out" onClick=${() => remove([run.id])}>✕</button>
        </li>`,
      )}
    </ul>
    <div class="tools legend-tools">
      ${runs.length > SHOWN && html`<button type="button" onClick=${() => setAll(!all)}>${all ? "Show fewer" : `Show all ${runs.length}`}</button>`}
      ${runs.length > 1 &&
      html`<button type="button" disabled=${visible === runs.length} onClick=${() => setHidden([])}>Draw all</button>
        <button type="button" disabled=${visible === 0} onClick=${() => setHidden(runs.map((run) => run.id))}>Hide all</button>
        <span class="quiet">${visible} of ${runs.length} drawn · ★ what the others are compared with</span>`}
    </div>
  </section>`;
}
