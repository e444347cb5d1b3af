// The page's address carries the view and the choice: a reload or a link brings them back.

import { base64url, textOf } from "./text.js";

const MAP = /^#map=(\d{1,2})\/(-?\d{1,2}(?:\.\d+)?)\/(-?\d{1,3}(?:\.\d+)?)$/;
// Pixels around the world at zoom 0.
const WORLD_PX = 256;

/** `{ client, follows, mode, view }` of the address; a client by its id in base64url. */
export function readAddress() {
  const query = new URLSearchParams(location.search);
  const client = query.has("client") ? base64url(query.get("client")) : query.get("client64");
  return {
    client,
    follows: query.has("follow"),
    mode: query.get("colour") === "server" ? "server" : "age",
    view: viewOf(location.hash),
  };
}

function viewOf(hash) {
  const [, zoom, latitude, longitude] = MAP.exec(hash) ?? [];
  if (zoom === undefined) return null;
  return { zoom: Number(zoom), latitude: Number(latitude), longitude: Number(longitude) };
}

/** Puts them into the address, which makes no entry in the history. */
export function writeAddress({ client, follows, mode, view }) {
  const query = new URLSearchParams();
  const text = client ? textOf(client) : null;
  if (text !== null) query.set("client", text);
  else if (client) query.set("client64", client);
  if (client && follows) query.set("follow", "");
  if (mode === "server") query.set("colour", mode);
  const hash = hashOf(view);
  const search = query.size > 0 ? `?${query}` : "";
  const next = `${location.pathname}${search}${hash}`;
  if (next !== `${location.pathname}${location.search}${location.hash}`) history.replaceState(null, "", next);
}

// A map whose frame changes size moves by parts of a pixel. A view within a pixel of the address leaves it as it is:
// a link that is opened and shared again stays the same, and the comparison with the address lets nothing creep.
function hashOf({ zoom, latitude, longitude }) {
  const shown = viewOf(location.hash);
  const pixel = 360 / (WORLD_PX * 2 ** zoom);
  const isNear = (one, other) => Math.abs(one - other) < pixel;
  if (shown?.zoom === zoom && isNear(shown.latitude, latitude) && isNear(shown.longitude, longitude)) {
    return location.hash;
  }
  const digits = Math.max(2, Math.ceil(zoom / 3));
  return `#map=${zoom}/${latitude.toFixed(digits)}/${longitude.toFixed(digits)}`;
}
