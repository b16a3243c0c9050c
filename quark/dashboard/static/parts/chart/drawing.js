// What is drawn on the canvas besides the lines.
import { go } from "../../core/router.js";
import { color } from "../../core/theme.js";

/** @param {any} plot @param {{ from: number, to: number, label: string }[] | undefined} bands */
export function drawBands(plot, bands) {
  if (!bands?.length) return;
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.font = `${10 * ratio}px system-ui`;
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  bands.forEach((band, index) => {
    const from = Math.max(bbox.left, place(plot, band.from));
    const to = Math.min(bbox.left + bbox.width, place(plot, band.to));
    if (!(to > from)) return;
    ctx.fillStyle = color(index % 2 ? "--band-b" : "--band-a");
    ctx.fillRect(from, bbox.top, to - from, bbox.height);
    if (ctx.measureText(band.label).width + 12 * ratio > to - from) return;
    ctx.fillStyle = color("--quiet");
    // Above the lines, mostly, and beside the dot of an alert that begins here.
    ctx.fillText(band.label, from + 8 * ratio, bbox.top + 12 * ratio);
  });
  ctx.restore();
}

/** @param {any} plot @param {import("../chart.js").ChartMark[] | undefined} marks */
export function drawMarks(plot, marks) {
  if (!marks?.length) return;
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  for (const mark of marks) {
    const at = place(plot, mark.x);
    if (!(at >= bbox.left && at <= bbox.left + bbox.width)) continue;
    ctx.strokeStyle = toneColor(mark.tone);
    ctx.fillStyle = ctx.strokeStyle;
    ctx.lineWidth = ratio;
    ctx.setLineDash([4 * ratio, 4 * ratio]);
    ctx.beginPath();
    ctx.moveTo(at, bbox.top);
    ctx.lineTo(at, bbox.top + bbox.height);
    ctx.stroke();
    ctx.beginPath();
    ctx.arc(at, bbox.top + 5 * ratio, 4 * ratio, 0, 7);
    ctx.fill();
  }
  ctx.restore();
}

/**
 * NaN is a cross at the bottom, an infinity an arrow at its end of the axis.
 * @param {any} plot @param {import("../chart.js").ChartSeries[]} series @param {boolean} [logX]
 */
export function drawBad(plot, series, logX) {
  const { ctx, bbox } = plot;
  const size = 3.5 * devicePixelRatio;
  const bottom = bbox.top + bbox.height - size - devicePixelRatio;
  const top = bbox.top + size + devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = color("--bad");
  ctx.fillStyle = ctx.strokeStyle;
  ctx.lineWidth = 1.5 * devicePixelRatio;
  for (const one of series) {
    for (const [x, , what] of one.bad ?? []) {
      if (logX && x <= 0) continue;
      const at = place(plot, x);
      if (!(at >= bbox.left && at <= bbox.left + bbox.width)) continue;
      ctx.beginPath();
      if (what === "Infinity" || what === "-Infinity") {
        const tip = what === "Infinity" ? top - size : bottom + size;
        const base = what === "Infinity" ? top + size : bottom - size;
        ctx.moveTo(at, tip);
        ctx.lineTo(at + size, base);
        ctx.lineTo(at - size, base);
        ctx.fill();
      } else {
        ctx.moveTo(at - size, bottom - size);
        ctx.lineTo(at + size, bottom + size);
        ctx.moveTo(at + size, bottom - size);
        ctx.lineTo(at - size, bottom + size);
        ctx.stroke();
      }
    }
  }
  ctx.restore();
}

/** Lay a link over each mark that leads somewhere. @param {any} plot @param {import("../chart.js").ChartMark[] | undefined} marks */
export function placeLinks(plot, marks) {
  for (const old of plot.over.querySelectorAll(".mark")) old.remove();
  const { min, max } = plot.scales.x;
  for (const mark of marks ?? []) {
    const to = mark.to;
    if (!to || mark.x < min || mark.x > max) continue;
    const link = document.createElement("a");
    link.className = "mark";
    link.href = `/ui${to}`;
    link.title = mark.label;
    link.setAttribute("aria-label", mark.label);
    link.style.left = `${plot.valToPos(mark.x, "x")}px`;
    link.addEventListener("mousedown", (event) => event.stopPropagation());
    link.addEventListener("click", (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      go(to);
    });
    plot.over.append(link);
  }
}

/** @param {any} plot @param {number} x  in pixels of the canvas */
function place(plot, x) {
  return plot.valToPos(plot.scales.x.distr === 3 ? Math.max(x, Number.MIN_VALUE) : x, "x", true);
}

/** @param {string} tone */
function toneColor(tone) {
  return color(`--${tone}`) || color("--warn");
}
