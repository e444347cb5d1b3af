// A circle that a person draws, and who enters and leaves it: WATCH, as /v1/watch tells it.

import { colours } from "./colours.js";
import { wrapped } from "./mercator.js";
import { Stream } from "./stream.js";
import { base64url, element, plural, secondOfDay } from "./text.js";

/** The server says that it is alive more often than this. */
const SILENCE_MS = 45_000;
const LINES_MAX = 50;
const RADIUS_M_MIN = 20;

export class WatchedCircle {
  /** `parts` are elements; `onChoose(id)` gets an id in base64url. */
  constructor(map, parts, { onChoose }) {
    Object.assign(this, parts, { map, onChoose });
    this.shape = null;
    this.isDrawing = false;
    this.inside = new Set();
    this.isSettled = false;
    this.stream = new Stream({ event: (name, data) => this.take(name, data), state: (state) => this.say(state) }, SILENCE_MS);
    this.tool.addEventListener("click", () => this.setDrawing(!this.isDrawing));
    this.close.addEventListener("click", () => this.end());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const km = Number(this.radius.value);
      if (this.shape && km > 0) this.watch(this.shape.getLatLng(), km * 1000);
    });
    this.listenToPointer();
  }

  /** With the keyboard: a circle around the middle of the map, whose radius can be typed. */
  drawAroundMiddle() {
    const bounds = this.map.getBounds();
    const height = this.map.distance([bounds.getNorth(), 0], [bounds.getSouth(), 0]);
    this.watch(this.map.getCenter(), height / 5);
    this.radius.focus();
  }

  setDrawing(isDrawing) {
    this.isDrawing = isDrawing;
    this.tool.setAttribute("aria-pressed", String(isDrawing));
    this.hint.hidden = !isDrawing;
    this.map.getContainer().classList.toggle("draws", isDrawing);
    this.map.dragging[isDrawing ? "disable" : "enable"]();
  }

  listenToPointer() {
    const element = this.map.getContainer();
    let centre = null;
    const at = (event) => this.map.mouseEventToLatLng(event);
    element.addEventListener("pointerdown", (event) => {
      if (!this.isDrawing || event.target.closest(".leaflet-control")) return;
      event.preventDefault();
      element.setPointerCapture(event.pointerId);
      centre = at(event);
    });
    element.addEventListener("pointermove", (event) => {
      if (centre) this.draw(centre, Math.max(RADIUS_M_MIN, this.map.distance(centre, at(event))));
    });
    element.addEventListener("pointerup", (event) => {
      if (!centre) return;
      const radius = this.map.distance(centre, at(event));
      const from = centre;
      centre = null;
      this.setDrawing(false);
      // A click without a drag: a circle that can be seen.
      const least = this.map.distance(from, this.map.mouseEventToLatLng({ clientX: event.clientX + 60, clientY: event.clientY }));
      this.watch(from, radius < least / 10 ? least : radius);
    });
    element.addEventListener("pointercancel", () => { centre = null; });
  }

  draw(centre, radiusM) {
    if (!this.shape) {
      this.shape = L.circle(centre, { radius: radiusM, weight: 2, interactive: false }).addTo(this.map);
      this.coloursChanged();
    }
    this.shape.setLatLng(centre).setRadius(radiusM);
  }

  coloursChanged() {
    this.shape?.setStyle({ color: colours().accent, fillOpacity: 0.08 });
  }

  watch(centre, radiusM) {
    this.draw(centre, Math.max(RADIUS_M_MIN, radiusM));
    const { lat, lng } = centre;
    const km = this.shape.getRadius() / 1000;
    this.radius.value = km.toPrecision(3).replace(/\.?0+$/, "");
    this.panel.hidden = false;
    this.log.replaceChildren();
    this.reset();
    const place = `latitude=${lat.toFixed(6)}&longitude=${wrapped(lng).toFixed(6)}`;
    this.stream.ask(`./v1/watch?${place}&radius_km=${km.toFixed(6)}`);
  }

  end() {
    this.stream.close();
    this.shape?.remove();
    this.shape = null;
    this.panel.hidden = true;
    this.setDrawing(false);
  }

  /** What was inside is told again. */
  reset() {
    this.inside = new Set();
    this.isSettled = false;
    this.state.textContent = "Asking …";
  }

  take(name, data) {
    const id = data.client_base64 ? base64Url(data.client_base64) : data.client !== undefined ? base64url(data.client) : null;
    const label = data.client ?? "a client whose id is no text";
    if (name === "enter") {
      this.inside.add(id);
      if (this.isSettled) this.note(id, label, "came in");
    } else if (name === "leave" || name === "gone") {
      this.inside.delete(id);
      if (this.isSettled) this.note(id, label, name === "gone" ? "was forgotten" : "went out");
    } else if (name === "live") {
      this.isSettled = true;
    }
    this.count();
  }

  count() {
    if (!this.isSettled) return;
    this.state.textContent = `${plural(this.inside.size, "client is", "clients are")} inside.`;
  }

  note(id, label, what) {
    const button = element("button", { type: "button", class: "name", onclick: () => this.onChoose(id, label) }, label);
    const time = element("span", { class: "number" }, secondOfDay(Date.now()));
    this.log.prepend(element("li", {}, button, element("span", { class: "quiet" }, what), time));
    while (this.log.children.length > LINES_MAX) this.log.lastElementChild.remove();
  }

  say({ name, why }) {
    if (name === "connecting") this.reset();
    if (name === "lost") this.state.textContent = "The server is lost; trying again.";
    if (name === "refused") this.state.textContent = `The server does not watch it: ${why}`;
    if (name === "lost" || name === "refused") this.isSettled = false;
  }
}

const base64Url = (text) => text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
