// The names of classes with their colours; a click hides one, a double click hides all others.
import { html } from "../../core/dom.js";
import { seriesColor } from "../../core/theme.js";

/** A line's dashes: colours come again after ten. @param {number} place */
export function dashes(place) {
  return ["", "6 3", "2 3", "8 3 2 3"][Math.floor(place / 10) % 4];
}

/**
 * @param {{ names: string[], hidden: Set<number>, set: (hidden: Set<number>) => void, notes?: string[], lines?: boolean }} props
 *   `notes`: what else is said of each
 */
export function Legend({ names, hidden, set, notes, lines = false }) {
  const toggle = (place) => {
    const next = new Set(hidden);
    if (!next.delete(place)) next.add(place);
    set(next.size === names.length ? new Set() : next);
  };
  const alone = (place) => set(new Set([...names.keys()].filter((one) => one !== place)));
  return html`<div class="plot-legend" role="group" aria-label="Classes">${names.map(
    (name, place) => html`<button key=${place} type="button" aria-pressed=${!hidden.has(place)} title=${`${name}: click to hide or show, double-click to see it alone`} onClick=${() => toggle(place)} onDblClick=${() => alone(place)}>
      <svg width="16" height="10" aria-hidden="true">${
        lines
          ? html`<line x1="0" x2="16" y1="5" y2="5" stroke=${seriesColor(place)} stroke-width="3" stroke-dasharray=${dashes(place)} />`
          : html`<circle cx="8" cy="5" r="4.5" fill=${seriesColor(place)} />`
      }</svg><span class="plot-name">${name}</span>${notes?.[place] && html`<span class="quiet">${notes[place]}</span>`}</button>`,
  )}</div>`;
}
