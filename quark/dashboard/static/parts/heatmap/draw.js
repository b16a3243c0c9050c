// How a matrix of layers by steps gets onto a canvas.
import { compact } from "../../core/format.js";
import { color } from "../../core/theme.js";
import { scaleColor, shareOf } from "../colors.js";

export const AXIS = 20;
/** What is not finite is no colour of the scale. */
export const BROKEN = "#e5484d";

/** How high a row is. @param {number} count */
export function rowHeight(count) {
  return count <= 60 ? 20 : 16;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {any} heat  what the heatmap was given
 * @param {{ row: number, column: number } | null} cursor
 * @param {[number, number] | null} drag  columns that are being chosen
 */
export function draw(canvas, heat, cursor, drag) {
  const { rows, starts, values, scale } = heat;
  const ratio = devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const tall = rowHeight(rows.length);
  const height = rows.length * tall + AXIS;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.scale(ratio, ratio);
  const hatch = hatching(context);
  const edge = (column) => Math.round((column / starts.length) * width * ratio) / ratio;
  const broken = new Set(heat.nonfinite.map(([row, column]) => row * starts.length + column));
  for (let row = 0; row < rows.length; row += 1) {
    for (let column = 0; column < starts.length; column += 1) {
      const value = values[row][column];
      const left = edge(column);
      const wide = edge(column + 1) - left;
      const isBroken = broken.has(row * starts.length + column);
      if (isBroken) context.fillStyle = BROKEN;
      else if (value === null) context.fillStyle = hatch;
      else if (scale.log && value <= 0) context.fillStyle = "#000";
      else context.fillStyle = scaleColor(shareOf(value, scale));
      context.fillRect(left, row * tall, wide, tall - 1);
      if (isBroken && wide > 5) cross(context, left, row * tall, wide, tall - 1);
      if (!isBroken && scale.log && value !== null && value <= 0) dot(context, left + wide / 2, row * tall + tall / 2 - 0.5);
    }
  }
  ticks(context, heat, width, rows.length * tall, edge);
  if (drag) {
    const [from, to] = drag[0] < drag[1] ? drag : [drag[1], drag[0]];
    context.fillStyle = color("--accent");
    context.globalAlpha = 0.35;
    context.fillRect(edge(from), 0, edge(to + 1) - edge(from), rows.length * tall);
    context.globalAlpha = 1;
  }
  if (cursor && cursor.row < rows.length && cursor.column < starts.length) {
    const left = edge(cursor.column);
    const wide = edge(cursor.column + 1) - left;
    context.lineWidth = 3;
    context.strokeStyle = "#fff";
    context.strokeRect(left - 1, cursor.row * tall - 1, wide + 2, tall + 1);
    context.lineWidth = 1.5;
    context.strokeStyle = "#000";
    context.strokeRect(left - 1, cursor.row * tall - 1, wide + 2, tall + 1);
  }
}

/** @param {CanvasRenderingContext2D} context */
export function hatching(context) {
  const tile = document.createElement("canvas");
  tile.width = 6;
  tile.height = 6;
  const inside = /** @type {CanvasRenderingContext2D} */ (tile.getContext("2d"));
  inside.strokeStyle = color("--line");
  inside.lineWidth = 1.2;
  for (const shift of [-6, 0, 6]) {
    inside.beginPath();
    inside.moveTo(shift, 6);
    inside.lineTo(shift + 6, 0);
    inside.stroke();
  }
  return /** @type {CanvasPattern} */ (context.createPattern(tile, "repeat"));
}

function cross(context, left, top, wide, tall) {
  const middle = left + wide / 2;
  const size = Math.min(wide, tall) / 4;
  context.strokeStyle = "#fff";
  context.lineWidth = 1.2;
  context.beginPath();
  context.moveTo(middle - size, top + tall / 2 - size);
  context.lineTo(middle + size, top + tall / 2 + size);
  context.moveTo(middle + size, top + tall / 2 - size);
  context.lineTo(middle - size, top + tall / 2 + size);
  context.stroke();
}

function dot(context, x, y) {
  context.fillStyle = "#fff";
  context.beginPath();
  context.arc(x, y, 1.3, 0, 7);
  context.fill();
}

/** Steps below the picture, as many as have room. */
function ticks(context, { starts }, width, top, edge) {
  context.fillStyle = color("--quiet");
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "top";
  let free = -1;
  for (let column = 0; column < starts.length; column += 1) {
    const text = compact(starts[column]);
    const long = context.measureText(text).width;
    const middle = (edge(column) + edge(column + 1)) / 2;
    const left = Math.min(width - long, Math.max(0, middle - long / 2));
    if (left <= free) continue;
    context.fillText(text, left, top + 6);
    context.fillRect(middle, top, 1, 4);
    free = left + long + 28;
  }
}
