// The frame around every page: where one is, where one can go, the theme, the keys.
import { html, useEffect, useState } from "../core/dom.js";
import { Link, go, useLocation } from "../core/router.js";
import { signOut, useTrouble } from "../core/session.js";
import { toggleTheme, useTheme } from "../core/theme.js";
import { Popover } from "./menu.js";

const SHORTCUTS = [
  ["g r", "go to the runs"],
  ["g c", "go to compare"],
  ["/", "search"],
  ["t", "light or dark"],
  ["?", "show these keys"],
  ["← →", "in a chart: from point to point"],
  ["+ −", "in a chart: zoom all charts; 0 shows everything"],
];

/** @param {{ me: any, children?: any }} props */
export function Shell({ me, children }) {
  const { path } = useLocation();
  const mode = useTheme();
  const trouble = useTrouble();
  const [helping, setHelping] = useState(false);
  useShortcuts(() => setHelping((before) => !before));
  const current = (prefix) => (path.startsWith(prefix) ? "page" : undefined);
  return html`<a class="skip" href="#main">Skip to content</a>
    <header class="bar">
      <${Link} to="/runs" class="brand" aria-label="Quark: runs"><img src="/ui/static/icon.svg" alt="" width="24" height="24" />Quark<//>
      <nav aria-label="Pages">
        <${Link} to="/runs" aria-current=${current("/runs")}>Runs<//>
        <${Link} to="/compare" aria-current=${current("/compare")}>Compare<//>
        <${Link} to="/artifacts" aria-current=${current("/artifacts")}>Artifacts<//>
      </nav>
      <span class="grow"></span>
      ${me && (me.kind === "local" ? html`<span class="quiet who">this machine</span>` : html`<${Account} me=${me} />`)}
      <button type="button" class="ghost" onClick=${() => setHelping(true)} aria-label="Keys">?</button>
      <button type="button" class="ghost" onClick=${toggleTheme} aria-label=${mode === "dark" ? "Use the light theme" : "Use the dark theme"}>
        ${mode === "dark" ? "☀" : "☾"}
      </button>
    </header>
    <div role="status" class="trouble" hidden=${!trouble}>${trouble}</div>
    <main id="main" tabindex="-1">${children}</main>
    ${helping && html`<${Keys} close=${() => setHelping(false)} />`}`;
}

/** Who is signed in, to which store, and the way out. @param {{ me: any }} props */
function Account({ me }) {
  const [error, setError] = useState("");
  const leave = () => signOut().catch((fault) => setError(fault.message));
  const choose = (event) => {
    event.preventDefault();
    const asked = new FormData(event.currentTarget).get("storage_dir");
    // Everything that is shown belongs to the other store, so the page begins anew.
    location.assign(`/ui/runs?${new URLSearchParams(asked ? { storage_dir: String(asked).trim() } : {})}`);
  };
  const name = html`<span class="who">${me.user} · ${me.workspace}${me.storage_dir && `/${me.storage_dir}`}</span> <span aria-hidden="true">▾</span>`;
  return html`<${Popover} label=${name} title=${`Account of ${me.user}`} css="ghost" align="right">
    ${() => html`<div class="account">
      <dl class="pairs">
        <dt>User</dt><dd>${me.user}</dd>
        <dt>Workspace</dt><dd>${me.workspace}</dd>
        <dt>Rights</dt><dd>${me.may_write ? "look at runs and change them" : "look at runs"}</dd>
        ${me.expires_at && [html`<dt>Signed in until</dt>`, html`<dd>${new Date(me.expires_at).toLocaleString()}</dd>`]}
      </dl>
      <form class="tools" onSubmit=${choose}>
        <label>Store below the workspace <input name="storage_dir" value=${me.storage_dir} placeholder="its own" spellcheck="false" autocomplete="off" /></label>
        <button type="submit">Open</button>
      </form>
      ${error && html`<p class="refusal" role="alert">${error}</p>`}
      <button type="button" onClick=${leave}>Sign out</button>
    </div>`}
  <//>`;
}

/** @param {{ close: () => void }} props */
function Keys({ close }) {
  return html`<div class="veil" onClick=${close}>
    <div class="dialog" role="dialog" aria-modal="true" aria-label="Keys" onClick=${(event) => event.stopPropagation()}>
      <h2>Keys</h2>
      <dl class="pairs">${SHORTCUTS.map(([keys, what]) => [html`<dt><kbd>${keys}</kbd></dt>`, html`<dd>${what}</dd>`])}</dl>
      <button type="button" onClick=${close} ref=${(button) => button?.focus()}>Close</button>
    </div>
  </div>`;
}

/** @param {() => void} help */
function useShortcuts(help) {
  useEffect(() => {
    let before = "";
    const press = (event) => {
      const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
      if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
      const pair = before + event.key;
      before = event.key === "g" ? "g" : "";
      if (pair === "gr") go("/runs");
      else if (pair === "gc") go("/compare");
      else if (event.key === "t") toggleTheme();
      else if (event.key === "?") help();
      else if (event.key === "Escape") document.querySelector(".veil")?.dispatchEvent(new MouseEvent("click"));
      else if (event.key === "/") {
        const search = /** @type {HTMLElement | null} */ (document.querySelector("input[type=search]"));
        if (!search) return;
        event.preventDefault();
        search.focus();
      }
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
}
