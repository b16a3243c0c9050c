// An image, and over it what was found in it: masks, a colour for each class, and boxes.
import { html, useEffect, useRef, useState } from "../../core/dom.js";
import { number } from "../../core/format.js";
import { classColor } from "./items.js";

/**
 * @param {{ from: import("./files.js").Shelf, item: any, name: string, off?: string[], least?: number, large?: boolean, open?: () => void }} props  `off`: layers and
 *   classes that are not drawn; `least`: the lowest score of a box that is
 */
export function Picture({ from, item, name, off = [], least = 0, large = false, open }) {
  const [size, setSize] = useState(item.width && item.height ? [item.width, item.height] : null);
  const [failed, fail] = useState(false);
  const masks = item.masks.filter((mask) => !off.includes(`mask ${mask.name}`) && !mask.missing && !mask.reference);
  const boxes = item.boxes.filter((layer) => !off.includes(`boxes ${layer.name}`)).flatMap((layer) => layer.boxes.map((box) => ({ ...box, label: layer.labels[String(box.class_id)] })));
  const drawn = boxes.filter((box) => !off.includes(`class ${box.class_id}`) && Object.values(box.scores).every((score) => score >= least));
  const small = size && Math.max(...size) < 64;
  const image = html`<img class=${small ? "pixels" : ""} loading="lazy" src=${from.file(item)} alt=${item.caption || name} onLoad=${(event) => setSize([event.currentTarget.naturalWidth, event.currentTarget.naturalHeight])} onError=${() => fail(true)} />`;
  const inside = html`${failed ? html`<span class="quiet">This image cannot be drawn here.</span>` : image}
    ${!failed && size && masks.map((mask) => html`<${Mask} key=${mask.path} address=${from.file(mask)} off=${off} />`)}
    ${!failed && size && drawn.length > 0 && html`<${Boxes} boxes=${drawn} size=${size} />`}`;
  return html`<figure class=${large ? "picture large" : "picture"} style=${large && size ? { maxWidth: `calc(70vh * ${size[0] / size[1]})` } : undefined}>
    ${open ? html`<button type="button" class="picture-button" onClick=${open} title="Enlarge"><span class="unseen">Enlarge </span>${inside}</button>` : html`<div class="picture-button">${inside}</div>`}
    ${item.caption && !large && html`<figcaption title=${item.caption}>${item.caption}</figcaption>`}
  </figure>`;
}

/** The grey of a mask's pixel is the number of its class. */
function Mask({ address, off }) {
  const place = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const [image, setImage] = useState(/** @type {HTMLImageElement | null} */ (null));
  useEffect(() => {
    const loading = new Image();
    loading.onload = () => setImage(loading);
    loading.src = address;
    return () => {
      loading.onload = null;
    };
  }, [address]);
  useEffect(() => {
    const canvas = place.current;
    if (!canvas || !image) return;
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
    pen.drawImage(image, 0, 0);
    const pixels = pen.getImageData(0, 0, canvas.width, canvas.height);
    const colors = Array.from({ length: 256 }, (_, id) => (off.includes(`class ${id}`) ? null : rgb(classColor(id))));
    for (let at = 0; at < pixels.data.length; at += 4) {
      const color = colors[pixels.data[at]];
      if (color) [pixels.data[at], pixels.data[at + 1], pixels.data[at + 2]] = color;
      pixels.data[at + 3] = color ? 115 : 0;
    }
    pen.putImageData(pixels, 0, 0);
  }, [image, off.join("\n")]);
  return html`<canvas class="mask" ref=${place} aria-hidden="true"></canvas>`;
}

/** @param {string} hex */
function rgb(hex) {
  return [1, 3, 5].map((place) => Number.parseInt(hex.slice(place, place + 2), 16));
}

function Boxes({ boxes, size }) {
  const [width, height] = size;
  const unit = Math.max(width, height) / 100;
  return html`<svg class="boxes" viewBox=${`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
    ${boxes.map((box, place) => {
      const [x0, y0, x1, y1] = [box.edges[0] * width, box.edges[1] * height, box.edges[2] * width, box.edges[3] * height];
      const color = classColor(box.class_id ?? 0);
      const text = [box.caption || box.label || (box.class_id ?? ""), ...Object.values(box.scores).slice(0, 1).map((score) => number(score, 2))].join(" ").trim();
      const above = y0 > unit * 5;
      return html`<g key=${place}>
        <rect x=${x0} y=${y0} width=${Math.max(0, x1 - x0)} height=${Math.max(0, y1 - y0)} fill="none" stroke=${color} stroke-width=${unit * 0.7} />
        ${text && html`<text x=${x0} y=${above ? y0 - unit : y0 + unit * 4.6} font-size=${unit * 4.4} fill="#fff" stroke=${color} stroke-width=${unit * 1.4} paint-order="stroke">${text}</text>`}
        <title>${text}</title>
      </g>`;
    })}
  </svg>`;
}
