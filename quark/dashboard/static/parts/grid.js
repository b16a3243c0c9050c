// Panels side by side. Of very many, only those that came near to what is in sight are in the page.
import { html } from "../core/dom.js";
import { useSeen } from "./seen.js";

/** More panels than that are too many to be made before anything is shown. */
const MANY = 400;
const PORTION = 60;
const PANEL_WIDTH = 400;
const PANEL_HEIGHT = 290;

/**
 * @template T
 * @param {{ all: T[], of: number, show: (one: T) => any }} props  `of`: panels of the whole page
 */
export function Grid({ all, of, show }) {
  if (of <= MANY) return html`<div class="grid">${all.map(show)}</div>`;
  const portions = Array.from({ length: Math.ceil(all.length / PORTION) }, (_, place) => all.slice(place * PORTION, (place + 1) * PORTION));
  return portions.map((some, place) => html`<${Portion} key=${place} some=${some} show=${show} />`);
}

/** @param {{ some: any[], show: (one: any) => any }} props */
function Portion({ some, show }) {
  const [seen, place] = useSeen();
  const rows = Math.ceil(some.length / Math.max(1, Math.floor(innerWidth / PANEL_WIDTH)));
  // About as high as what will stand there, so that the page keeps its length.
  return html`<div class="grid" ref=${place} style=${{ minHeight: seen ? "" : `${rows * PANEL_HEIGHT}px` }}>${seen && some.map(show)}</div>`;
}
