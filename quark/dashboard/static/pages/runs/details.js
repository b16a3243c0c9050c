// What rows in sight show of the runs' own files: health, and a small line of one metric.
import { useEffect, useRef, useState } from "../../core/dom.js";
import { get } from "../../core/api.js";

const AT_ONCE = 30;
const KEPT = 2000;
const FRESH_MS = 2400;

/**
 * @param {any[]} rows  those in sight, groups left out
 * @param {string} spark  a metric's key, "" for none
 * @param {string[]} columns
 * @param {any} revision  another value looks again at runs that go on
 * @returns {{ known: Map<string, any>, turn: number }}  by run, what is known so far; `turn` is another number as
 *   soon as that changes
 */
export function useDetails(rows, spark, columns, revision) {
  const store = useRef({ spark: "", known: new Map(), busy: false, wanted: [], columns, failed: 0, gone: false });
  const [turn, redraw] = useState(0);
  const kept = store.current;
  if (kept.spark !== spark) {
    kept.spark = spark;
    kept.known = new Map();
  }
  kept.wanted = rows;
  kept.columns = columns;

  const next = () => {
    if (kept.busy || kept.gone || document.hidden || kept.failed > 3) return;
    const now = Date.now();
    const stale = kept.wanted.filter((row) => {
      const found = kept.known.get(row.id);
      if (!found) return true;
      return row.over ? found.mark !== row.ended_us : now - found.at > FRESH_MS;
    });
    if (!stale.length) return;
    const asked = stale.slice(0, AT_ONCE);
    const key = kept.spark;
    kept.busy = true;
    get("/run-details", { run: asked.map((row) => row.id), spark: key, column: kept.columns }).then(
      ({ details, left }) => {
        kept.busy = false;
        kept.failed = 0;
        if (key === kept.spark) {
          const later = new Set(left); // there was no time for them; they are asked for again
          for (const row of asked) {
            if (!later.has(row.id)) kept.known.set(row.id, { ...details[row.id], at: now, mark: row.ended_us });
          }
          while (kept.known.size > KEPT) kept.known.delete(kept.known.keys().next().value);
          redraw((before) => before + 1);
        }
        next();
      },
      () => {
        kept.busy = false;
        kept.failed += 1;
      },
    );
  };
  useEffect(() => {
    kept.failed = 0;
    const timer = setTimeout(next, 30);
    return () => clearTimeout(timer);
  }, [rows.map((row) => row.id).join("\n"), spark, revision]);
  useEffect(() => {
    const timer = setInterval(next, FRESH_MS);
    return () => {
      kept.gone = true;
      clearInterval(timer);
    };
  }, []);
  return { known: kept.known, turn };
}
