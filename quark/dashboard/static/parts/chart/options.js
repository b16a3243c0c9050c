// What uPlot is told: scales, axes, lines.
import { bytes, compact, elapsed, number } from "../../core/format.js";
import { color, seriesColor } from "../../core/theme.js";
import { logTicks, roomy, roomyLog, ticks } from "./ticks.js";

const HOUR = 3600;
const DAY = 24 * HOUR;
/** Where an axis of elapsed time may have its ticks, in seconds. */
const CLOCK = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, ...[1, 2, 5, 10, 20, 50, 100, 200, 500].map((days) => days * DAY)];
const FROM_ZERO = new Set(["bytes", "bytes/s", "W"]);

/** Write a value with its unit. @param {number | null | undefined} value @param {string} unit */
export function withUnit(value, unit) {
  if (value === null || value === undefined || !unit) return number(value);
  if (unit === "bytes") return bytes(value);
  if (unit === "bytes/s") return `${bytes(value)}/s`;
  return `${number(value, 4)} ${unit}`;
}

/** Write a place on the axis. @param {number} x @param {string} kind */
export function whereText(x, kind) {
  if (kind === "time") return new Date(x * 1000).toLocaleString(undefined, { hour12: false });
  return kind === "elapsed" ? elapsed(x) : number(x, 7);
}

/**
 * @param {import("../chart.js").ChartProps} props @param {import("./align.js").Drawn} drawn
 * @param {number} width @param {Record<string, any>} hooks
 */
export function options(props, drawn, width, hooks) {
  const { series, height = 220, logX, logY, xKind = "number", unit = "", group } = props;
  const line = color("--line");
  const axis = { stroke: color("--quiet"), grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1, size: 4 }, font: "11px system-ui", gap: 3 };
  const lines = [];
  const bands = [];
  series.forEach((one, index) => {
    const stroke = seriesColor(one.color ?? index);
    const few = { show: one.x.length < 3, size: 6, fill: stroke };
    const { raw, min, max } = drawn.places[index];
    lines.push({ label: one.label, stroke, width: 1.5, spanGaps: true, points: few });
    if (raw) lines.push({ label: `${one.label}, as it is`, stroke: `${stroke}59`, width: 1, spanGaps: true, points: { show: false } });
    if (min) {
      for (const edge of ["least", "most"]) lines.push({ label: `${one.label}, ${edge}`, stroke: "transparent", width: 0, points: { show: false }, spanGaps: true });
      bands.push({ series: [max, min], fill: `${stroke}2e` });
    }
  });
  const isLine = new Set(drawn.places.map((place) => place.line));
  const xValues = { number: (_, ticks) => ticks.map((tick) => (tick === null ? "" : compact(tick))), elapsed: (_, ticks) => ticks.map((tick) => (tick === null ? "" : elapsed(tick))) }[xKind];
  return {
    width,
    height,
    class: "plot",
    scales: {
      x: { time: xKind === "time", distr: logX ? 3 : 1, range: (_, low, high) => (low === null || high === null ? [1, 2] : logX ? roomyLog(low, high) : roomy(low, high)) },
      y: logY ? { distr: 3, range: (_, low, high) => logRange(low, high) } : { range: (_, low, high) => padded(low, high, unit) },
    },
    axes: [
      { ...axis, ...(xKind === "time" && !logX ? {} : { splits: logX ? logTicks : ticks }), size: 26, space: xKind === "number" ? 50 : 64, ...(xValues ? { values: xValues } : {}), ...(xKind === "elapsed" && !logX ? { incrs: CLOCK } : {}), ...(logX ? { incrs: wide } : xKind === "number" ? { incrs: series.every((one) => one.x.every(Number.isInteger)) ? WHOLE : STEPS } : {}) },
      {
        ...axis,
        splits: logY ? logTicks : ticks,
        // uPlot knows no step for more than 32 powers of ten, nor one below 5 that it was not told before, and
        // would draw no axis at all. Which ticks of a logarithm there are is ours to say.
        ...(logY ? { incrs: wide, filter: (_, splits) => splits } : { incrs: STEPS }),
        space: 30,
        size: (_, values) => Math.max(34, ...(values ?? []).map((value) => String(value ?? "").length * 6.2 + 12)),
        values: (_, ticks) => labelled(ticks, logY).map((tick) => (tick === null ? "" : tickText(tick, unit))),
        ...(unit.startsWith("bytes") && !logY ? { incrs: BINARY } : {}),
      },
    ],
    series: [{}, ...lines],
    bands,
    legend: { show: false },
    // With several lines, the one that is pointed at stands out.
    ...(series.length > 1 ? { focus: { alpha: 0.22 } } : {}),
    cursor: { ...(series.length > 1 ? { focus: { prox: 24, dist: (_, index, __, value, at) => (isLine.has(index) ? value - at : Infinity) } } : {}), y: false, drag: { x: true, y: false, setScale: false }, sync: group ? { key: group, setSeries: false } : undefined, points: { size: 6 } },
    padding: [8, 8, 0, 0],
    hooks,
  };
}

