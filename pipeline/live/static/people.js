// A long list of people of which only the visible rows are in the document, chosen by mouse or keyboard.

import { element } from "./dom.js";

const ROW = 58, SPARE = 4;

export class People {
  constructor(place, onChoose) {
    this.place = place;
    this.onChoose = onChoose;
    this.rows = [];
    this.active = -1;
    this.chosen = null;
    this.sizer = element("div", { role: "presentation", class: "sizer" });
    place.append(this.sizer);
    place.addEventListener("scroll", () => requestAnimationFrame(() => this.draw()), { passive: true });
    place.addEventListener("keydown", (event) => this.onKey(event));
    place.addEventListener("click", (event) => {
      const row = event.target.closest("[role=option]");
      if (row) this.choose(Number(row.dataset.at));
    });
    new ResizeObserver(() => this.draw()).observe(place);
  }

  // rows: [site, person, score, reasons, since]; the one who was active stays so.
  show(rows, tongue, now, withSite) {
    const active = this.rows[this.active];
    Object.assign(this, { rows, tongue, now, withSite });
    this.active = active ? rows.findIndex((row) => row[0] === active[0] && row[1] === active[1]) : -1;
    this.sizer.style.blockSize = `${rows.length * ROW}px`;
    this.draw();
  }

  draw() {
    if (!this.tongue) return;
    const first = Math.max(0, Math.floor(this.place.scrollTop / ROW) - SPARE);
    const last = Math.min(this.rows.length, first + Math.ceil(this.place.clientHeight / ROW) + 2 * SPARE);
    this.sizer.replaceChildren(...this.rows.slice(first, last).map((row, at) => this.row(row, first + at)));
    if (this.active >= first && this.active < last) this.place.setAttribute("aria-activedescendant", `person-${this.active}`);
    else this.place.removeAttribute("aria-activedescendant");
  }

  row([site, person, score, reasons, since], at) {
    const { tongue } = this;
    const key = `${site}\n${person}`;
    const option = element("div", {
      role: "option", id: `person-${at}`, class: at === this.active ? "person active" : "person", "data-at": at,
      "aria-selected": key === this.chosen, "aria-posinset": at + 1, "aria-setsize": this.rows.length,
    },
    element("bdi", { class: "id" }, person),
    element("span", { class: "soft when" }, tongue.duration(Math.max(0, (this.now - since) / 1000))),
    element("span", { class: "soft why" }, [this.withSite ? `\u2068${site}\u2069` : "", ...reasons.map((one) => tongue.reason(one))].filter(Boolean).join(" · ")));
    if (score > 0) {
      const bar = element("span", { class: "score", "aria-hidden": "true" }, element("span", {}));
      bar.firstChild.style.inlineSize = `${100 * score}%`;
      option.append(element("span", { class: "points" }, tongue.number(100 * score)), bar);
    }
    option.style.insetBlockStart = `${at * ROW}px`;
    return option;
  }

  choose(at) {
    const row = this.rows[at];
    if (!row) return;
    this.active = at;
    this.chosen = `${row[0]}\n${row[1]}`;
    this.draw();
    this.onChoose(row[0], row[1]);
  }

  onKey(event) {
    const page = Math.max(1, Math.floor(this.place.clientHeight / ROW) - 1);
    const to = {
      ArrowDown: this.active + 1, ArrowUp: this.active - 1, PageDown: this.active + page, PageUp: this.active - page,
      Home: 0, End: this.rows.length - 1,
    }[event.key];
    if (event.key === "Enter" || event.key === " ") this.choose(this.active);
    else if (to === undefined) return;
    else this.go(Math.min(Math.max(to, 0), this.rows.length - 1));
    event.preventDefault();
  }

  go(at) {
    this.active = at;
    const { scrollTop, clientHeight } = this.place;
    if (at * ROW < scrollTop) this.place.scrollTop = at * ROW;
    else if ((at + 1) * ROW > scrollTop + clientHeight) this.place.scrollTop = (at + 1) * ROW - clientHeight;
    this.draw();
  }
}
