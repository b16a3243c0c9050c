// The beginning: which page an address is, inside of the frame that all pages share.
import { html, render, useEffect, useMemo, useState } from "./core/dom.js";
import { useData } from "./core/data.js";
import { go, match, useLocation } from "./core/router.js";
import { useSignedOut } from "./core/session.js";
import { PAGES } from "./pages/index.js";
import Login from "./pages/login.js";
import { Shell } from "./parts/shell.js";
import { Empty, Failure, Guarded, Loading } from "./parts/states.js";

function App() {
  const { path } = useLocation();
  const signedOut = useSignedOut();
  const me = useData("/me", {}, { revision: signedOut });
  useEffect(() => {
    if (path === "/" || (path === "/login" && me.value && !signedOut)) go("/runs", { replace: true });
  }, [path, me.value, signedOut]);
  const found = useMemo(() => {
    for (const page of PAGES) {
      const names = match(page.path, path);
      if (names) return { page, names };
    }
    return null;
  }, [path]);
  const refused = /** @type {any} */ (me.error)?.status === 403 ? me.error : null;
  if (signedOut || refused) return html`<${Shell} me=${null}><${Login} key=${refused?.message} why=${refused?.message} /><//>`;
  return html`<${Shell} me=${me.value}>
    <${Guarded} key=${found?.page.path}>
      ${me.error && !me.value
        ? html`<${Failure} error=${me.error} retry=${me.reload} />`
        : found
          ? html`<${Page} page=${found.page} names=${found.names} me=${me.value} />`
          : path !== "/" && html`<${Empty} title="There is no such page.">Go to the runs: press g, then r.<//>`}
    <//>
  <//>`;
}

/** A page's program is fetched when it is first shown. */
function Page({ page, names, me }) {
  const [loaded, setLoaded] = useState({ page: null, show: null, error: null });
  useEffect(() => {
    page.load().then(
      (module) => setLoaded({ page, show: module.default, error: null }),
      (error) => setLoaded({ page, show: null, error }),
    );
  }, [page]);
  useEffect(() => {
    if (page.title) document.title = `${page.title(names)} · Quark`;
  }, [page, JSON.stringify(names)]);
  if (loaded.page !== page) return html`<${Loading} />`;
  if (loaded.error) return html`<${Failure} error=${loaded.error} retry=${() => location.reload()} />`;
  return html`<${loaded.show} ...${names} me=${me} />`;
}

const root = /** @type {HTMLElement} */ (document.getElementById("app"));
root.replaceChildren(); // what stood there while this was on its way
render(html`<${App} />`, root);
