// The parts of a logged value. Whatever a part says is text; its files are only ever shown as what
// the server says they are.
import { html, useState } from "../../core/dom.js";
import { bytes } from "../../core/format.js";
import { Dialog } from "../dialog.js";
import { Bars } from "./bars.js";
import { Picture } from "./picture.js";
import { MediaTable } from "./table.js";

const AT_FIRST = 6;

/** @param {{ from: import("./files.js").Shelf, items: any[], name: string }} props */
export function Items({ from, items, name }) {
  const [all, setAll] = useState(false);
  const images = items.filter((item) => item.kind === "image" && !item.missing && !item.reference);
  const others = items.filter((item) => !images.includes(item));
  const shown = all ? images : images.slice(0, AT_FIRST);
  return html`<div>
    ${images.length > 0 && html`<${Pictures} from=${from} images=${shown} every=${images} name=${name} />`}
    ${images.length > AT_FIRST && html`<button type="button" onClick=${() => setAll(!all)}>${all ? "Show fewer" : `Show all ${images.length}`}</button>`}
    ${others.map((item, place) => html`<${Item} key=${place} from=${from} item=${item} name=${name} />`)}
  </div>`;
}

function Item({ from, item, name }) {
  if (item.kind === "more") return html`<p class="quiet">and ${item.count} more, which are not shown.</p>`;
  if (item.kind === "lost") return html`<p class="notice warn">${item.reason}</p>`;
  if (item.reference) return html`<p>Lies elsewhere: <span class="mono">${item.reference}</span></p>`;
  if (item.missing) return html`<p class="notice warn">Its file <span class="mono">${item.path}</span> is not in the store: it was removed, or not sent yet.</p>`;
  if (item.kind === "histogram") return html`<${Bars} name=${name} bins=${item.bins} counts=${item.counts} />`;
  if (item.kind === "value") return html`<pre class="value" tabindex="0" aria-label=${name}>${item.value}</pre>`;
  if (item.kind === "table") return html`<${MediaTable} from=${from} item=${item} name=${name} />`;
  const caption = item.caption ? html`<figcaption>${item.caption}</figcaption>` : null;
  if (item.kind === "audio") {
    return html`<figure class="medium"><audio controls preload="metadata" src=${from.file(item)} aria-label=${item.caption || name}></audio>${caption}</figure>`;
  }
  if (item.kind === "video") {
    const isFilm = !/\.gif$/i.test(item.path);
    return html`<figure class="medium">${
      isFilm
        ? html`<video controls loop playsinline preload="metadata" src=${from.file(item)} aria-label=${item.caption || name}></video>`
        : html`<img src=${from.file(item)} alt=${item.caption || name} />`
    }${caption}</figure>`;
  }
  if (item.kind === "html") return html`<${HtmlPage} from=${from} item=${item} name=${name} caption=${caption} />`;
  return html`<figure class="medium"><${Save} from=${from} item=${item} />${caption}</figure>`;
}

