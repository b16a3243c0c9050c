// How often the values of a column occur.
import { html, useState } from "../../core/dom.js";
import { number } from "../../core/format.js";
import { Frame, moved } from "./frame.js";
import { range } from "./scale.js";

/** @param {{ found: any, title: string, height: number }} props */
export function Counts({ found, title, height }) {
  const [at, setAt] = useState(-1);
  const { edges, counts, columns } = found;
  const total = counts.reduce((sum, one) => sum + one, 0);
  const label = `${title || "Histogram"}: ${number(total)} values of ${columns.value} from ${number(edges[0], 4)} to ${number(edges[edges.length - 1], 4)}, mean ${number(found.mean, 4)}, median ${number(found.median, 4)}. Arrow keys move from bin to bin.`;
  const key = (event) => {
    const next = moved(event, at, counts.length);
    if (next !== undefined) setAt(next);
  };
  const share = (place) => ((counts[place] / (total || 1)) * 100).toFixed(1);
  return html`<${Frame} label=${label} x=${[edges[0], edges[edges.length - 1]]} y=${range(counts, { zero: true })} xTitle=${columns.value} yTitle="rows" height=${height} onKey=${key}
    onPoint=${(where) => setAt(where === null ? -1 : counts.findIndex((_, place) => where.x >= edges[place] && where.x < edges[place + 1]))}
    said=${at >= 0 ? `${number(edges[at], 4)} to ${number(edges[at + 1], 4)}: ${number(counts[at])} (${share(at)} %)` : `${number(total)} values, mean ${number(found.mean, 4)}, median ${number(found.median, 4)}`}>
    ${({ across, up, bottom }) =>
      counts.map((count, place) => {
        const wide = across(edges[place + 1]) - across(edges[place]);
        return html`<rect key=${place} class=${place === at ? "bar-at" : "bar-of"} x=${across(edges[place])} y=${up(count)} width=${Math.max(0.5, wide - (wide > 3 ? 1 : 0))} height=${bottom - up(count)} />`;
      })}
  <//>`;
}
