// Every page, the most special address first. A new page is a line here. `title`: of the window; a page
// without one says it itself.
export const PAGES = [
  { path: "/runs", title: () => "Runs", load: () => import("./runs.js") },
  { path: "/runs/:runId/:tab?/:item?", title: null, load: () => import("./run.js") },
  { path: "/compare", title: () => "Compare", load: () => import("./compare.js") },
  { path: "/artifacts/:name?/:version?", title: ({ name }) => name ?? "Artifacts", load: () => import("./artifacts.js") },
];