/** HTML that somebody logged runs here as nobody: no origin, no cookies, nothing is loaded. */
function HtmlPage({ from, item, name, caption }) {
  const [large, enlarge] = useState(false);
  const frame = (css) =>
    html`<iframe class=${css} sandbox="allow-scripts" referrerpolicy="no-referrer" loading="lazy" src=${from.file(item, "page")} title=${`HTML that was logged as ${name}`}></iframe>`;
  return html`<figure class="medium">
    ${frame("logged-page")}
    <div class="tools"><span class="quiet">In a sandbox: it reaches nothing and loads nothing.</span><span class="grow"></span>
      <button type="button" onClick=${() => enlarge(true)}>Enlarge</button><${Save} from=${from} item=${item} /></div>
    ${caption}
    ${large && html`<${Dialog} title=${name} wide=${true} close=${() => enlarge(false)}>${frame("logged-page large")}<//>`}
  </figure>`;
}

/** @param {{ from: import("./files.js").Shelf, item: any }} props */
export function Save({ from, item }) {
  const name = item.path.slice(item.path.lastIndexOf("/") + 1);
  return html`<a class="button" href=${from.file(item, "saved")} download=${name} title=${item.path}>Save <span class="quiet">${bytes(item.size)}</span><span class="unseen"> of ${name}</span></a>`;
}

/** Pictures share what is drawn over them: which layers, which classes. */
function Pictures({ from, images, every, name }) {
  const [off, setOff] = useState(/** @type {string[]} */ ([]));
  const [large, enlarge] = useState(-1);
  const layers = [...new Set(every.flatMap((one) => [...one.masks.map((mask) => `mask ${mask.name}`), ...one.boxes.map((layer) => `boxes ${layer.name}`)]))];
  const classes = new Map();
  for (const one of every) for (const layer of [...one.masks, ...one.boxes]) for (const [id, label] of Object.entries(layer.labels)) classes.set(id, label);
  const scores = every.some((one) => one.boxes.some((layer) => layer.boxes.some((box) => Object.keys(box.scores).length)));
  const [least, setLeast] = useState(0);
  const toggle = (what) => setOff(off.includes(what) ? off.filter((one) => one !== what) : [...off, what]);
  const pictures = (list, css) =>
    html`<div class=${css}>${list.map((one, place) => html`<${Picture} key=${one.path + place} from=${from} item=${one} name=${name} off=${off} least=${least} open=${() => enlarge(every.indexOf(one))} />`)}</div>`;
  const box = (what, label, swatch) => html`<label key=${what} class="layer">
    <input type="checkbox" checked=${!off.includes(what)} onChange=${() => toggle(what)} />${swatch !== undefined && html`<svg width="11" height="11" aria-hidden="true"><rect width="11" height="11" rx="2" fill=${classColor(swatch)} /></svg>`} ${label}</label>`;
  const tools =
    layers.length > 0 &&
    html`<details class="layers-of" open=${classes.size <= 12}><summary>Layers and classes</summary>
      <div class="layer-list">${layers.map((one) => box(one, one))}</div>
      <div class="layer-list">${[...classes].map(([id, label]) => box(`class ${id}`, label, id))}</div>
      ${scores && html`<label class="layer">Scores from <input type="range" min="0" max="1" step="0.01" value=${least} onInput=${(event) => setLeast(Number(event.currentTarget.value))} /> <span class="quiet">${least.toFixed(2)}</span></label>`}
    </details>`;
  const at = every[large];
  return html`<div>${tools}${pictures(images, images.length > 1 ? "pictures" : "pictures one")}
    ${at &&
    html`<${Dialog} title=${`${name}${at.caption ? `: ${at.caption}` : ""}`} wide=${true} close=${() => enlarge(-1)}>
      ${tools}
      <div class="pictures large"><${Picture} from=${from} item=${at} name=${name} off=${off} least=${least} large=${true} /></div>
      <div class="tools">
        ${every.length > 1 && html`<button type="button" disabled=${large === 0} onClick=${() => enlarge(large - 1)}>‹ Before</button><button type="button" disabled=${large === every.length - 1} onClick=${() => enlarge(large + 1)}>Next ›</button>
          <span class="quiet">${large + 1} of ${every.length}</span>`}
        <span class="grow"></span>${at.width && html`<span class="quiet">${at.width} × ${at.height}</span>`} <${Save} from=${from} item=${at} />
      </div>
    <//>`}</div>`;
}

const HUES = ["#4c5fd5", "#e8590c", "#12876f", "#c026d3", "#c99700", "#0891d1", "#e11d48", "#65a30d", "#7c3aed", "#94a3b8", "#b45309", "#0d9488"];

/** The colour of a class: the same everywhere. @param {string | number} id */
export function classColor(id) {
  const number = Number(id);
  const place = Number.isInteger(number) ? number : [...String(id)].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
  return HUES[((place % HUES.length) + HUES.length) % HUES.length];
}
