// A series of histograms as a picture over the steps; a click goes to a step.
import { html } from "../../../core/dom.js";
import { segment } from "../../../core/api.js";
import { useData } from "../../../core/data.js";
import { number } from "../../../core/format.js";
import { HistogramOverTime } from "../../../parts/histogram.js";
import { When } from "../../../parts/states.js";

/** @param {{ runId: string, entry: any, step: number | null, onStep: (step: number) => void }} props */
export function Spread({ runId, entry, step, onStep }) {
  const steps = entry.steps;
  const data = useData(`/runs/${segment(runId)}/media/spread`, { key: entry.key }, { revision: `${steps[steps.length - 1]} ${entry.count}` });
  return html`<${When} data=${data} what="Reading all steps">
    ${(found) => {
      if (found.steps.length < 2) return null;
      const notes = [];
      if (found.total > found.steps.length) notes.push(`${number(found.steps.length)} of ${number(found.total)} steps.`);
      if (found.is_cut) notes.push("What lies far outside is in the outermost rows.");
      return html`<div class="spread">
        <${HistogramOverTime} title=${`${entry.key} over the steps`} found=${found} height=${190} chosen=${step} onStep=${onStep} />
        ${notes.length > 0 && html`<p class="quiet plot-notes">${notes.join(" ")}</p>`}
      </div>`;
    }}
  <//>`;
}
