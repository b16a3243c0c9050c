// A chart of a logged table, as wandb.plot names them. Whatever a table says is text.
import { html } from "../core/dom.js";
import { number } from "../core/format.js";
import { NamedBars } from "./plot/bars.js";
import { Counts } from "./plot/counts.js";
import { Lines } from "./plot/lines.js";
import { Matrix } from "./plot/matrix.js";
import { Points } from "./plot/points.js";

const DRAWN = { line: Lines, curve: Lines, scatter: Points, bar: NamedBars, histogram: Counts, matrix: Matrix };

/**
 * @typedef {object} Drawing
 * @property {string} kind
 * @property {string} title
 * @property {number} rows  of the table
 * @property {number} skipped  of them, rows without numbers
 * @property {boolean} is_thinned
 */

/** `label` says what it is where it has no title. @param {{ found: any, label: string, height?: number }} props */
export function Plot({ found, label, height = 260 }) {
  const Drawn = DRAWN[found.kind];
  const notes = said(found);
  return html`<div class="plot-of">
    ${found.title && html`<p class="plot-heading" title=${found.title}>${found.title}</p>`}
    <${Drawn} found=${found} title=${found.title || label} height=${height} />
    ${notes.length > 0 && html`<p class="quiet plot-notes">${notes.join(" ")}</p>`}
  </div>`;
}

/**
 * What a reader has to know of a drawing that does not show all of its table.
 * @param {any} found @returns {string[]}
 */
export function said(found) {
  const notes = [];
  if (found.is_thinned && (found.kind === "line" || found.kind === "curve")) notes.push(`Drawn from ${number(found.rows)} rows: of each stretch its first, last, lowest and highest.`);
  if (found.is_thinned && found.kind === "scatter") notes.push(`Drawn from ${number(found.rows)} rows: one point for each place.`);
  if (found.is_thinned && found.kind === "bar") notes.push(`The ${found.bars.length} largest of ${number(found.total)} bars.`);
  if (found.is_thinned && found.kind === "matrix") notes.push(`The ${found.classes.length} most frequent of ${number(found.class_count)} classes; shares are of all.`);
  if (found.more_lines) notes.push(`${number(found.more_lines)} more classes are not drawn.`);
  if (found.repeated) notes.push("Values of the same label are added up.");
  if (found.skipped) notes.push(`${number(found.skipped)} of ${number(found.rows)} rows have no number to draw.`);
  return notes;
}
