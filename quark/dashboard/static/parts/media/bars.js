// A histogram as bars; each says what it holds.
import { html, useState } from "../../core/dom.js";
import { number } from "../../core/format.js";

const WIDTH = 320;
const HEIGHT = 150;

/** @param {{ name: string, bins: number[], counts: number[] }} props */
export function Bars({ name, bins, counts }) {
  const [at, setAt] = useState(-1);
  const least = bins[0];
  const span = bins[bins.length - 1] - least || 1;
  const most = Math.max(...counts, 1e-12);
  const total = counts.reduce((sum, one) => sum + one, 0);
  const xOf = (edge) => ((edge - least) / span) * WIDTH;
  const move = (event) => {
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: counts.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    setAt(Math.max(0, Math.min(counts.length - 1, next)));
  };
  const look = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    const edge = least + ((event.clientX - box.left) / box.width) * span;
    setAt(counts.findIndex((_, place) => edge >= bins[place] && edge <= bins[place + 1]));
  };
  const mean = total ? counts.reduce((sum, one, place) => sum + (one * (bins[place] + bins[place + 1])) / 2, 0) / total : null;
  return html`<figure class="bars" tabindex="0" aria-label=${`Histogram ${name}: ${number(total)} values from ${number(least)} to ${number(bins[bins.length - 1])}`} onKeyDown=${move} onBlur=${() => setAt(-1)}>
    <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true" onPointerMove=${look} onPointerLeave=${() => setAt(-1)}>
      ${counts.map((count, place) => {
        const height = (count / most) * (HEIGHT - 4);
        const width = xOf(bins[place + 1]) - xOf(bins[place]);
        return html`<rect key=${place} class=${place === at ? "bar-at" : "bar-of"} x=${xOf(bins[place])} y=${HEIGHT - height} width=${Math.max(0.5, width - (width > 3 ? 0.8 : 0))} height=${height} />`;
      })}
    </svg>
    <div class="bar-ends"><span>${number(least, 4)}</span><span>${number(bins[bins.length - 1], 4)}</span></div>
    <figcaption class="readout" aria-live="polite">${at >= 0 ? `${number(bins[at], 4)} to ${number(bins[at + 1], 4)}: ${number(counts[at])} (${((counts[at] / (total || 1)) * 100).toFixed(1)} %)` : `${number(total)} values, mean about ${number(mean, 4)}`}</figcaption>
  </figure>`;
}
