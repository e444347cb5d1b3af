// The record of the chosen client, and the places near it.

import { ago, count, distance, element, metresBetween, moment, plainText } from "./text.js";

export class RecordView {
  constructor(panel, { title, fields, places, sources, unknown }, colourOf) {
    Object.assign(this, { panel, title, fields, places, sources, unknown, colourOf });
    this.record = null;
  }

  hide() {
    this.record = null;
    this.panel.hidden = true;
  }

  /** Before the server has sent its record. */
  expect(label) {
    this.panel.hidden = false;
    this.title.textContent = label;
    this.unknown.hidden = true;
    this.fields.replaceChildren();
    this.places.replaceChildren();
    this.sources.textContent = "";
    delete this.panel.dataset.client;
  }

  show(record, now) {
    this.panel.hidden = false;
    this.record = record;
    this.unknown.hidden = record !== null;
    if (!record) {
      this.fields.replaceChildren();
      this.places.replaceChildren();
      this.sources.textContent = "";
      return;
    }
    this.title.textContent = record.label;
    this.panel.dataset.client = record.id;
    const chip = element("span", { class: "chip", "aria-hidden": "true" });
    chip.style.setProperty("--colour", this.colourOf(record.server));
    this.rows = [
      this.row("location", "Location", record.location),
      this.row("server", "Heard by", chip, record.server),
      this.row("received", "Heard at", moment(record.received_ms), element("span", { class: "ago" })),
      this.row("time", "Client's time", record.time, element("span", { class: "ago" })),
      this.row("difference", "Difference", `${record.difference} s`),
    ];
    if (record.id_bytes > 256) this.rows.push(this.row("bytes", "Id", `${count(record.id_bytes)} bytes, cut above`));
    this.fields.replaceChildren(...this.rows.flat());
    this.showPlaces(record);
    this.tick(now);
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
