// Where files and tables are: with a run, or in a version of an artifact.
import { address, segment } from "../../core/api.js";

/** @typedef {"shown" | "saved" | "page"} How */
/**
 * @typedef {{ file: (file: { path: string, sha256?: string | null }, how?: How) => string, tables: string, query: Record<string, any> }} Shelf
 *   `file`: the address of a file; `tables`: who is asked for rows, with `query`
 */

/** @param {string} runId @returns {Shelf} */
export function ofRun(runId) {
  const run = `/runs/${segment(runId)}/media`;
  return {
    file: (file, how = "shown") => address(`${run}/file`, { path: file.path, sha256: file.sha256, as: how }),
    tables: `${run}/table`,
    query: {},
  };
}
