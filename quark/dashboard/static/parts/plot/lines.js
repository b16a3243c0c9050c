// Lines of a logged table, one for each class.
import { html, useMemo, useState } from "../../core/dom.js";
import { number } from "../../core/format.js";
import { seriesColor, useTheme } from "../../core/theme.js";
import { Frame, moved } from "./frame.js";
import { Legend, dashes } from "./legend.js";
import { fitted, nearest, range } from "./scale.js";

const MOST_SAID = 6;
/** Up to here each point has a dot. */
const FEW = 24;

/** @param {{ found: any, title: string, height: number }} props */
export function Lines({ found, title, height }) {
  useTheme();
  const { lines, kind, diagonal } = found;
  const [hidden, hide] = useState(/** @type {Set<number>} */ (new Set()));
  const [at, setAt] = useState(/** @type {{ x: number, y: number | null } | null} */ (null));
  const shown = lines.map((line, place) => ({ ...line, place })).filter((line) => !hidden.has(line.place));
  const [x, y] = useMemo(() => ranges(lines, hidden, kind === "curve"), [lines, hidden, kind]);
  const steps = useMemo(() => [...new Set(shown.flatMap((line) => line.x))].sort((a, b) => a - b), [lines, hidden]);
  const near = at === null ? [] : nearby(shown, at, y);
  const key = (event) => {
    const next = moved(event, at === null ? -1 : nearest(steps, at.x), steps.length);
    if (next !== undefined) setAt({ x: steps[next], y: null });
  };
  const names = lines.map((line) => line.label);
  const isNamed = names.length > 1 || names[0] !== "";
  const areas = kind === "curve" ? lines.map((line) => (line.area === undefined ? "" : `area ${line.area.toFixed(3)}`)) : undefined;
  const label = `${title || "Lines"}: ${lines.length === 1 ? "1 line" : `${lines.length} lines`} of ${found.y_title || "values"} over ${found.x_title}${areas ? `; ${lines.slice(0, 8).map((line, place) => `${line.label} ${areas[place]}`).join(", ")}` : ""}. Arrow keys move along.`;
  return html`<div>
    <${Frame} label=${label} x=${x} y=${y} xTitle=${found.x_title} yTitle=${found.y_title} height=${height} roomy=${lines.length > 2} onPoint=${setAt} onKey=${key}
      said=${at === null ? (lines.length === 1 ? points(lines[0].count) : `${lines.length} lines, ${points(lines.reduce((sum, line) => sum + line.count, 0))}`) : html`<span>${found.x_title} ${number(near[0]?.x ?? at.x, 5)}</span>${near.map((one) => html`<span key=${one.line.place}><i style=${{ background: seriesColor(one.line.place) }}></i>${isNamed ? `${fitted(one.line.label, 120)} ` : ""}${number(one.y, 4)}</span>`)}`}>
      ${({ across, up, top, bottom }) => html`
        ${diagonal && html`<line class="plot-chance" x1=${across(0)} y1=${up(0)} x2=${across(1)} y2=${up(1)} />`}
        ${at !== null && near.length > 0 && html`<line class="plot-cursor" x1=${across(near[0].x)} x2=${across(near[0].x)} y1=${top} y2=${bottom} />`}
        ${shown.map(
          (line) => html`<g key=${line.place} style=${{ color: seriesColor(line.place) }}>
            <path class="plot-line" d=${way(line, across, up)} stroke-dasharray=${dashes(line.place)} />
            ${line.x.length <= FEW && line.x.map((one, place) => html`<circle key=${place} fill="currentColor" cx=${across(one)} cy=${up(line.y[place])} r="2.2" />`)}
          </g>`,
        )}
        ${near.map((one) => html`<circle key=${one.line.place} class="plot-here" style=${{ fill: seriesColor(one.line.place) }} cx=${across(one.x)} cy=${up(one.y)} r="4" />`)}`}
    <//>
    ${isNamed && html`<${Legend} names=${names} hidden=${hidden} set=${hide} notes=${areas} lines=${true} />`}
  </div>`;
}

/** @param {number} count */
function points(count) {
  return count === 1 ? "1 point" : `${number(count)} points`;
}

/** @returns {[[number, number], [number, number]]} */
function ranges(lines, hidden, isCurve) {
  const shown = lines.filter((_, place) => !hidden.has(place));
  const [xs, ys] = [shown.flatMap((line) => line.x), shown.flatMap((line) => line.y)];
  if (isCurve && [...xs, ...ys].every((one) => one >= 0 && one <= 1)) return [[0, 1], [0, 1.02]];
  return [range(xs, { air: 0 }), range(ys)];
}

/** Of each line the point that is nearest across; of many lines those that are nearest to the pointer. */
function nearby(shown, at, y) {
  const found = shown.map((line) => {
    let place = nearest(line.x, at.x);
    // Where a line rises straight up, the point at the pointer's height.
    if (at.y !== null) {
      const same = line.x[place];
      for (const step of [-1, 1]) for (let next = place + step; line.x[next] === same; next += step) if (Math.abs(line.y[next] - at.y) < Math.abs(line.y[place] - at.y)) place = next;
    }
    return { line, x: line.x[place], y: line.y[place] };
  });
  if (found.length > MOST_SAID) {
    const wish = at.y ?? (y[0] + y[1]) / 2;
    found.sort((a, b) => Math.abs(a.y - wish) - Math.abs(b.y - wish));
    found.length = MOST_SAID;
  }
  return found;
}

function way(line, across, up) {
  let text = "";
  for (let place = 0; place < line.x.length; place += 1) text += `${place ? "L" : "M"}${across(line.x[place]).toFixed(1)} ${up(line.y[place]).toFixed(1)}`;
  return text;
}
