// Data as components see it: there, not there yet, or why not.
import { useEffect, useRef, useState } from "./dom.js";
import { get } from "./api.js";

/**
 * Do something whenever it may have become possible to learn more: the server is back after it was
 * gone, or the page is looked at again.
 * @param {() => void} act
 */
export function useAgain(act) {
  const latest = useRef(act);
  latest.current = act;
  useEffect(() => {
    const back = (event) => event.detail.gone || latest.current();
    const seen = () => document.hidden || latest.current();
    addEventListener("quark:connection", back);
    document.addEventListener("visibilitychange", seen);
    return () => {
      removeEventListener("quark:connection", back);
      document.removeEventListener("visibilitychange", seen);
    };
  }, []);
}

/**
 * @typedef {object} Data
 * @property {any} value   what the view answered last; stays while it is asked again
 * @property {Error | null} error
 * @property {boolean} loading   whether the first answer is still awaited
 * @property {() => void} reload
 */

/**
 * Ask a view, again whenever what is asked changes or `revision` does. An answer that is on its way
 * is waited for before the same is asked again: a server that is slower than a training would never
 * come to say anything else, and have ever more to do.
 * @param {string | null} path  null asks nothing
 * @param {Record<string, any>} [params]
 * @param {{ revision?: any, everySeconds?: number }} [options]  `everySeconds`: ask again so often
 *   while the page is visible
 * @returns {Data}
 */
export function useData(path, params = {}, { revision = null, everySeconds = 0 } = {}) {
  const [state, setState] = useState({ value: null, error: null, asked: "" });
  const [turn, setTurn] = useState(0);
  const asked = path === null ? "" : JSON.stringify([path, params]);
  const flight = useRef({ abort: /** @type {AbortController | null} */ (null), again: false });
  const reload = () => setTurn((before) => before + 1);
  useEffect(
    () => () => {
      flight.current.abort?.abort();
      flight.current = { abort: null, again: false };
    },
    [asked],
  );
  useEffect(() => {
    const mine = flight.current;
    if (path === null) return;
    if (mine.abort) {
      mine.again = true;
      return;
    }
    mine.abort = new AbortController();
    const settle = (next) => {
      if (flight.current !== mine) return; // something else is asked by now
      const { again } = mine;
      flight.current = { abort: null, again: false };
      setState(next);
      if (again) reload();
    };
    get(path, params, mine.abort.signal).then(
      (value) => settle({ value, error: null, asked }),
      (error) => settle((before) => ({ value: before.asked === asked ? before.value : null, error, asked })),
    );
  }, [asked, revision, turn]);
  useEffect(() => {
    if (!everySeconds || path === null) return undefined;
    const timer = setInterval(() => {
      if (!document.hidden && !flight.current.abort) reload();
    }, everySeconds * 1000);
    return () => clearInterval(timer);
  }, [asked, everySeconds]);
  useAgain(() => {
    const failed = /** @type {any} */ (state.error)?.status === 0;
    if (path !== null && !flight.current.abort && (failed || everySeconds)) reload();
  });
  const stale = state.asked !== asked;
  return {
    value: state.value,
    error: stale ? null : state.error,
    loading: path !== null && stale && state.value === null,
    reload,
  };
}

/**
 * Watch a run: its status, and a text that changes as soon as anything of it does. Asks often while
 * it runs, seldom after.
 * @param {string} runId
 */
export function usePulse(runId) {
  const [seconds, setSeconds] = useState(2);
  const { value } = useData(`/runs/${encodeURIComponent(runId)}/pulse`, {}, { everySeconds: seconds });
  useEffect(() => {
    if (value) setSeconds(value.status === "running" ? 2 : 20);
  }, [value?.status]);
  return { status: value?.status ?? null, revision: value?.revision ?? null };
}
