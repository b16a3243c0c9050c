// A run: its head, and the tab that the address names.
import { html, useEffect, useRef, useState } from "../core/dom.js";
import { segment } from "../core/api.js";
import { useData, usePulse } from "../core/data.js";
import { Link } from "../core/router.js";
import { Failure, Guarded, Loading, When } from "../parts/states.js";
import { Head } from "./run/head.js";

/** The tabs of a run; a new one is a line here. Each gets `{ runId, item, overview, revision, reload, me }`. */
const TABS = [
  { id: "charts", title: "Charts", load: () => import("./run/charts.js") },
  { id: "overview", title: "Overview", load: () => import("./run/overview.js") },
  { id: "diagnosis", title: "Diagnosis", load: () => import("./run/diagnosis.js") },
  { id: "layers", title: "Layers", load: () => import("./run/layers.js") },
  { id: "model", title: "Model", load: () => import("./run/model.js") },
  { id: "system", title: "System", load: () => import("./run/system.js") },
  { id: "logs", title: "Logs", load: () => import("./run/logs.js") },
  { id: "media", title: "Media", load: () => import("./run/media.js") },
  { id: "artifacts", title: "Artifacts", load: () => import("./run/artifacts.js") },
  { id: "events", title: "Events", load: () => import("./run/events.js") },
];

/** @param {{ runId: string, tab?: string, item?: string, me: any }} props */
export default function Run({ runId, tab = "charts", item, me }) {
  const { revision } = usePulse(runId);
  const data = useData(`/runs/${segment(runId)}`, {}, { revision });
  const base = `/runs/${segment(runId)}`;
  const tabs = useRef(/** @type {HTMLElement | null} */ (null));
  const name = data.value?.run.name || runId;
  useEffect(() => {
    document.title = `${name}${tab === "charts" ? "" : ` · ${tab}`} · Quark`;
  }, [name, tab]);
  useEffect(() => {
    // On a narrow screen only some of the tabs are in sight.
    const row = tabs.current;
    const here = /** @type {HTMLElement | null | undefined} */ (row?.querySelector("[aria-current]"));
    if (row && here) row.scrollLeft = here.offsetLeft - row.offsetLeft - (row.clientWidth - here.offsetWidth) / 2;
  }, [tab, !data.value]);
  return html`<${When} data=${data} what="Loading the run">
    ${(overview) => html`<div class="page">
      <${Head} overview=${overview} reload=${data.reload} me=${me} />
      <nav class="tabs" aria-label="Parts of the run" ref=${tabs}>
        ${TABS.map(
          (one) => html`<${Link} key=${one.id} to=${one.id === "charts" ? base : `${base}/${one.id}`} aria-current=${one.id === tab ? "page" : undefined}>${one.title}<//>`,
        )}
      </nav>
      <${Guarded} key=${tab}>
        <${Tab} tab=${TABS.find((one) => one.id === tab)} runId=${runId} item=${item} overview=${overview} revision=${revision} reload=${data.reload} me=${me} />
      <//>
    </div>`}
  <//>`;
}

function Tab({ tab, ...rest }) {
  const [loaded, setLoaded] = useState({ tab: null, show: null, error: null });
  useEffect(() => {
    if (!tab) return;
    tab.load().then(
      (module) => setLoaded({ tab, show: module.default, error: null }),
      (error) => setLoaded({ tab, show: null, error }),
    );
  }, [tab]);
  if (!tab) return html`<${Failure} error=${new Error("A run has no such part.")} />`;
  if (loaded.tab !== tab) return html`<${Loading} />`;
  if (loaded.error) return html`<${Failure} error=${loaded.error} retry=${() => location.reload()} />`;
  return html`<${loaded.show} ...${rest} />`;
}
