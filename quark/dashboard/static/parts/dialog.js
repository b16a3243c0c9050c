// Windows over the page, by the browser's own <dialog>: it keeps the focus, and Escape closes it.
import { html, useEffect, useRef, useState } from "../core/dom.js";

/** @param {{ title: string, close: () => void, children?: any, wide?: boolean }} props */
export function Dialog({ title, close, children, wide = false }) {
  const place = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    const dialog = place.current;
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    dialog?.showModal();
    return () => {
      dialog?.close();
      before?.focus?.();
    };
  }, []);
  const outside = (event) => event.target === place.current && close();
  return html`<dialog class=${`dialog ${wide ? "wide" : ""}`} aria-label=${title} ref=${place} onCancel=${(event) => (event.preventDefault(), close())} onMouseDown=${outside}>
    <div class="dialoghead"><h2>${title}</h2><span class="grow"></span><button type="button" class="ghost" aria-label="Close" onClick=${close}>✕</button></div>
    ${children}
  </dialog>`;
}

/**
 * Ask before something is done. `act` may take its time; what it throws is shown.
 * @param {{ title: string, action: string, act: () => any, close: () => void, danger?: boolean, disabled?: boolean, children?: any }} props
 */
export function Confirm({ title, action, act, close, danger = false, disabled = false, children }) {
  const [state, setState] = useState({ busy: false, error: "" });
  const submit = async (event) => {
    event.preventDefault();
    setState({ busy: true, error: "" });
    try {
      await act();
      close();
    } catch (error) {
      setState({ busy: false, error: /** @type {Error} */ (error).message });
    }
  };
  return html`<${Dialog} title=${title} close=${close}>
    <form onSubmit=${submit}>
      ${children}
      ${state.error && html`<p class="bad" role="alert">${state.error}</p>`}
      <div class="tools end">
        <button type="button" onClick=${close}>Cancel</button>
        <button type="submit" class=${danger ? "danger" : "primary"} disabled=${disabled || state.busy}>${state.busy ? "Working…" : action}</button>
      </div>
    </form>
  <//>`;
}
