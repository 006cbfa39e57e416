// The four figures on top, the channels, and the health of the pipeline.

import { $, element } from "./dom.js";
import { byMinute, sparkline } from "./charts.js";

export function drawFigures({ now, windows, hour = null, hits = null, hour_end: asked = null }, window, tongue) {
  const [sessions, counted, bounced, converted, duration] = (windows.all ?? [])[window] ?? [0, 0, 0, 0, 0];
  const { words } = tongue;
  const end = asked ?? now.watermark ?? now.at; // the store was asked some seconds ago
  const chart = (rows, name, value, missing, top = null) => rows === null ? null
    : sparkline(byMinute(rows, end, value, missing), { label: `${name}. ${words.lastHour}`, rtl: tongue.rtl, top });
  const closed = tongue.text("ofClosed", { n: tongue.number(sessions) });
  const mean = sessions ? tongue.text("sessionTime", { time: tongue.duration(duration / sessions / 1000) }) : words.nothing;
  const total = (hits ?? []).reduce((sum, row) => sum + row[1], 0);
  put("active", words.active, tongue.number(now.active), mean, chart(hour, words.sessions, (row) => row[1], 0));
  put("rate", words.rate, tongue.decimal(now.hits_per_second), hits ? tongue.text("hitsHour", { n: tongue.number(total) }) : "…",
    chart(hits, words.rate, (row) => row[1], 0));
  put("bounce", words.bounce, tongue.percent(bounced, counted), closed, chart(hour, words.bounce, (row) => (row[2] ? row[3] / row[2] : null), null, 1));
  put("conversion", words.conversion, tongue.percent(converted, sessions), closed,
    chart(hour, words.conversion, (row) => (row[1] ? row[4] / row[1] : null), null, 1));
}

function put(name, title, value, note, chart) {
  $(`figure-${name}`).replaceChildren(element("h3", {}, title), element("p", { class: "value", "data-figure": name }, value),
    element("p", { class: "soft" }, note), chart ?? element("div", { class: "spark waiting" }));
}

export function drawChannels(windows, window, tongue) {
  const { words } = tongue;
  const rows = Object.entries(windows).filter(([name, sums]) => name !== "all" && sums[window][0])
    .sort(([one, a], [other, b]) => b[window][0] - a[window][0] || (one < other ? -1 : 1));
  $("channels-window").textContent = words.windows[["5m", "1h", "24h"][window]];
  if (!rows.length) return $("channels").replaceChildren(element("p", { class: "soft" }, words.noSessions));
  const most = rows[0][1][window][0];
  const head = [words.channel, words.sessions, words.bounceShort, words.conversionShort];
  const body = rows.map(([name, sums]) => {
    const [sessions, counted, bounced, converted] = sums[window];
    const bar = element("span", { class: "bar", "aria-hidden": "true" });
    bar.style.inlineSize = `${(100 * sessions) / most}%`;
    return element("tr", { "data-channel": name }, element("th", { scope: "row" }, tongue.channel(name), bar),
      element("td", {}, tongue.number(sessions)), element("td", {}, tongue.percent(bounced, counted)), element("td", {}, tongue.percent(converted, sessions)));
  });
  return $("channels").replaceChildren(element("table", {},
    element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)))), element("tbody", {}, ...body)));
}

export function drawHealth({ health, ledger = {}, now }, tongue) {
  const { words } = tongue;
  const lag = Math.max(0, ...Object.values(health.lags));
  const [slowest, waiting] = Object.entries(health.waiting).sort(([, a], [, b]) => b - a)[0] ?? ["", 0];
  const away = Object.values(health.away);
  const differs = health.ledger_difference ?? 0;
  const tiles = [
    ["lag", words.watermark, now.watermark === null ? "–" : tongue.duration(lag), lag > 60 ? "watch" : "good", ""],
    ["waiting", words.waiting, tongue.number(waiting), waiting > 100000 ? "bad" : waiting > 10000 ? "watch" : "good",
      waiting ? tongue.text("slowest", { hop: `\u2068${slowest}\u2069` }) : ""],
    ["dead", words.deadLetters, tongue.number(ledger.dead_letter ?? 0), health.dead_letters ? "watch" : "good",
      `${tongue.number(health.dead_letters)} ${words.sinceStart}`],
    ["store", words.store, tongue.number(health.rows), away.length ? "bad" : health.store_errors ? "watch" : "good",
      away.length ? words.away : health.store_errors ? tongue.text("storeErrors", { n: tongue.number(health.store_errors) }) : words.sinceStart],
    ["ledger", words.ledger, differs ? tongue.text("ledgerBad", { n: tongue.number(differs) }) : words.ledgerGood, differs ? "bad" : "good", ""],
  ];
  const outcomes = ["sessionized", "background", "late", "duplicate", "bot", "dead_letter"];
  $("health").replaceChildren(...tiles.map(([name, title, value, state, note]) => element("div", { class: `tile ${state}` },
    element("h3", {}, title), element("p", { class: "value", "data-health": name }, value),
    element("p", { class: "state" }, element("span", { class: "dot", "aria-hidden": "true" }), ` ${words[state]}`, note ? element("span", { class: "soft" }, ` · ${note}`) : null))),
  element("dl", { class: "outcomes" }, ...outcomes.map((name) => element("div", {},
    element("dt", {}, words.outcomes[name]), element("dd", { "data-outcome": name }, tongue.number(ledger[name] ?? 0))))));
}
