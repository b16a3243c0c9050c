// Series for panels. What panels ask for at one moment goes into as few requests as an address can
// hold, and only for those that are in sight.
import { useEffect, useRef, useState } from "../../../core/dom.js";
import { get } from "../../../core/api.js";
import { useAgain } from "../../../core/data.js";

const MAX_KEYS = 40;
const MAX_ADDRESS = 5000;

/** @typedef {{ key: string, settle: (found: any) => void, fail: (error: Error) => void }} Wanted */

/** @type {Map<string, { params: Record<string, any>, wanted: Wanted[] }>} */
const waiting = new Map();

/**
 * Ask for one series.
 * @param {string} key @param {Record<string, any>} params  everything else that `/charts` is asked
 * @returns {Promise<any>}
 */
export function series(key, params) {
  return new Promise((settle, fail) => {
    if (!waiting.size) setTimeout(send, 10);
    const name = JSON.stringify(params);
    const group = waiting.get(name) ?? { params, wanted: [] };
    group.wanted.push({ key, settle, fail });
    waiting.set(name, group);
  });
}

function send() {
  const groups = [...waiting.values()];
  waiting.clear();
  for (const { params, wanted } of groups) {
    const byKey = new Map();
    for (const one of wanted) byKey.set(one.key, [...(byKey.get(one.key) ?? []), one]);
    for (const keys of portions([...byKey.keys()])) {
      get("/charts", { ...params, key: keys }).then(
        (answer) => {
          for (const one of answer.series) for (const { settle } of byKey.get(one.key) ?? []) settle(one);
        },
        (error) => {
          for (const key of keys) for (const { fail } of byKey.get(key)) fail(error);
        },
      );
    }
  }
}

/** Cut keys into what one address can hold. @param {string[]} keys @returns {string[][]} */
export function portions(keys) {
  /** @type {string[][]} */
  const found = [];
  let length = MAX_ADDRESS;
  for (const key of keys) {
    const more = encodeURIComponent(key).length + 5;
    if (length + more > MAX_ADDRESS || found[found.length - 1].length >= MAX_KEYS) {
      found.push([]);
      length = 0;
    }
    found[found.length - 1].push(key);
    length += more;
  }
  return found;
}

/**
 * Series of some keys, asked for again when what is asked changes, while they are in sight. An answer
 * that is on its way is shown first, also where the run has gone on meanwhile.
 * @param {string[]} keys @param {Record<string, any>} params @param {{ seen: boolean, revision: any }} options
 * @returns {{ value: any[] | null, error: Error | null }}
 */
export function useSeries(keys, params, { seen, revision }) {
  const [state, setState] = useState({ value: /** @type {any[] | null} */ (null), error: /** @type {Error | null} */ (null) });
  const what = JSON.stringify([keys, params]);
  const asked = JSON.stringify([what, revision]);
  const have = useRef("");
  const flight = useRef("");
  useEffect(
    () => () => {
      flight.current = "";
    },
    [what],
  );
  useEffect(() => {
    if (!seen || have.current === asked || flight.current) return;
    flight.current = asked;
    const settle = (next) => {
      if (flight.current !== asked) return;
      flight.current = "";
      have.current = asked;
      setState(next); // the effect comes again, and asks for what is new by then
    };
    Promise.all(keys.map((key) => series(key, params))).then(
      (value) => settle({ value, error: null }),
      (error) => settle((before) => ({ value: before.value, error })),
    );
  }, [asked, seen, state]);
  useAgain(() => {
    if (!state.error) return;
    have.current = "";
    setState((before) => ({ ...before }));
  });
  return state;
}

/**
 * Whether a place is in sight, or nearly.
 * @returns {[boolean, { current: any }]}
 */
export function useSeen() {
  const place = useRef(null);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const watcher = new IntersectionObserver((entries) => setSeen(entries[entries.length - 1].isIntersecting), { rootMargin: "300px" });
    if (place.current) watcher.observe(place.current);
    return () => watcher.disconnect();
  }, []);
  return [seen, place];
}
