// How charts are drawn: what is shown, along what, how smooth.
import { html, useEffect, useRef, useState } from "../../../core/dom.js";
import { AS_DEFINED, AXES } from "./axis.js";

const MAX_CHOICES = 200;

/** @param {any} props */
export function Toolbar({ keys, hasEpochs, x, setX, search, setSearch, smoothing, setSmoothing, logs, setLogs, zoom, reset, count }) {
  const hasDefined = keys.some((one) => one.x);
  const metrics = [...new Set([...keys.map((one) => one.x).filter(Boolean), ...keys.slice(0, MAX_CHOICES).map((one) => one.key)])];
  const chosen = x === AS_DEFINED && !hasDefined ? "step" : x;
  const known = [AS_DEFINED, ...AXES.map(([name]) => name), ...metrics.map((key) => `key:${key}`)];
  const toggle = (letter) => setLogs(logs.includes(letter) ? logs.replace(letter, "") : logs + letter);
  return html`<div class="tools charts-tools" role="group" aria-label="How the charts are drawn">
    <${Patient} type="search" placeholder="Search metrics" aria-label="Search metrics" value=${search} set=${setSearch} />
    <label>Along <select value=${chosen} onChange=${(event) => setX(event.target.value)}>
      ${hasDefined && html`<option value=${AS_DEFINED}>as defined</option>`}
      ${AXES.filter(([name]) => name !== "epoch" || hasEpochs).map(([name, title]) => html`<option value=${name}>${title.toLowerCase()}</option>`)}
      ${!known.includes(x) && html`<option value=${x}>${x.replace(/^key:/, "")}</option>`}
      <optgroup label="a metric">${metrics.map((key) => html`<option value=${`key:${key}`}>${key}</option>`)}</optgroup>
    </select></label>
    <label class="slide">Smooth <${Patient} type="range" min="0" max="0.999" step="0.001" value=${String(smoothing)} set=${setSmoothing} /><output>${smoothing || "off"}</output></label>
    <label><input type="checkbox" checked=${logs.includes("x")} onChange=${() => toggle("x")} /> log x</label>
    <label><input type="checkbox" checked=${logs.includes("y")} onChange=${() => toggle("y")} /> log y</label>
    ${zoom && html`<button type="button" class="primary" onClick=${reset}>Show everything</button>`}
    <span class="grow"></span><span class="quiet" role="status">${`${count === keys.length ? "" : `${count} of `}${keys.length} ${keys.length === 1 ? "chart" : "charts"}`}</span>
  </div>`;
}

/** An input that tells of a change when the hand rests. @param {any} props */
export function Patient({ value, set, ...rest }) {
  const [now, setNow] = useState(value);
  const timer = useRef(0);
  useEffect(() => {
    clearTimeout(timer.current);
    setNow(value);
  }, [value]);
  const change = (event) => {
    const next = event.target.value;
    setNow(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => set(next), 120);
  };
  return html`<input ...${rest} value=${now} onInput=${change} />`;
}
