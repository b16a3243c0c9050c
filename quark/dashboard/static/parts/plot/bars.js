// A bar for each label of a logged table, one below the other: labels may be long.
import { html, useState } from "../../core/dom.js";
import { compact, number } from "../../core/format.js";
import { seriesColor, useTheme } from "../../core/theme.js";
import { moved, useWidth } from "./frame.js";
import { Legend } from "./legend.js";
import { fitted, range, scale, ticks } from "./scale.js";

const TALL = 24;
const FOOT = 38;

/** @param {{ found: any, title: string, height: number }} props */
export function NamedBars({ found, title, height }) {
  useTheme();
  const [place, width] = useWidth();
  const [hidden, hide] = useState(/** @type {Set<number>} */ (new Set()));
  const [at, setAt] = useState(-1);
  const isNamed = found.groups.length > 1 || found.groups[0] !== "";
  const bars = found.bars.filter((bar) => !hidden.has(bar.group));
  const nameRoom = Math.min(width * 0.38, 12 + Math.max(...bars.map((bar) => [...bar.label].length)) * 7);
  const [low, high] = range(bars.map((bar) => bar.value), { zero: true, air: 0.02 });
  const valueRoom = 8 + Math.max(...bars.map((bar) => number(bar.value, 4).length)) * 6.6;
  const across = scale([low, high], [nameRoom + (low < 0 ? valueRoom : 4), Math.max(nameRoom + valueRoom + 20, width - valueRoom)]);
  const tall = Math.max(TALL, Math.min(44, (height - FOOT) / bars.length));
  const size = bars.length * tall + FOOT;
  const label = `${title || "Bars"}: ${found.bars.length} bars of ${found.columns.value} by ${found.columns.label}; ${found.bars.slice(0, 6).map((bar) => `${bar.label} ${number(bar.value, 4)}`).join(", ")}. Arrow keys move from bar to bar.`;
  const key = (event) => {
    const turned = { ArrowUp: "ArrowLeft", ArrowDown: "ArrowRight", PageUp: "PageDown", PageDown: "PageUp" }[event.key];
    const next = moved(/** @type {any} */ ({ key: turned ?? event.key, preventDefault: () => event.preventDefault() }), at, bars.length);
    if (next === undefined) return;
    setAt(next);
    event.currentTarget.scrollTo({ top: next * tall - height / 2 });
  };
  const point = (event) => {
    const row = Math.floor((event.clientY - event.currentTarget.getBoundingClientRect().top) / tall);
    setAt(row < bars.length ? row : -1);
  };
  const said = (bar) => `${bar.label}${isNamed ? ` · ${found.groups[bar.group]}` : ""}: ${found.columns.value} ${number(bar.value, 6)}`;
  return html`<div><figure class="plot">
      <div class="plot-scroll" ref=${place} tabindex="0" role="group" aria-label=${label} onKeyDown=${key} onBlur=${() => setAt(-1)} style=${{ maxHeight: `${height + 60}px` }}>
        ${width > 0 &&
        html`<svg width=${width} height=${size} aria-hidden="true" onPointerMove=${point} onPointerDown=${point} onPointerLeave=${() => setAt(-1)}>
          <rect x="0" y="0" width=${width} height=${size} fill="transparent" />
          ${ticks(low, high, Math.max(2, Math.floor((across(high) - across(low)) / 38))).map(
            (one) => html`<g key=${one}><line class=${one === 0 ? "plot-axis" : "plot-grid"} x1=${across(one)} x2=${across(one)} y1="2" y2=${bars.length * tall + 2} /><text class="plot-tick" x=${across(one)} y=${bars.length * tall + 15} text-anchor="middle">${compact(one)}</text></g>`,
          )}
          ${bars.map((bar, row) => {
            const [from, to] = bar.value < 0 ? [across(bar.value), across(0)] : [across(0), across(bar.value)];
            const fill = isNamed ? seriesColor(bar.group) : undefined;
            return html`<g key=${row}>
              <text class="plot-label" x=${nameRoom - 6} y=${row * tall + tall / 2 + 4} text-anchor="end">${fitted(bar.label, nameRoom - 8)}</text>
              <rect class=${row === at ? "bar-at" : "bar-of"} style=${fill && row !== at ? { fill } : {}} x=${from} y=${(row + 0.5) * tall - Math.min(tall - 6, 28) / 2} width=${Math.max(1, to - from)} height=${Math.min(tall - 6, 28)} rx="2" />
              <text class="plot-tick" x=${bar.value < 0 ? from - 4 : to + 4} y=${row * tall + tall / 2 + 4} text-anchor=${bar.value < 0 ? "end" : "start"}>${number(bar.value, 4)}</text>
            </g>`;
          })}
          <text class="plot-title" x=${(across(low) + across(high)) / 2} y=${size - 5} text-anchor="middle">${fitted(found.columns.value, width - nameRoom)}</text>
        </svg>`}
      </div>
      <figcaption class="readout" aria-live="polite">${at >= 0 && bars[at] ? said(bars[at]) : `${number(found.total)} bars`}</figcaption>
    </figure>
    ${isNamed && html`<${Legend} names=${found.groups} hidden=${hidden} set=${hide} />`}
  </div>`;
}
