// Which settings lead where: each run a line through what it was set to and what came out.
import { html, useMemo } from "../../core/dom.js";
import { segment } from "../../core/api.js";
import { go, useQuery } from "../../core/router.js";
import { Parallel as Picture, axisOf } from "../../parts/parallel.js";
import { Popover } from "../../parts/menu.js";
import { Empty } from "../../parts/states.js";

const FIRST = 7;

/** @param {{ runs: import("../compare.js").ComparedRun[], data: any }} props */
export function Parallel({ runs, data }) {
  const [named, setNamed] = useQuery("axis", /** @type {string[]} */ ([]));
  const [colored, setColored] = useQuery("color", "");
  const [flipped, setFlipped] = useQuery("scale", /** @type {string[]} */ ([]));
  const [brushed, setBrushed] = useQuery("brush", /** @type {string[]} */ ([]));
  const visible = runs.filter((run) => !run.hidden);
  const places = useMemo(() => new Map(data.runs.map((run, place) => [run.id, place])), [data]);
  const known = useMemo(() => {
    const every = [...data.config.map((row) => ({ ...row, id: `config.${row.key}` })), ...data.summary.map((row) => ({ ...row, id: `summary.${row.key}` }))];
    return every
      .flatMap((row) => axisOf(row.id, visible.map((run) => row.values[places.get(run.id)]?.[0])) ?? [])
      .map((axis) => ({ ...axis, differs: axis.domain.length > 1 && axis.domain[0] !== axis.domain[axis.domain.length - 1] }));
  }, [data, visible.map((run) => run.id).join("\n")]);
  const chosen = named.length ? named : usual(known);
  const axes = chosen
    .flatMap((id) => known.filter((axis) => axis.id === id))
    .map((axis) => (flipped.includes(axis.id) && axis.canLog ? { ...axis, log: !axis.log } : axis));
  const color = colored || chosen[chosen.length - 1] || "";
  const colorAxis = axes.find((axis) => axis.id === color) ?? known.find((axis) => axis.id === color);
  const lines = visible.map((run, place) => ({ id: run.id, name: run.name, at: place }));
  const brushes = useMemo(() => readBrushes(brushed), [brushed.join("\n")]);
  if (runs.length < 2) return html`<${Empty} title="One run alone shows nothing here.">Add the runs of a sweep above.<//>`;
  if (!known.some((axis) => axis.differs)) return html`<${Empty} title="These runs are set up alike and ended alike.">Numbers and words of their config and summary that differ become axes here.<//>`;
  const toggle = (id) => setNamed(chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen, id]);
  const move = (id, by) => {
    const from = chosen.indexOf(id);
    const to = Math.max(0, Math.min(chosen.length - 1, from + by));
    const next = chosen.filter((one) => one !== id);
    next.splice(to, 0, id);
    setNamed(next);
  };
  const flip = (id) => setFlipped(flipped.includes(id) ? flipped.filter((one) => one !== id) : [...flipped, id]);
  const brush = (id, range) => setBrushed([...brushed.filter((one) => readBrush(one)?.id !== id), ...(range ? [writeBrush(id, range)] : [])]);
  return html`<div><div class="tools">
      <${Popover} label=${`Axes (${axes.length})`} title="Choose the axes">
        <div class="choose-axes">${known.map(
          (axis) => html`<label key=${axis.id}><input type="checkbox" checked=${chosen.includes(axis.id)} onChange=${() => toggle(axis.id)} /> <span class="mono">${axis.id}</span>${axis.differs ? "" : html` <span class="quiet">same in all</span>`}</label>`,
        )}</div>
      <//>
      <label>Colour by <select value=${color} onChange=${(event) => setColored(event.currentTarget.value)}>${known.filter((axis) => axis.differs).map((axis) => html`<option key=${axis.id} value=${axis.id}>${axis.id}</option>`)}</select></label>
      ${brushed.length > 0 && html`<button type="button" onClick=${() => setBrushed([])}>Forget the ranges</button>`}
      ${(named.length > 0 || flipped.length > 0) && html`<button type="button" onClick=${() => { setNamed([]); setFlipped([]); }}>Usual axes</button>`}
    </div>
    <${Picture} axes=${axes} lines=${lines} colorAxis=${colorAxis} brushes=${brushes} onBrush=${brush} onMove=${move} onFlip=${flip} onOpen=${(id) => go(`/runs/${segment(id)}`)} /></div>`;
}

/** The settings that differ, and one number that came out: the last axis. @param {any[]} known */
function usual(known) {
  const settings = known.filter((axis) => axis.id.startsWith("config.") && axis.differs);
  const outcomes = known.filter((axis) => axis.id.startsWith("summary.") && axis.differs && axis.kind === "number" && !axis.id.startsWith("summary._"));
  const wanted = [/val.*(acc|f1|auc)/i, /val.*loss/i, /acc|f1|auc/i, /loss/i];
  const best = wanted.map((form) => outcomes.find((axis) => form.test(axis.id))).find(Boolean) ?? outcomes[0];
  const shown = settings.slice(0, FIRST - 1).map((axis) => axis.id);
  return best ? [...shown, best.id] : shown;
}

/** A range in the address: `config.lr~0.001~0.1`, or `config.optimizer~~adam~sgd`. @param {string} text */
function readBrush(text) {
  const [id, first, ...rest] = text.split("~").map(decodeURIComponent);
  if (!id || first === undefined || !rest.length) return null;
  if (first === "") return { id, range: rest };
  const range = [Number(first), Number(rest[0])];
  return range.every(Number.isFinite) ? { id, range } : null;
}

/** @param {string} id @param {any[]} range */
function writeBrush(id, range) {
  const isWords = typeof range[0] === "string" || range.length !== 2;
  const parts = isWords ? ["", ...range] : range.map((value) => Number(value.toPrecision(6)));
  return [id, ...parts].map((part) => encodeURIComponent(String(part)).replaceAll("~", "%7E")).join("~");
}

/** @param {string[]} texts @returns {Record<string, any[]>} */
function readBrushes(texts) {
  return Object.fromEntries(texts.map(readBrush).filter((one) => one !== null).map((one) => [one.id, one.range]));
}
