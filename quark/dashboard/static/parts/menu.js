// A button that opens something below it: a list of actions, or whatever else is given.
import { html, useEffect, useRef, useState } from "../core/dom.js";

/**
 * A button and what it opens. `children` may be a function that gets `close`.
 * @param {{ label: any, title?: string, children: any, css?: string, disabled?: boolean, align?: "left" | "right" }} props
 */
export function Popover({ label, title, children, css = "", disabled = false, align = "left" }) {
  const [open, setOpen] = useState(false);
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const close = (refocus = true) => {
    setOpen(false);
    if (refocus) place.current?.querySelector("button")?.focus();
  };
  useEffect(() => {
    if (!open) return undefined;
    const outside = (event) => place.current?.contains(event.target) || close(false);
    const first = /** @type {HTMLElement | null} */ (place.current?.querySelector(".pop input, .pop [role=menuitem], .pop button, .pop select"));
    first?.focus();
    const press = (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      close();
    };
    addEventListener("pointerdown", outside);
    addEventListener("keydown", press, true);
    return () => {
      removeEventListener("pointerdown", outside);
      removeEventListener("keydown", press, true);
    };
  }, [open]);
  const show = Array.isArray(children) ? children[0] : children;
  return html`<span class="popped" ref=${place}>
    <button type="button" class=${css} title=${title} disabled=${disabled} aria-expanded=${String(open)} onClick=${() => setOpen(!open)}>${label}</button>
    ${open && html`<div class=${`pop ${align}`} role="group" aria-label=${title ?? (typeof label === "string" ? label : undefined)}>${typeof show === "function" ? show(() => close()) : children}</div>`}
  </span>`;
}

/**
 * A list of actions.
 * @param {{ label: any, title?: string, items: { label: any, act: () => void, danger?: boolean, disabled?: boolean }[], css?: string, disabled?: boolean, align?: "left" | "right" }} props
 */
export function Menu({ items, ...rest }) {
  const move = (event) => {
    const all = [...event.currentTarget.querySelectorAll("[role=menuitem]:not(:disabled)")];
    const at = all.indexOf(document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    all[(next + all.length) % all.length]?.focus();
  };
  return html`<${Popover} ...${rest}>
    ${(close) => html`<div role="menu" aria-label=${rest.title ?? (typeof rest.label === "string" ? rest.label : "Actions")} onKeyDown=${move}>
      ${items.map(
        (item, place) => html`<button key=${place} type="button" role="menuitem" class=${item.danger ? "item danger" : "item"} disabled=${item.disabled}
          onClick=${() => {
            close();
            item.act();
          }}>${item.label}</button>`,
      )}
    </div>`}
  <//>`;
}
