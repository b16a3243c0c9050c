// The phases of a training: a line of time, the curve that they were read off, and why.
import { html, useMemo } from "../../../core/dom.js";
import { useData } from "../../../core/data.js";
import { number } from "../../../core/format.js";
import { Chart } from "../../../parts/chart.js";
import { useSeen } from "../../../parts/seen.js";

const TONES = {
  initialization_adaptation: "calm",
  rapid_learning: "good",
  stabilization: "good-quiet",
  stagnation: "still",
  overfitting_onset: "warn",
  divergence: "bad",
};
/** Roles whose curves tell phases, the most telling first. */
const ROLES = ["train_loss", "val_loss", "train_accuracy", "val_accuracy"];

/** @param {{ found: any, runId: string, revision: string | null }} props */
export function Phases({ found, runId, revision }) {
  const phases = found.phases.filter((one) => one.from !== null);
  return html`<section class="section" aria-labelledby="phases-head">
    <h2 id="phases-head">Phases</h2>
    ${phases.length
      ? html`<${Timeline} phases=${phases} /><${Curve} found=${found} phases=${phases} runId=${runId} revision=${revision} /><${Reasons} phases=${phases} />`
      : html`<p class="quiet">There are none: phases are read off a loss or an accuracy, such as <code>train/loss</code>, once it has some points.</p>`}
  </section>`;
}

function Timeline({ phases }) {
  const first = phases[0].from;
  const last = Math.max(...phases.map((one) => one.to));
  const whole = Math.max(1, last - first + 1);
  return html`<ol class="dg-phases" aria-label="Phases over the steps">
    ${phases.map((one) => html`<li key=${one.from} class=${`tone-${TONES[one.name] ?? "calm"}`} style=${{ flexGrow: Math.max(1, one.to - one.from + 1) / whole }} title=${`${one.title}, steps ${one.from} to ${one.to}: ${one.summary}`}>
      <b>${one.title}</b><span>${number(one.from)}–${number(one.to)}</span></li>`)}
  </ol>`;
}

function Curve({ found, phases, runId, revision }) {
  const [seen, place] = useSeen();
  const keys = [...new Set(ROLES.map((role) => found.phase_roles[role]).filter((key) => typeof key === "string"))].slice(0, 2);
  const data = useData(seen && keys.length ? "/charts" : null, { run: runId, key: keys, buckets: 500 }, { revision });
  const series = useMemo(
    () => (data.value?.series ?? []).filter((one) => one.x?.length).map((one) => ({ label: one.key, x: one.x, y: one.mean, min: one.min, max: one.max })),
    [data.value],
  );
  const bands = phases.map((one) => ({ from: one.from, to: one.to, label: one.title }));
  const values = series.flatMap((one) => one.y.filter((value) => value !== null));
  const least = values.reduce((low, value) => Math.min(low, value), Infinity);
  const log = least > 0 && values.reduce((high, value) => Math.max(high, value), 0) > 1e4 * least;
  if (!keys.length) return null;
  return html`<div class="panel dg-curve" ref=${place}>${series.length ? html`<${Chart} title=${keys.join(" and ")} series=${series} bands=${bands} legend=${true} logY=${log} height=${220} />` : html`<div class="hold"></div>`}</div>`;
}

function Reasons({ phases }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Why these phases"><table class="table">
    <thead><tr><th>phase</th><th>steps</th><th>why</th></tr></thead>
    <tbody>${phases.map((one) => html`<tr key=${one.from}><td><span class=${`phase-dot tone-${TONES[one.name] ?? "calm"}`}></span> ${one.title}</td><td>${number(one.from)} to ${number(one.to)}</td><td class="dg-wrap">${one.summary}</td></tr>`)}</tbody>
  </table></div>`;
}
