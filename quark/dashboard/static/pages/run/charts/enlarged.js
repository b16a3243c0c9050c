// A chart as large as the window, with as many points as that shows.
import { html, useEffect, useRef } from "../../../core/dom.js";
import { Chart } from "../../../parts/chart.js";
import { Loading } from "../../../parts/states.js";
import { useSeries } from "./batch.js";
import { Export } from "./export.js";
import { asked, useChart } from "./panel.js";

/** @param {{ view: any, title: string, axis: string, unit: string, lines: any[], marks: any, close: () => void }} props */
export function Enlarged({ view, title, axis, unit, lines, marks, close }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const { value, error } = useSeries(lines.map((line) => line.key), asked(view, axis, 2000), { seen: true, revision: view.revision });
  const props = useChart({ view, title, unit, lines, marks, value, axis, height: Math.max(220, Math.round(innerHeight * 0.92) - 105) });
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  const outside = (event) => event.target === dialog.current && close();
  return html`<dialog class="large" ref=${dialog} onClose=${close} onClick=${outside} aria-label=${title}>
    <div class="large-inside">
      <div class="panel-head">
        <h2>${title}</h2>
        ${props && html`<${Export} title=${title} place=${dialog} chart=${props} axis=${props.axis} />`}
        ${view.zoom && html`<button type="button" onClick=${() => view.setZoom(null)}>Show everything</button>`}
        <button type="button" onClick=${close}>Close</button>
      </div>
      ${props ? html`<${Chart} ...${props} legend=${lines.length > 1} group="large" />` : error ? html`<p role="alert">${error.message}</p>` : html`<${Loading} />`}
    </div>
  </dialog>`;
}
