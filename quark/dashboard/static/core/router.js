// Addresses: /ui/runs/RUN/charts?key=loss. What a page shows is in its address, so that it can be
// linked to, and the browser's "back" goes back.
import { html, useEffect, useState } from "./dom.js";

const PREFIX = "/ui";
const listeners = new Set();

/**
 * @param {string} to  a path below /ui, with its query
 * @param {{ replace?: boolean, stay?: boolean }} [options]  `stay`: the same page, where it is scrolled to
 */
export function go(to, { replace = false, stay = replace } = {}) {
  const storage = new URLSearchParams(location.search).get("storage_dir");
  const url = new URL(PREFIX + to, location.origin);
  if (storage && !url.searchParams.has("storage_dir")) url.searchParams.set("storage_dir", storage);
  history[replace ? "replaceState" : "pushState"](null, "", url);
  if (!stay) scrollTo(0, 0);
  for (const listener of listeners) listener();
}

function here() {
  return {
    path: location.pathname.slice(PREFIX.length) || "/",
    query: new URLSearchParams(location.search),
  };
}

/** Where the browser is now. @returns {{ path: string, query: URLSearchParams }} */
export function useLocation() {
  const [place, setPlace] = useState(here());
  useEffect(() => {
    const look = () => setPlace(here());
    listeners.add(look);
    addEventListener("popstate", look);
    return () => {
      listeners.delete(look);
      removeEventListener("popstate", look);
    };
  }, []);
  return place;
}

/**
 * A value that is kept in the address. Lists are kept as repeated parameters.
 * @template {string | string[]} T
 * @param {string} name @param {T} initial  what is not written into the address
 * @param {{ back?: boolean }} [options]  `back`: the browser's "back" takes a change back
 * @returns {[T extends string ? string : string[], (value: T extends string ? string : string[]) => void]}
 */
export function useQuery(name, initial, { back = false } = {}) {
  const { query } = useLocation();
  const isList = Array.isArray(initial);
  const all = query.getAll(name);
  const value = isList ? (all.length ? all : initial) : (query.get(name) ?? initial);
  const set = (next) => {
    const url = new URL(location.href);
    url.searchParams.delete(name);
    for (const one of Array.isArray(next) ? next : [next]) {
      if (one !== "" && (isList || one !== initial)) url.searchParams.append(name, one);
    }
    const isSame = url.search === location.search;
    go(url.pathname.slice(PREFIX.length) + url.search, { replace: !back || isSame, stay: true });
  };
  return [/** @type {any} */ (value), set];
}

/**
 * A link inside of the dashboard.
 * @param {{ to: string, children?: any, [attribute: string]: any }} props
 */
export function Link({ to, children, ...rest }) {
  const follow = (event) => {
    if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    go(to);
  };
  return html`<a href=${PREFIX + to} onClick=${follow} ...${rest}>${children}</a>`;
}

/**
 * Return the named parts of `path` if it has the form of `pattern`, else null.
 * @param {string} pattern  such as "/runs/:id/:tab?"
 * @param {string} path
 * @returns {Record<string, string> | null}
 */
export function match(pattern, path) {
  const wanted = pattern.split("/").filter(Boolean);
  const given = path.split("/").filter(Boolean);
  if (given.length > wanted.length) return null;
  /** @type {Record<string, string>} */
  const found = {};
  for (const [index, part] of wanted.entries()) {
    const optional = part.endsWith("?");
    const name = part.replace(/^:|\?$/g, "");
    if (index >= given.length) {
      if (!optional) return null;
    } else if (part.startsWith(":")) {
      try {
        found[name] = decodeURIComponent(given[index]);
      } catch {
        return null;
      }
    } else if (given[index] !== part) {
      return null;
    }
  }
  return found;
}
