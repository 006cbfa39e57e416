// One person: who, and everything that happened, the newest first.

import { element } from "./dom.js";

const KINDS = [
  ["email", /^email_/], ["order", /^(purchase|refund|order_|payment_failed|subscription_)/],
  ["survey", /^(survey_response|churn_feedback|review)/], ["support", /^support_/],
];

export function timeline(id, found, tongue) {
  if (!found.person) return [element("p", {}, tongue.text("unknown", { id: `\u2068${id}\u2069` }))];
  const [user, first, last, sessions, orders, revenue, stages, score, reasons] = found.person;
  const facts = [
    ["firstSeen", tongue.time(first)], ["lastSeen", tongue.time(last)], ["sessions", tongue.number(sessions)],
    ["orders", tongue.number(orders)], ["revenue", tongue.money(revenue)],
  ];
  if (score) facts.push(["score", `${tongue.number(100 * score)} · ${reasons.map((one) => tongue.reason(one)).join(" · ")}`]);
  const entries = [
    ...found.events.map((event) => entryOfHit(event, tongue)),
    ...found.moves.map((move) => entryOfMove(move, tongue)),
    ...found.signals.map((signal) => entryOfSignal(signal, tongue)),
  ].sort((one, other) => other.at - one.at);
  return [
    element("p", { class: "who" }, element("bdi", {}, user || id)),
    element("dl", { class: "facts" }, ...facts.map(([key, value]) =>
      element("div", {}, element("dt", {}, tongue.words[key]), element("dd", {}, value)))),
    element("ul", { class: "chips" }, ...Object.entries(stages).filter(([, stage]) => stage).map(([model, stage]) =>
      element("li", { title: tongue.model(model) }, tongue.stage(model, stage)))),
    element("ol", { class: "entries", tabindex: 0, "aria-label": tongue.words.timeline }, ...grouped(entries, tongue)),
    ...(found.events.length >= 500 ? [element("p", { class: "soft" }, tongue.text("newestOnly", { n: tongue.number(500) }))] : []),
  ];
}

function grouped(entries, tongue) {
  return entries.map(({ at, kind, text, detail }) => element("li", { class: kind },
    element("span", { class: "kind" }, tongue.words.kinds[kind]),
    element("span", { class: "what" }, text, detail ? element("span", { class: "soft" }, " ", element("bdi", {}, detail)) : null),
    element("time", { class: "soft", datetime: new Date(at).toISOString() }, tongue.time(at))));
}

function entryOfHit([at, event, url, title, channel, revenue, currency, score, scale, campaign, metric], tongue) {
  const kind = KINDS.find(([, pattern]) => pattern.test(event))?.[0] ?? "hit";
  const detail = [];
  if (metric) detail.push(metric.toUpperCase());
  if (score !== null) detail.push(scale ? `${tongue.decimal(score)} / ${tongue.decimal(scale)}` : tongue.decimal(score));
  if (revenue !== null) detail.push(tongue.money(revenue, currency));
  if (campaign) detail.push(campaign);
  if (kind === "hit") detail.push(title || pathOf(url));
  if (kind === "hit" && channel && channel !== "direct") detail.push(tongue.channel(channel));
  return { at, kind, text: tongue.event(event), detail: detail.filter(Boolean).join(" · ") };
}

function entryOfMove([at, model, from, to, kind], tongue) {
  const places = { from: tongue.stage(model, from), to: tongue.stage(model, to) };
  const text = (tongue.words.moves[kind] ?? tongue.words.moves.advance).replace(/\{(\w+)\}/g, (_, name) => places[name]);
  return { at, kind: "stage", text, detail: tongue.model(model) };
}

function entryOfSignal([at, reason, state, score], tongue) {
  const text = tongue.text(state === "raised" ? "raised" : "cleared", { reason: tongue.reason(reason) });
  return { at, kind: "signal", text, detail: state === "raised" ? `+${tongue.number(100 * score)}` : "" };
}

function pathOf(url) {
  try { return new URL(url).pathname; } catch { return url; }
}
