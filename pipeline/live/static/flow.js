// The stages of one model as a row of cards, and what moves between them: arcs above go on, arcs below go back.

import { element, svg } from "./dom.js";

const MOST_DOTS = 10, DOT_MS = 1400;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Flow {
  constructor(place) {
    this.place = place;
    this.seen = null; // moves of the model drawn last, by "from>to"
    new ResizeObserver(() => this.drawArcs()).observe(place);
  }

  // persons: stage -> number; moves: [from, to, number].
  draw(model, persons, moves, tongue) {
    const key = `${model?.name} ${tongue.language}`;
    this.rtl = tongue.rtl;
    this.moves = moves;
    this.order = model.stages.map((stage) => stage.id);
    const most = Math.max(1, ...this.order.map((id) => persons[id] ?? 0));
    if (this.key !== key) this.build(model, tongue);
    for (const [id, card] of this.cards) {
      const number = tongue.number(persons[id] ?? 0);
      if (card.number.textContent !== number) card.number.textContent = number;
      card.fill.style.inlineSize = `${(100 * (persons[id] ?? 0)) / most}%`;
    }
    this.spoken.replaceChildren(...moves.filter(([from, to]) => from && to).map(([from, to, n]) => element("li", {},
      tongue.text("flowSays", { from: tongue.stage(model.name, from), to: tongue.stage(model.name, to), n: tongue.number(n) }))));
    const now = new Map(moves.map(([from, to, n]) => [`${from}>${to}`, n]));
    const before = this.key === key ? this.seen : null;
    this.seen = now;
    this.key = key;
    this.drawArcs();
    if (before) for (const [step, n] of now) this.travel(step, n - (before.get(step) ?? 0));
  }

  build(model, tongue) {
    this.cards = new Map();
    const list = element("ol", { class: "stages" });
    model.stages.forEach((stage, at) => {
      const number = element("strong", { "data-stage": stage.id }, "0");
      const fill = element("span", { class: "fill", "aria-hidden": "true" });
      const card = element("li", { class: "stage" },
        element("span", { class: "label" }, tongue.stage(model.name, stage.id)), number,
        element("span", { class: "hidden" }, ` ${tongue.words.persons}`), element("span", { class: "track", "aria-hidden": "true" }, fill));
      card.style.setProperty("--hue", 188 + (140 * at) / Math.max(model.stages.length - 1, 1));
      this.cards.set(stage.id, { card, number, fill });
      list.append(card);
    });
    this.arcs = svg("svg", { class: "arcs", "aria-hidden": "true" });
    this.spoken = element("ul", { class: "hidden" });
    const legend = element("p", { class: "legend soft" },
      element("span", { class: "key on" }), ` ${tongue.words.forward} `, element("span", { class: "key back" }), ` ${tongue.words.back} `, element("span", { class: "key leave" }), ` ${tongue.words.leave}`);
    this.place.replaceChildren(this.arcs, list, this.spoken, legend);
  }

  drawArcs() {
    if (!this.moves) return;
    const frame = this.arcs.getBoundingClientRect();
    if (!frame.width) { this.arcs.replaceChildren(); this.paths = new Map(); return; }
    this.arcs.setAttribute("viewBox", `0 0 ${frame.width} ${frame.height}`);
    const most = (within) => Math.max(1, ...this.moves.map(([from, to, n]) => (Boolean(from && to) === within ? n : 0)));
    const [inner, outer] = [most(true), most(false)]; // who comes and goes is compared by itself
    this.paths = new Map();
    for (const [from, to, n] of this.moves) {
      const line = n > 0 ? this.line(from, to, frame) : null;
      if (!line) continue;
      const path = svg("path", { d: line.d, class: line.kind });
      path.style.strokeWidth = `${1.5 + (from && to ? 10 * Math.sqrt(n / inner) : 8 * Math.sqrt(n / outer))}px`;
      this.paths.set(`${from}>${to}`, path);
    }
    this.arcs.replaceChildren(...this.paths.values());
  }

  line(from, to, frame) {
    const a = this.cards.get(from)?.card.getBoundingClientRect();
    const b = this.cards.get(to)?.card.getBoundingClientRect();
    const middle = (box) => box.left + box.width / 2 - frame.left;
    const side = this.rtl ? -1 : 1;
    if (!a && b) {
      const x = middle(b) - side * b.width * 0.36, y = b.top - frame.top;
      return { kind: "enter", d: `M${x} ${Math.max(y - 44, 2)}L${x} ${y}` };
    }
    if (a && !b) {
      const x = middle(a) + side * a.width * 0.36, y = a.bottom - frame.top;
      return { kind: "leave", d: `M${x} ${y}L${x} ${Math.min(y + 44, frame.height - 2)}` };
    }
    if (!a || from === to) return null;
    const steps = this.order.indexOf(to) - this.order.indexOf(from);
    const onwards = steps > 0;
    const y = (onwards ? a.top : a.bottom) - frame.top;
    const reach = Math.min(14 + 17 * Math.abs(steps), 78) * 1.32 * (onwards ? -1 : 1);
    const x1 = middle(a) + side * Math.sign(steps) * a.width * 0.14, x2 = middle(b) - side * Math.sign(steps) * b.width * 0.14;
    return { kind: onwards ? "on" : "back", d: `M${x1} ${y}C${x1} ${y + reach} ${x2} ${y + reach} ${x2} ${y}` };
  }

  travel(step, count) {
    const path = this.paths.get(step);
    const card = this.cards.get(step.split(">")[1])?.card;
    if (count <= 0) return;
    if (card && !calm.matches) card.animate([{ outlineColor: "var(--accent)" }, { outlineColor: "transparent" }], 1600);
    if (!path || calm.matches) return;
    const length = path.getTotalLength();
    const { arcs } = this;
    const dots = Array.from({ length: Math.min(count, MOST_DOTS) }, () => svg("circle", { r: 4.5, class: "dot" }));
    const started = performance.now();
    const move = (now) => {
      let left = 0;
      dots.forEach((dot, at) => {
        const done = (now - started - at * 110) / DOT_MS;
        if (done >= 1) return dot.remove();
        left += 1;
        if (done < 0) return undefined;
        const point = path.getPointAtLength(length * done);
        dot.setAttribute("cx", point.x);
        dot.setAttribute("cy", point.y);
        if (!dot.parentNode) arcs.append(dot);
        return undefined;
      });
      if (left && arcs === this.arcs) requestAnimationFrame(move);
    };
    requestAnimationFrame(move);
  }
}
