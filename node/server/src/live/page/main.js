// Puts the page together: events of the server go to the views, actions of the person to the server.

import { readAddress, writeAddress } from "./address.js";
import { Banner } from "./banner.js";
import { Basemap } from "./basemap.js";
import { WatchedCircle } from "./circle.js";
import { onColoursChanged } from "./colours.js";
import { copiesOnClick } from "./copying.js";
import { Dots } from "./dots.js";
import { Find } from "./find.js";
import { Forgetting } from "./forgetting.js";
import { Graphs } from "./graphs.js";
import { HerdView } from "./herd.js";
import { showLegend } from "./legend.js";
import { ClientList } from "./list.js";
import { HerdMap } from "./map.js";
import { RecordView } from "./record.js";
import { Stream } from "./stream.js";
import { base64url, count } from "./text.js";
import { Trail } from "./trail.js";

/** A server that has said nothing for so long is lost; it says something each second. */
const SILENCE_MS = 5000;
/** The map has to rest for so long before the server is asked for another part of the world. */
const SETTLE_MS = 150;
/** The list is made anew at most so often. */
const LIST_EVERY_MS = 500;
/** A client that was asked for by its id is shown at least this close. */
const FOUND_ZOOM = 13;
/** How often "Fit" looks closer, where circles open into others. */
const FITS = 8;

const byId = (id) => document.getElementById(id);
const address = readAddress();

let mode = address.mode;
let clients = 0;
/** The server's clock less this machine's. */
let clockOffset = 0;
let isFirstSecond = true;
let isFirstPicture = true;
/** `{ dot }` or `{ id }`, with `isAsked` until the map has gone there; `follows` until a person moves the map. */
let chosen = null;
let fitsLeft = address.view || address.client ? 0 : FITS;
let settling = 0;
let asked = "";
let listing = 0;
let servers = [];

const serverNow = () => Date.now() + clockOffset;

const herdMap = new HerdMap(byId("map"), { onMoved: moved, onUserMoved: letGoOfView });
const { map } = herdMap;
const basemap = new Basemap(map);
const herd = new HerdView(byId("drawing"), byId("links"), byId("herd-summary"));
const dots = new Dots(map, () => ({
  nowS: serverNow() / 1000,
  mode,
  serverCount: servers.length,
  isStale: (server) => (server === null ? Boolean(herd.cutOff) : herd.isSilent(server)),
}), document.querySelectorAll(".count, .tools, .legend, #banner, .leaflet-bottom.leaflet-right"));
const trail = new Trail(map);
const banner = new Banner({
  root: document.documentElement, state: byId("state"), banner: byId("banner"), title: byId("banner-title"),
  text: byId("banner-text"),
});
const graphs = new Graphs({
  rate: { drawing: byId("rate-drawing"), now: byId("rate-now"), most: byId("rate-most") },
  way: { drawing: byId("way-drawing"), now: byId("way-now"), most: byId("way-most") },
});
const record = new RecordView({
  panel: byId("client"), title: byId("client-title"), fields: byId("client-fields"), places: byId("places"),
  neighbours: byId("neighbours"), sources: byId("sources"), unknown: byId("unknown"), known: byId("known"),
  forget: byId("forget"), geo: byId("geo"), openstreetmap: byId("openstreetmap"),
}, {
  colourOf: (name) => herd.colourOf(name),
  onChoose: (client, client64) => chooseById(client64 ?? base64url(client), client ?? "…", false),
});
const list = new ClientList({
  body: byId("in-view-rows"), headers: [...document.querySelectorAll("#in-view [data-order]")],
  note: byId("in-view-note"), summary: byId("in-view-title"),
}, { onChoose: chooseDot });
const circle = new WatchedCircle(map, {
  tool: byId("draw"), hint: byId("draw-hint"), panel: byId("circle"), close: byId("circle-close"),
  form: byId("circle-form"), radius: byId("circle-radius"), state: byId("circle-state"), log: byId("circle-log"),
}, { onChoose: (id, label) => chooseById(id, label, false) });
const forgetting = new Forgetting({
  dialog: byId("forget-dialog"), question: byId("forget-question"), confirm: byId("forget-confirm"),
  cancel: byId("forget-cancel"), fault: byId("forget-fault"),
});
const stream = new Stream({ event: take, state: connectionChanged }, SILENCE_MS);
new Find({ form: byId("find"), field: byId("find-id"), list: byId("found") }, (id, label) => chooseById(id, label, true));

function query() {
  const parts = [herdMap.question()];
  if (chosen?.id) parts.push(`client=${chosen.id}`);
  else if (chosen?.dot) parts.push(`dot=${chosen.dot}`);
  return parts.join("&");
}

function ask() {
  clearTimeout(settling);
  settling = 0;
  if (document.hidden) return;
  const next = query();
  if (next === asked) return;
  asked = next;
  stream.ask(`./live/events?${next}`);
}

