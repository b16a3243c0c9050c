// Points of a logged table.
import { html, useMemo, useState } from "../../core/dom.js";
import { number } from "../../core/format.js";
import { seriesColor, useTheme } from "../../core/theme.js";
import { Frame, moved } from "./frame.js";
import { Legend } from "./legend.js";
import { range } from "./scale.js";

const REACH = 24;

/** @param {{ found: any, title: string, height: number }} props */
export function Points({ found, title, height }) {
  useTheme();
  const [hidden, hide] = useState(/** @type {Set<number>} */ (new Set()));
  const [at, setAt] = useState(-1);
  const shown = useMemo(() => [...found.x.keys()].filter((place) => !hidden.has(found.class[place])), [found, hidden]);
  const order = useMemo(() => [...shown].sort((a, b) => found.x[a] - found.x[b]), [shown]);
  const [x, y] = useMemo(() => [range(shown.map((place) => found.x[place])), range(shown.map((place) => found.y[place]))], [shown]);
  const point = (where) => {
    if (where === null) return setAt(-1);
    const { across, up } = where;
    const [h, v] = [across(where.x), up(where.y)];
    let [best, least] = [-1, REACH * REACH];
    for (const place of shown) {
      const far = (across(found.x[place]) - h) ** 2 + (up(found.y[place]) - v) ** 2;
      if (far < least) [best, least] = [place, far];
    }
    return setAt(best);
  };
  const key = (event) => {
    const next = moved(event, order.indexOf(at), order.length);
    if (next !== undefined) setAt(order[next]);
  };
  const isNamed = found.labels.length > 1 || found.labels[0] !== "";
  const all = found.count.reduce((sum, one) => sum + one, 0);
  const label = `${title || "Points"}: ${number(all)} points, ${found.y_title} over ${found.x_title}. Arrow keys move from point to point.`;
  const said = () => {
    const more = found.count[at] - 1;
    const name = isNamed ? `${found.labels[found.class[at]]} · ` : "";
    return `${name}${found.x_title} ${number(found.x[at], 5)} · ${found.y_title} ${number(found.y[at], 5)}${more ? ` · and ${number(more)} more here` : ` · row ${number(found.row[at])}`}`;
  };
  return html`<div>
    <${Frame} label=${label} x=${x} y=${y} xTitle=${found.x_title} yTitle=${found.y_title} height=${height} roomy=${isNamed} onPoint=${point} onKey=${key} said=${at >= 0 ? said() : `${number(all)} points`}>
      ${({ across, up }) => html`
        ${found.labels.map((_, of) => {
          if (hidden.has(of)) return null;
          let dots = "";
          for (const place of shown) if (found.class[place] === of) dots += `M${across(found.x[place]).toFixed(1)} ${up(found.y[place]).toFixed(1)}h0`;
          return html`<path key=${of} class="plot-dots" d=${dots} style=${{ stroke: seriesColor(of) }} stroke-width=${shown.length > 1500 ? 3 : 5.5} />`;
        })}
        ${at >= 0 && html`<circle class="plot-here" style=${{ fill: seriesColor(found.class[at]) }} cx=${across(found.x[at])} cy=${up(found.y[at])} r="5" />`}`}
    <//>
    ${isNamed && html`<${Legend} names=${found.labels} hidden=${hidden} set=${hide} />`}
  </div>`;
}
