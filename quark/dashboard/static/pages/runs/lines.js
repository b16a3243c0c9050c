// The lines of the table: fetched as they come into sight, and again while the page is looked at.
import { useCallback, useEffect, useRef, useState } from "../../core/dom.js";
import { get } from "../../core/api.js";

const PAGE = 100;

/**
 * @typedef {object} Lines
 * @property {any} head  what the server said last besides rows; null before it said anything
 * @property {Error | null} error
 * @property {boolean} busy  whether the rows are those of an earlier question
 * @property {(index: number) => any} rowAt  undefined: not here yet
 * @property {(first: number, last: number) => void} show  say which rows are in sight
 * @property {() => void} reload
 * @property {any[]} loaded  the rows that are here
 */

/**
 * @param {Record<string, any>} params  what is asked of `/runs`
 * @returns {Lines}
 */
export function useLines(params) {
  const asked = JSON.stringify(params);
  const store = useRef({ asked: "", head: null, error: null, pages: new Map(), sight: [0, 0], waiting: new Map() });
  const [, redraw] = useState(0);
  const now = useRef(asked);
  now.current = asked;

  const load = useCallback((page, force = false) => {
    const kept = store.current;
    const wanted = now.current;
    const name = `${wanted}#${page}`;
    if (kept.waiting.has(name)) return;
    if (!force && kept.asked === wanted && kept.pages.has(page)) return;
    const abort = new AbortController();
    kept.waiting.set(name, abort);
    get("/runs", { ...JSON.parse(wanted), offset: page * PAGE, limit: PAGE, typing: 1 }, abort.signal).then(
      (answer) => {
        kept.waiting.delete(name);
        if (wanted !== now.current) return;
        if (answer.problem) {
          kept.error = new Error(answer.problem);
          redraw((turn) => turn + 1);
          return;
        }
        if (kept.asked !== wanted || kept.head?.revision !== answer.revision) {
          // Other pages may be others now; those in sight are asked for again.
          const [first, last] = kept.sight;
          const stays = kept.asked === wanted && answer.total === kept.head?.total;
          kept.pages = new Map([...kept.pages].filter(([at]) => stays && at >= first && at <= last));
        }
        kept.pages.set(page, answer.rows);
        kept.asked = wanted;
        const { rows, offset, ...head } = answer;
        kept.head = head;
        kept.error = null;
        for (const at of visible()) load(at);
        redraw((turn) => turn + 1);
      },
      (error) => {
        kept.waiting.delete(name);
        if (error.name === "AbortError" || wanted !== now.current) return;
        kept.error = error;
        redraw((turn) => turn + 1);
      },
    );
  }, []);

  const visible = () => {
    const [first, last] = store.current.sight;
    const total = store.current.head?.total ?? 0;
    const end = Math.max(first, Math.min(last, Math.ceil(total / PAGE) - 1));
    return Array.from({ length: end - first + 1 }, (_, place) => first + place);
  };

  useEffect(() => {
    const kept = store.current;
    for (const [name, abort] of kept.waiting) {
      if (!name.startsWith(`${asked}#`)) {
        abort.abort();
        kept.waiting.delete(name);
      }
    }
    load(0);
    for (const page of visible()) load(page);
  }, [asked]);

  const pending = store.current.head?.pending ?? 0;
  const running = Boolean(store.current.head?.statuses?.running);
  const seconds = pending ? 0.4 : running ? 2.5 : 5;
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) for (const page of visible()) load(page, true);
    }, seconds * 1000);
    return () => clearInterval(timer);
  }, [asked, seconds]);

  const show = useCallback((first, last) => {
    const from = Math.max(0, Math.floor(first / PAGE));
    const to = Math.max(from, Math.floor(Math.max(0, last - 1) / PAGE));
    store.current.sight = [from, to];
    for (const page of visible()) load(page);
  }, []);
  const rowAt = useCallback((index) => store.current.pages.get(Math.floor(index / PAGE))?.[index % PAGE], []);
  const reload = useCallback(() => {
    for (const page of visible()) load(page, true);
  }, []);

  const kept = store.current;
  return {
    head: kept.head,
    error: kept.error,
    busy: kept.asked !== asked,
    rowAt,
    show,
    reload,
    loaded: [...kept.pages.values()].flat(),
  };
}