function moved() {
  clearTimeout(settling);
  settling = setTimeout(() => {
    ask();
    askForNames();
    remember();
  }, SETTLE_MS);
}

/** A person moves the map: nothing else does from now on. */
function letGoOfView() {
  fitsLeft = 0;
  if (chosen?.follows) setFollowing(false);
}

function remember() {
  const view = { zoom: herdMap.zoom, ...herdMap.centre };
  writeAddress({ client: chosen?.id ?? null, follows: chosen?.follows, mode, view });
}

let namesOf = "";
async function askForNames() {
  const shown = basemap.hasStreets ? "" : herdMap.shown();
  if (shown === namesOf) return;
  namesOf = shown;
  if (!shown) return dots.setNames([]);
  try {
    const response = await fetch(`./live/names?${shown}`);
    if (response.ok && namesOf === shown) dots.setNames(await response.json());
  } catch {
    // Asked for again when the map moves; that the server is lost is said elsewhere.
    namesOf = "";
  }
}

function take(name, data) {
  banner.lastHeard = Date.now();
  switch (name) {
    case "hello":
      isFirstSecond = true;
      banner.server = data.server;
      byId("server").textContent = data.server;
      byId("version").textContent = `herd ${data.version}`;
      document.title = `${data.server} · herd`;
      byId("streets").hidden = data.tiles === null;
      if (data.tiles) basemap.offer(data.tiles);
      break;
    case "map":
      takeMap(data);
      break;
    case "client":
      takeClient(data);
      break;
    case "herd":
      byId("cluster").textContent = data.cluster;
      servers = data.servers;
      herd.show(data, serverNow());
      banner.cutOffIs(herd.cutOff);
      record.coloursChanged();
      showLegend(byId("legend"), mode, servers);
      dots.paintSoon();
      break;
    case "seconds":
      clockOffset = data.now_ms - Date.now();
      graphs.take(data.seconds, isFirstSecond);
      isFirstSecond = false;
      record.tick(serverNow());
      // Ages grow without an event.
      dots.paintSoon();
      listSoon();
      break;
    default:
  }
}

function takeMap(data) {
  dots.take(data);
  clients = data.clients;
  if (fitsLeft > 0 && dots.dots.size > 0 && (data.whole || fitsLeft === FITS)) {
    const before = herdMap.zoom;
    herdMap.fit(dots.corners(before));
    // Circles open into others that need less room.
    fitsLeft = data.counted && herdMap.zoom !== before ? fitsLeft - 1 : 0;
  }
  showSummary();
}

function showSummary() {
  byId("clients").textContent = count(clients);
  byId("clients-word").textContent = clients === 1 ? "client" : "clients";
  byId("empty").hidden = clients !== 0;
  listSoon();
}

function listSoon() {
  if (!listing) listing = setTimeout(listNow, LIST_EVERY_MS);
}

function listNow() {
  listing = 0;
  const groups = dots.inView();
  const seen = groups.reduce((sum, group) => sum + group.count, 0);
  byId("seen").textContent = seen === clients ? "" : `${count(seen)} in view`;
  const from = chosen?.latitude === undefined ? herdMap.centre : chosen;
  byId("in-view-from").textContent = chosen?.latitude === undefined ? "from middle" : "from chosen";
  list.show(groups, from, serverNow() / 1000, chosen?.dot);
  // Tests and other tools see what is drawn.
  Object.assign(map.getContainer().dataset, {
    dots: groups.length,
    circles: groups.filter((group) => group.count > 1).length,
    seen,
    zoom: herdMap.zoom,
  });
}

function takeClient({ record: found, may_forget: mayForget }) {
  if (!chosen) return;
  record.show(found, mayForget, serverNow());
  byId("follow").hidden = found === null;
  if (!found) {
    dots.setChosen(null, []);
    return;
  }
  Object.assign(chosen, { id: found.id, label: found.label, latitude: found.latitude, longitude: found.longitude });
  const server = servers.findIndex(({ name }) => name === found.server);
  const places = found.places.results.map(({ geometry: { location } }) => (
    { latitude: location.lat, longitude: location.lng }
  ));
  dots.setChosen({ ...chosen, key: chosen.dot, timeS: found.time_ms / 1000, server: server < 0 ? null : server }, places);
  trail.add(chosen);
  if (chosen.isAsked) {
    // Asked for by its id, it may be anywhere.
    chosen.isAsked = false;
    herdMap.show(chosen, Math.max(FOUND_ZOOM, herdMap.zoom));
  } else if (chosen.follows) {
    herdMap.follow(chosen);
  }
  remember();
}

function beginChoice(choice, label, follows = true) {
  chosen = { ...choice, label };
  trail.begin();
  record.expect(label);
  dots.setChosen(null, []);
  setFollowing(follows);
  ask();
}

function chooseDot(dot) {
  if (chosen?.dot === dot.key) return;
  beginChoice({ dot: dot.key }, dot.label);
}

