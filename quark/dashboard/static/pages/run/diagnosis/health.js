// Health scores as bars, with what each alert takes away, and how they were before.
import { html } from "../../../core/dom.js";
import { number } from "../../../core/format.js";
import { Chart } from "../../../parts/chart.js";

const TONES = { healthy: "good", watch: "warn", degraded: "bad", critical: "bad" };

/** @param {{ found: any }} props */
export function HealthPart({ found }) {
  const overall = found.scores.find((one) => one.key === "overall");
  if (!overall) return null;
  const parts = found.scores.filter((one) => one.key !== "overall");
  return html`<section class="section" aria-labelledby="health-head">
    <h2 id="health-head">Health</h2>
    <div class="dg-health">
      <div class=${`health-overall tone-${TONES[overall.status] ?? ""}`}><b>${Math.round(overall.score)}</b><span class="quiet">of 100</span><span>${overall.status}</span></div>
      <div class="health-bars">${parts.map((one) => html`<${Bar} key=${one.key} score=${one} found=${found} />`)}
        <p class="quiet">The overall score is the mean of the worst part and of the mean of all. Each part is 100 less what its alerts take away.</p></div>
      ${found.history.length > 1 && html`<${Before} history=${found.history} />`}
    </div>
  </section>`;
}

function Bar({ score, found }) {
  const lost = lostBy(score, found);
  return html`<div class="health-bar">
    <span class="health-name">${score.key}</span>
    <span class="health-track" role="img" aria-label=${`${score.key}: ${number(score.score)} of 100, ${score.status}`}>
      <i class=${`health-kept tone-${TONES[score.status] ?? ""}`} style=${{ width: `${score.score}%` }}></i>
      ${lost.map((one) => html`<i key=${one.id} class="health-lost" style=${{ width: `${one.taken}%` }} title=${`−${number(one.taken)}: ${one.title}`}></i>`)}
    </span>
    <b>${number(score.score)}</b><span class=${`chip ${TONES[score.status] ?? ""}`}>${score.status}</span>
    <span class="quiet health-why">${lost.length ? lost.map((one) => `−${number(one.taken)} ${one.title}`).join("; ") : score.summary}</span>
  </div>`;
}

/**
 * What each alert takes from a score: the worst all of its penalty, further ones a share of it.
 * @param {any} score @param {any} found
 */
function lostBy(score, found) {
  const alerts = found.alerts.filter((one) => score.alerts.includes(one.id));
  const penalty = (one) => found.penalties[one.severity] ?? 0;
  let left = 100 - score.score;
  return alerts
    .sort((a, b) => penalty(b) - penalty(a))
    .map((one, index) => {
      const taken = Math.min(left, index ? penalty(one) * found.penalties.further_share : penalty(one));
      left -= taken;
      return { id: one.id, title: one.title, taken };
    })
    .filter((one) => one.taken > 0);
}

function Before({ history }) {
  const x = history.map((one) => Date.parse(one.time) / 1000);
  const keys = Object.keys(history[history.length - 1].scores);
  const series = keys.map((key) => ({ label: key, x, y: history.map((one) => one.scores[key] ?? null) }));
  return html`<div class="panel health-before"><h3>Health at each judgement</h3>
    <${Chart} title="Health at each judgement" series=${series} xKind="time" height=${170} legend=${true} /></div>`;
}
