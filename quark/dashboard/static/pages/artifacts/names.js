// What an artifact is asked for by, and where its page is.
import { address, segment } from "../../core/api.js";

/** @typedef {{ workspace: string, project: string, name: string, version?: string }} Named */

/** @param {Named} one @param {string} [part]  of the version's page */
export function artifactPath(one, part = "") {
  const query = new URLSearchParams({ project: one.project, workspace: one.workspace, ...(part ? { part } : {}) });
  return `/artifacts/${segment(one.name)}${one.version ? `/${segment(one.version)}` : ""}?${query}`;
}

/** @param {Named} one */
export function named({ workspace, project, name, version }) {
  return { workspace, project, name, version };
}

/** Where a version's files and tables are. @param {Named} one @returns {import("../../parts/media/files.js").Shelf} */
export function ofVersion(one) {
  return { file: (file, how = "shown") => artifactFile(one, file, how), tables: "/artifacts/table", query: named(one) };
}

/** @param {Named} one @param {{ path: string, sha256?: string | null }} file @param {"shown" | "saved" | "page"} [how] */
export function artifactFile(one, file, how = "saved") {
  return address("/artifacts/file", { ...named(one), path: file.path, sha256: file.sha256, as: how });
}
