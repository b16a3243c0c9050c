import { html } from "../core/dom.js";

const TONES = {
  running: "good",
  completed: "calm",
  finished: "calm",
  failed: "bad",
  crashed: "bad",
  interrupted: "warn",
  stopping: "warn",
};

/** @param {{ status: string | null }} props */
export function Status({ status }) {
  return html`<span class=${`chip ${TONES[status ?? ""] ?? ""}`}>${status ?? "unknown"}</span>`;
}

/** @param {{ severity: string }} props  "critical", "error", "warning" or "info" */
export function Severity({ severity }) {
  const tone = { critical: "bad", error: "bad", warning: "warn", info: "calm" }[severity] ?? "";
  return html`<span class=${`chip ${tone}`}>${severity}</span>`;
}

/** A health score of 0 to 100, in the colour that its word has everywhere: healthy, watch, degraded. @param {{ score: number | null | undefined }} props */
export function Health({ score }) {
  if (score === null || score === undefined) return html`<span class="quiet">–</span>`;
  const tone = score >= 90 ? "good" : score >= 70 ? "warn" : "bad";
  return html`<span class=${`chip ${tone}`} title="health, 0 to 100">${Math.round(score)}</span>`;
}

/** @param {{ tags: string[] }} props */
export function Tags({ tags }) {
  return tags.map((tag) => html`<span class="tag" key=${tag}>${tag}</span>`);
}