/** A client by its id in base64url; `shows` says whether the map goes there, whatever it shows now. */
function chooseById(id, label, shows, follows) {
  fitsLeft = 0;
  beginChoice({ id, isAsked: shows }, label, follows);
}

function unchoose() {
  if (!chosen) return;
  chosen = null;
  trail.begin();
  record.hide();
  dots.setChosen(null, []);
  ask();
  remember();
}

function setFollowing(follows) {
  chosen.follows = follows;
  byId("follow").setAttribute("aria-pressed", String(follows));
  if (chosen.id) remember();
}

/** A client is chosen, a circle opened: down to the closest zoom, where the list has the rest. */
function openGroup(group) {
  if (!group) return unchoose();
  if (group.count === 1) return chooseDot(group.dots[0]);
  fitsLeft = 0;
  const isClosest = herdMap.zoom === map.getMaxZoom();
  if (isClosest) return byId("in-view").scrollIntoView({ block: "nearest" });
  if (group.dots.length > 1 && group.dots.every((dot) => dot.count === 1)) herdMap.fit(group.dots);
  else herdMap.show(group.dots[0], Math.min(map.getMaxZoom(), herdMap.zoom + 2));
}

function fit() {
  fitsLeft = FITS;
  herdMap.showWorld();
  asked = "";
  herdMap.asked = null;
  ask();
}

function setMode(next) {
  mode = next;
  byId("colour").value = mode;
  showLegend(byId("legend"), mode, servers);
  dots.paintSoon();
  remember();
}

function connectionChanged(state) {
  banner.connectionIs(state);
  if (state.name === "lost" || state.name === "refused") asked = "";
}

map.on("click", (event) => {
  if (!circle.isDrawing) openGroup(dots.groupAt(event.containerPoint));
});
map.on("mousemove", (event) => {
  const isOver = !circle.isDrawing && dots.groupAt(event.containerPoint) !== null;
  map.getContainer().classList.toggle("over-dot", isOver);
});
map.on("painted", () => {
  listSoon();
  // Browsers' own tools and tools/measure see when the first picture was there.
  if (isFirstPicture && dots.dots.size > 0) {
    isFirstPicture = false;
    performance.mark("first picture");
  }
});
map.getContainer().addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target !== map.getContainer()) return;
  const middle = () => {
    const { x, y } = map.getSize().divideBy(2);
    return dots.inView().map((group) => ({ group, at: map.layerPointToContainerPoint(dots.layer._bounds.min.add([group.x, group.y])) }))
      .sort((a, b) => Math.hypot(a.at.x - x, a.at.y - y) - Math.hypot(b.at.x - x, b.at.y - y))[0]?.group;
  };
  const actions = {
    0: () => { fitsLeft = 0; herdMap.showWorld(); },
    f: fit,
    c: () => circle.drawAroundMiddle(),
    Enter: () => openGroup(middle() ?? null),
    Escape: () => (circle.isDrawing ? circle.setDrawing(false) : unchoose()),
  };
  const action = actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

const onClick = (id, action) => byId(id).addEventListener("click", action);
onClick("zoom-in", () => { fitsLeft = 0; herdMap.zoomBy(1); });
onClick("zoom-out", () => { fitsLeft = 0; herdMap.zoomBy(-1); });
onClick("fit", fit);
onClick("world", () => { fitsLeft = 0; herdMap.showWorld(); });
onClick("streets", () => {
  const shown = byId("streets").getAttribute("aria-pressed") !== "true";
  byId("streets").setAttribute("aria-pressed", String(shown));
  basemap.showStreets(shown);
  askForNames();
});
onClick("close", () => {
  unchoose();
  map.getContainer().focus();
});
onClick("follow", () => {
  setFollowing(!chosen.follows);
  if (chosen.follows && chosen.latitude !== undefined) herdMap.show(chosen);
});
onClick("forget", () => forgetting.ask(chosen));
copiesOnClick(byId("copy"), () => `${chosen.latitude}, ${chosen.longitude}`);
copiesOnClick(byId("share"), () => {
  remember();
  return location.href;
});
byId("colour").addEventListener("change", () => setMode(byId("colour").value));
onColoursChanged(() => {
  basemap.redraw();
  dots.coloursChanged();
  trail.coloursChanged();
  circle.coloursChanged();
  record.coloursChanged();
  showLegend(byId("legend"), mode, servers);
});
document.addEventListener("visibilitychange", () => {
  // A page in the background takes no place.
  if (document.hidden) {
    asked = "";
    stream.close();
  } else {
    ask();
  }
});

setMode(mode);
if (address.view) herdMap.show(address.view, address.view.zoom);
basemap.load().catch((error) => {
  byId("empty").hidden = false;
  byId("empty").textContent = `The map of the world could not be loaded (${error.message}). Load the page again.`;
});
if (address.client) chooseById(address.client, "…", !address.view, address.follows || !address.view);
else ask();
askForNames();