/** Round steps of sizes: 1, 2, 5, 10 … of a unit. */
const BINARY = Array.from({ length: 5 }, (_, power) => [1, 2, 5, 10, 20, 50, 100, 200, 500].map((many) => many * 1024 ** power)).flat();

/** One step, as wide as the axis. @param {any} _ @param {number} __ @param {number} low @param {number} high */
function wide(_, __, low, high) {
  return [Math.max(high - low, 5)];
}

/** Steps for all numbers: uPlot's own end at 5e32, and without a step there is no axis. */
const STEPS = Array.from({ length: 324 }, (_, place) => [1, 2, 2.5, 5].map((many) => Number(`${many}e${place - 16}`))).flat();
/** Steps for what is counted: there is nothing at half a training step. */
const WHOLE = STEPS.filter(Number.isInteger);
/** Which digit is rather shown than another. */
const FIRST = [1, 5, 2, 3, 7];
/** How much of an axis a label needs. */
const ROOM = 0.085;

/**
 * Which ticks have a label: of a logarithm those that have room for one, round ones rather than others.
 * @param {(number | null)[]} ticks @param {boolean | undefined} logY @returns {(number | null)[]}
 */
export function labelled(ticks, logY) {
  const there = /** @type {number[]} */ (ticks.filter((tick) => tick !== null));
  if (!logY || there.length < 2) return ticks;
  const span = Math.log10(there[there.length - 1]) - Math.log10(there[0]);
  const rank = (tick) => (isRound(tick) && FIRST.includes(firstDigit(tick)) ? FIRST.indexOf(firstDigit(tick)) : FIRST.length);
  const kept = /** @type {number[]} */ ([]);
  for (const tick of [...there].sort((one, other) => rank(one) - rank(other) || one - other)) {
    if (kept.every((one) => Math.abs(Math.log10(one) - Math.log10(tick)) >= span * ROOM)) kept.push(tick);
  }
  return ticks.map((tick) => (tick !== null && kept.includes(tick) ? tick : null));
}

/** @param {number} tick */
function firstDigit(tick) {
  return Math.round(tick / 10 ** Math.floor(Math.log10(tick) + 1e-9)) % 10 || 1;
}

/** Whether a tick of a logarithm is one of 1, 2 … 9 times a power of ten. @param {number} tick */
function isRound(tick) {
  const first = tick / 10 ** Math.floor(Math.log10(tick) + 1e-9);
  return Math.abs(first - Math.round(first)) < 1e-6;
}

/** @param {number} tick @param {string} unit */
function tickText(tick, unit) {
  if (unit === "%") return `${compact(tick)} %`;
  return unit.startsWith("bytes") ? withUnit(tick, unit) : compact(tick);
}

/** @param {number | null} low @param {number | null} high @param {string} unit @returns {[number, number]} */
function padded(low, high, unit) {
  if (low === null || high === null) return [0, 1];
  if (unit === "%" && low >= 0 && high <= 100) return [0, 100];
  if (FROM_ZERO.has(unit) && low >= 0) return [0, high > 0 ? high * 1.06 : 1];
  if (low === high) return roomy(low - Math.abs(low || 1) * 0.1, high + Math.abs(high || 1) * 0.1);
  const room = (high - low) * 0.06;
  return roomy(low - room, high + room);
}

/** @param {number | null} low @param {number | null} high @returns {[number, number]} */
function logRange(low, high) {
  if (low === null || high === null || !(low > 0)) return [0.1, 10];
  const room = low === high ? 2 : Math.max(1.05, (high / low) ** 0.05);
  return roomyLog(low / room, high * room);
}
