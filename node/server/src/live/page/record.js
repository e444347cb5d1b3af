// The record of the chosen client, the places and the clients near it.

import { wordsOf } from "./sse.js";
import { ago, count, distance, element, metresBetween, moment, percentEncoded, plainText } from "./text.js";

/** Which clients are near is asked for again after so long, while the client moves. */
const NEIGHBOURS_EVERY_MS = 5000;
const NEIGHBOURS_MAX = 5;

export class RecordView {
  /** `parts` are elements; `onChoose(id)` is called for a neighbour, by its id in base64url. */
  constructor(parts, { colourOf, onChoose }) {
    Object.assign(this, parts, { colourOf, onChoose });
    this.record = null;
    this.neighboursAt = 0;
  }

  hide() {
    this.record = null;
    this.panel.hidden = true;
  }

  /** Before the server has sent its record. */
  expect(label) {
    this.record = null;
    this.panel.hidden = false;
    this.title.textContent = label;
    this.unknown.hidden = true;
    this.known.hidden = true;
    this.forget.hidden = true;
    this.empty();
    delete this.panel.dataset.client;
  }

  empty() {
    for (const list of [this.fields, this.places, this.neighbours]) list.replaceChildren();
    this.sources.textContent = "";
    this.neighboursAt = 0;
  }

  show(record, mayForget, now) {
    this.panel.hidden = false;
    const isSame = record !== null && this.record?.id === record.id;
    this.record = record;
    this.unknown.hidden = record !== null;
    this.known.hidden = record === null;
    this.forget.hidden = record === null || !mayForget;
    if (!record) {
      this.empty();
      return;
    }
    if (!isSame) this.empty();
    this.title.textContent = record.label;
    this.panel.dataset.client = record.id;
    this.geo.href = `geo:${record.latitude},${record.longitude}`;
    const place = `mlat=${record.latitude}&mlon=${record.longitude}#map=15/${record.latitude}/${record.longitude}`;
    this.openstreetmap.href = `https://www.openstreetmap.org/?${place}`;
    const chip = element("span", { class: "chip", "aria-hidden": "true" });
    chip.style.setProperty("--colour", this.colourOf(record.server));
    const rows = [
      this.row("location", "Location", record.location),
      this.row("server", "Heard by", chip, record.server),
      this.row("time", "Client's time", ...this.times(record.time_ms)),
      this.row("received", "Heard at", ...this.times(record.received_ms)),
      this.row("difference", "Difference", `${record.difference} s`),
    ];
    if (record.id_bytes > 256) rows.push(this.row("bytes", "Id", `${count(record.id_bytes)} bytes, cut above`));
    this.fields.replaceChildren(...rows.flat());
    this.showPlaces(record);
    this.tick(now);
    this.askForNeighbours(record);
  }

  times(ms) {
    const [utc, local] = moment(ms);
    return [utc, element("span", { class: "local" }, local), element("span", { class: "ago" })];
  }

  /** After news of the herd: only then are the colours of servers known. */
  coloursChanged() {
    const chip = this.fields.querySelector("[data-field=server] .chip");
    if (chip && this.record) chip.style.setProperty("--colour", this.colourOf(this.record.server));
  }

  row(name, label, ...value) {
    return [element("dt", {}, label), element("dd", { "data-field": name }, ...value)];
  }

  showPlaces(record) {
    const { results, html_attributions: attributions } = record.places;
    const rows = results.map((place) => {
      const { lat, lng } = place.geometry.location;
      const away = metresBetween(record, { latitude: lat, longitude: lng });
      return element(
        "li",
        {},
        element("span", { class: "place" }, place.name),
        element("span", { class: "quiet" }, place.vicinity ?? ""),
        element("span", { class: "number" }, distance(away)),
      );
    });
    if (rows.length === 0) rows.push(element("li", { class: "quiet" }, "No settlement or airport within 50 km."));
    this.places.replaceChildren(...rows);
    this.sources.textContent = attributions.map(plainText).join(" · ");
  }

  /** The nearest other clients, as `NEARBY` gives them. */
  async askForNeighbours({ id }) {
    const now = performance.now();
    if (now - this.neighboursAt < NEIGHBOURS_EVERY_MS && this.neighboursAt !== 0) return;
    this.neighboursAt = now;
    let rows;
    try {
      const response = await fetch(`./v1/nearby?client=${percentEncoded(id)}&limit=${NEIGHBOURS_MAX}`);
      if (!response.ok) throw new Error(await wordsOf(response));
      const { clients } = await response.json();
      rows = clients.map((client) => this.neighbour(client));
      if (rows.length === 0) rows.push(element("li", { class: "quiet" }, "No other client."));
    } catch (error) {
      rows = [element("li", { class: "quiet" }, error.message)];
    }
    const hasFocus = this.neighbours.contains(document.activeElement);
    if (this.record?.id === id && !hasFocus) this.neighbours.replaceChildren(...rows);
  }

  neighbour({ client, client_base64: client64, distance_km: km, age_s: age }) {
    const id = client64 ?? null;
    const label = client ?? "(not text)";
    const button = element("button", { type: "button", class: "name", onclick: () => this.onChoose(client, id) }, label);
    return element(
      "li",
      {},
      button,
      element("span", { class: "quiet" }, ago(age * 1000)),
      element("span", { class: "number" }, distance(km * 1000)),
    );
  }

  /** Says anew how long ago things were, by the server's clock. */
  tick(now) {
    if (!this.record) return;
    const say = (field, ms) => {
      const span = this.fields.querySelector(`[data-field="${field}"] .ago`);
      if (span) span.textContent = ago(now - ms);
    };
    say("received", this.record.received_ms);
    say("time", this.record.time_ms);
  }
}
