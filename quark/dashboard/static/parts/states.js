// What stands where data is not: it is on its way, there is none, or something went wrong.
import { html, useErrorBoundary } from "../core/dom.js";

/** @param {{ what?: string }} props */
export function Loading({ what = "Loading" }) {
  return html`<div class="state" role="status"><span class="spinner" aria-hidden="true"></span>${what}…</div>`;
}

/** `children` says what would fill the place. @param {{ title: string, children?: any }} props */
export function Empty({ title, children }) {
  return html`<div class="state empty"><strong>${title}</strong>${children ? html`<div>${children}</div>` : null}</div>`;
}

/** @param {{ error: Error, retry?: () => void }} props */
export function Failure({ error, retry }) {
  return html`<div class="state failure" role="alert">
    <strong>This could not be shown.</strong>
    <div>${error.message}</div>
    ${retry ? html`<button type="button" onClick=${retry}>Try again</button>` : null}
  </div>`;
}

/**
 * Show `children(value)` once there is a value; else why there is none.
 * @param {{ data: import("../core/data.js").Data, what?: string, children: (value: any) => any }} props
 */
export function When({ data, what, children }) {
  const show = Array.isArray(children) ? children[0] : children;
  if (data.value !== null) return show(data.value);
  if (data.error) return html`<${Failure} error=${data.error} retry=${data.reload} />`;
  return html`<${Loading} what=${what} />`;
}

/** Keeps a fault in one part of a page from taking the rest with it. */
export function Guarded({ children }) {
  const [error, forget] = useErrorBoundary((fault) => console.error(fault));
  return error ? html`<${Failure} error=${error} retry=${forget} />` : children;
}
