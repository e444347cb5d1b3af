// The page's address carries the view and the choice: a reload or a link brings them back.

import { base64url, textOf } from "./text.js";

const MAP = /^#map=(\d{1,2})\/(-?\d{1,2}(?:\.\d+)?)\/(-?\d{1,3}(?:\.\d+)?)$/;

/** `{ client, follows, mode, view }` of the address; a client by its id in base64url. */
export function readAddress() {
  const query = new URLSearchParams(location.search);
  const [, zoom, latitude, longitude] = MAP.exec(location.hash) ?? [];
  const client = query.has("client") ? base64url(query.get("client")) : query.get("client64");
  return {
    client,
    follows: query.has("follow"),
    mode: query.get("colour") === "server" ? "server" : "age",
    view: zoom === undefined ? null : { zoom: Number(zoom), latitude: Number(latitude), longitude: Number(longitude) },
  };
}

/** Puts them into the address, which makes no entry in the history. */
export function writeAddress({ client, follows, mode, view }) {
  const query = new URLSearchParams();
  const text = client ? textOf(client) : null;
  if (text !== null) query.set("client", text);
  else if (client) query.set("client64", client);
  if (client && follows) query.set("follow", "");
  if (mode === "server") query.set("colour", mode);
  const { zoom, latitude, longitude } = view;
  const digits = Math.max(2, Math.ceil(zoom / 3));
  const hash = `#map=${zoom}/${latitude.toFixed(digits)}/${longitude.toFixed(digits)}`;
  const search = query.size > 0 ? `?${query}` : "";
  const next = `${location.pathname}${search}${hash}`;
  if (next !== `${location.pathname}${location.search}${location.hash}`) history.replaceState(null, "", next);
}
