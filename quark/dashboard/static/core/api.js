// Everything that is fetched goes through here.

const API = "/ui/api";
/** What requests carry that change something; forms of other sites cannot. */
const OWN = { "X-Quark-Dashboard": "1" };
const MAX_TRIES = 4;
/** How long to wait before looking whether the server is back. */
const KNOCK_MS = 2000;
/** What a proxy says of a server that is not there. */
const NOBODY = [502, 504];
let isGone = false;

export class ApiError extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * Return the address of a view. A list gives its parameter several times; null and "" leave it out.
 * @param {string} path  such as "/runs"; names in it must be encoded already
 * @param {Record<string, any>} [params]
 */
export function address(path, params = {}) {
  const query = new URLSearchParams();
  const all = { storage_dir: new URLSearchParams(location.search).get("storage_dir"), ...params };
  for (const [name, value] of Object.entries(all)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") query.append(name, String(one));
    }
  }
  const text = query.toString();
  return API + path + (text ? `?${text}` : "");
}

/** @param {string} path @param {Record<string, any>} [params] @param {AbortSignal} [signal] */
export async function get(path, params, signal) {
  return read(await reach(address(path, params), { signal }));
}

/** @param {string} path @param {Record<string, any>} body @param {Record<string, any>} [params] */
export async function post(path, body, params) {
  return read(
    await reach(address(path, params), {
      method: "POST",
      body: JSON.stringify(body),
      headers: { ...OWN, "Content-Type": "application/json" },
    }),
  );
}

/**
 * Sign in with a user key; the browser gets a cookie that no script can read.
 * @param {string} key
 */
export async function logIn(key) {
  if (!/^[\x21-\x7e]+$/.test(key)) throw new ApiError(401, "This is no user key: one looks like qk_… and has no blanks.");
  const response = await reach("/ui/login", { method: "POST", headers: { ...OWN, Authorization: `Bearer ${key}` } });
  return read(response, { quiet: true });
}

/** End the session, here and in every tab. */
export async function logOut() {
  await read(await reach(`${API}/logout`, { method: "POST", headers: OWN }), { quiet: true }).catch((error) => {
    if (error.status !== 401) throw error;
  });
}

/**
 * Ask. What is only read is asked again where the server is busy and says when to come back.
 * @param {string} url @param {RequestInit} options
 */
async function reach(url, options) {
  for (let tries = 1; ; tries += 1) {
    const response = await once(url, options);
    const seconds = Number(response.headers.get("Retry-After") ?? NaN);
    const busy = (response.status === 429 || response.status === 503) && seconds <= 10;
    if (!busy || tries === MAX_TRIES || (options.method ?? "GET") !== "GET") return response;
    await new Promise((resolve) => setTimeout(resolve, (seconds + Math.random()) * 1000));
  }
}

/** @param {string} url @param {RequestInit} options */
async function once(url, options) {
  let response = null;
  try {
    response = await fetch(url, options);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
  }
  if (response && !NOBODY.includes(response.status)) {
    setGone(false);
    return response;
  }
  setGone(true);
  throw new ApiError(0, "Quark does not answer. What was logged is safe; this page tries again.");
}

/** Tell everybody once when the server is gone, and once when it is back. @param {boolean} now */
function setGone(now) {
  if (isGone === now) return;
  isGone = now;
  dispatchEvent(new CustomEvent("quark:connection", { detail: { gone: now } }));
  if (now) setTimeout(knock, KNOCK_MS);
}

/** Whoever waits for an answer may have stopped asking, so this is asked until there is one. */
async function knock() {
  if (!isGone) return;
  if (!document.hidden) {
    const found = await fetch(`${API}/me`, { method: "HEAD", cache: "no-store" }).catch(() => null);
    if (found && !NOBODY.includes(found.status)) return setGone(false);
  }
  setTimeout(knock, KNOCK_MS);
}

/** @param {Response} response @param {{ quiet?: boolean }} [options]  `quiet`: a 401 says nothing of who is signed in */
async function read(response, { quiet = false } = {}) {
  const body = await response.json().catch(() => null);
  if (response.ok) return body;
  const message = body?.error?.message ?? `The server answered with ${response.status}.`;
  if (response.status === 401 && !quiet) {
    // Where there is no login, as in `quark ui`, the message says what to do.
    const login = response.headers.has("WWW-Authenticate");
    dispatchEvent(new CustomEvent("quark:signed-out", { detail: { login, message } }));
  }
  throw new ApiError(response.status, message);
}

/** Encode a name for a path. @param {string} name */
export function segment(name) {
  return encodeURIComponent(name);
}
