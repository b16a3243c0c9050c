// Who is signed in, in this tab and in the others of this browser.
import { useEffect, useState } from "./dom.js";
import { logIn, logOut } from "./api.js";

const tabs = new BroadcastChannel("quark.session");

/**
 * Whether a user key has to be given before anything is shown. All tabs learn of it together.
 * @returns {boolean}
 */
export function useSignedOut() {
  const [signedOut, setSignedOut] = useState(false);
  useEffect(() => {
    const refused = (event) => event.detail?.login && setSignedOut(true);
    const told = (event) => setSignedOut(event.data === "out");
    const here = () => setSignedOut(false);
    addEventListener("quark:signed-out", refused);
    addEventListener("quark:signed-in", here);
    tabs.addEventListener("message", told);
    return () => {
      removeEventListener("quark:signed-out", refused);
      removeEventListener("quark:signed-in", here);
      tabs.removeEventListener("message", told);
    };
  }, []);
  return signedOut;
}

/** @param {string} key  a user key, which is not kept */
export async function signIn(key) {
  await logIn(key);
  tabs.postMessage("in");
  dispatchEvent(new CustomEvent("quark:signed-in"));
}

/**
 * What keeps this page from learning anything new, "" for nothing: what it shows may be old.
 * @returns {string}
 */
export function useTrouble() {
  const [gone, setGone] = useState(false);
  const [closed, setClosed] = useState("");
  useEffect(() => {
    const changed = (event) => setGone(event.detail.gone);
    const refused = (event) => event.detail?.login || setClosed(event.detail?.message ?? "");
    addEventListener("quark:connection", changed);
    addEventListener("quark:signed-out", refused);
    return () => {
      removeEventListener("quark:connection", changed);
      removeEventListener("quark:signed-out", refused);
    };
  }, []);
  return gone ? "Quark does not answer. What was logged is safe; this page goes on as soon as it is back." : closed;
}

export async function signOut() {
  await logOut();
  tabs.postMessage("out");
  dispatchEvent(new CustomEvent("quark:signed-out", { detail: { login: true } }));
}
