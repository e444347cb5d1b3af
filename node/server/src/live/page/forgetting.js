// Forgets the chosen client in the whole herd, after a question.

import { wordsOf } from "./sse.js";
import { percentEncoded } from "./text.js";

export class Forgetting {
  constructor({ dialog, question, confirm, cancel, fault }) {
    Object.assign(this, { dialog, question, fault });
    this.id = null;
    cancel.addEventListener("click", () => dialog.close());
    confirm.addEventListener("click", () => this.forget());
  }

  ask({ id, label }) {
    this.id = id;
    this.question.textContent = `Forget ${label}? The whole herd forgets it, and no earlier report brings it back.`;
    this.fault.textContent = "";
    this.dialog.showModal();
  }

  async forget() {
    try {
      const response = await fetch(`./v1/clients/${percentEncoded(this.id)}`, { method: "DELETE" });
      if (!response.ok) throw new Error(await wordsOf(response));
      this.dialog.close();
    } catch (error) {
      this.fault.textContent = `It was not forgotten: ${error.message}.`;
    }
  }
}
