// The page: holds what is chosen, draws what has changed.

import { $, choice, element } from "./dom.js";
import { drawChannels, drawFigures, drawHealth } from "./figures.js";
import { Flow } from "./flow.js";
import { People } from "./people.js";
import { Stream } from "./stream.js";
import { timeline } from "./timeline.js";
import { Tongue } from "./tongue.js";

const LIST_MS = 10000, OLD_MS = 600000, MOST_LISTED = 10000;
const THEMES = ["auto", "light", "dark"], LISTS = ["risk", "recent"];
const saved = (name, otherwise) => localStorage.getItem(`masir-${name}`) ?? otherwise;
const save = (name, value) => localStorage.setItem(`masir-${name}`, value);

const chosen = { site: new URLSearchParams(location.search).get("site") ?? "", window: 1, model: saved("model", "classic5"), list: saved("list", "risk"), person: null };
let about = null, tongue = new Tongue(saved("language", navigator.language.slice(0, 2)), null);
let snapshot = null, state = "loading", listed = { rows: [], at: 0 }, listWanted = false, detail = null;
let mark = {};
const flow = new Flow($("flow"));
const people = new People($("people"), openPerson);

function drawWords() {
  const { words } = tongue;
  document.documentElement.lang = tongue.language;
  document.documentElement.dir = tongue.rtl ? "rtl" : "ltr";
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = words[node.dataset.t];
  $("find").placeholder = words.find;
  $("language").value = tongue.language;
  $("theme").textContent = words.theme[saved("theme", "auto")];
  mark.window = choice($("window"), [0, 1, 2], (at) => Object.values(words.windows)[at], String(chosen.window), (at) => { chosen.window = at; mark.window(String(at)); draw(["windows"]); });
  mark.list = choice($("lists"), LISTS, (name) => words[name], chosen.list, (name) => { chosen.list = name; save("list", name); mark.list(name); loadList(); });
  if (about) {
    mark.model = choice($("models"), about.models.map((model) => model.name), (name) => tongue.model(name), chosen.model,
      (name) => { chosen.model = name; save("model", name); mark.model(name); draw(["stages"]); }, "tab");
    $("foot").textContent = tongue.text("foot", { version: about.version });
  }
  $("empty-code").textContent = `curl -d '{"site":"shop","event":"page_view","visitor_id":"me"}' \\\n  ${about?.hits_at ? `http://${about.hits_at}` : location.origin}/v1/hits`;
  drawState();
  drawSites();
  drawPerson();
  if (snapshot) draw(Object.keys(snapshot));
}

function draw(names) {
  const has = (...these) => these.some((name) => names.includes(name));
  if (!about || !snapshot) return;
  $("main").removeAttribute("aria-busy");
  $("empty").hidden = snapshot.sites.length > 0;
  if (has("now", "windows", "hour", "hits")) drawFigures(snapshot, chosen.window, tongue);
  if (has("windows")) drawChannels(snapshot.windows, chosen.window, tongue);
  if (has("stages", "moves")) drawFlow();
  if (has("health", "ledger")) drawHealth(snapshot, tongue);
  if (has("sites")) drawSites();
  if (has("risks")) drawReasons();
  const { at, watermark } = snapshot.now;
  $("as-of").hidden = watermark === null || at - watermark < OLD_MS;
  if (!$("as-of").hidden) $("as-of").textContent = tongue.text("asOf", { time: `\u2068${tongue.time(watermark)}\u2069` });
}

function drawFlow() {
  const model = about.models.find((one) => one.name === chosen.model) ?? about.models[0];
  flow.draw(model, snapshot.stages[model.name] ?? {}, snapshot.moves[model.name] ?? [], tongue);
}

function drawSites() {
  const names = snapshot?.sites ?? [];
  const all = new Set(chosen.site ? [...names, chosen.site] : names);
  $("site").replaceChildren(element("option", { value: "" }, tongue.words.allSites), ...[...all].map((name) => element("option", { value: name }, name)));
  $("site").value = chosen.site;
}

function drawReasons() {
  const risks = Object.entries(snapshot.risks).filter(([, n]) => n > 0).sort(([, a], [, b]) => b - a);
  $("reasons").replaceChildren(...risks.map(([reason, n]) => element("li", { "data-reason": reason }, `${tongue.reason(reason)} `, element("strong", {}, tongue.number(n)))));
}

function drawState() {
  const { words } = tongue;
  document.body.dataset.state = state;
  const text = { loading: words.loading, live: words.live }[state] ?? words.lost;
  if ($("status-text").textContent !== text) $("status-text").textContent = text;
  const time = snapshot ? `\u2068${tongue.seconds(snapshot.now.at)}\u2069` : "–";
  $("broken").hidden = state === "live" || state === "loading";
  $("broken").textContent = $("broken").hidden ? "" : tongue.text(state, { time });
}

async function ask(path, parameters) {
  const answer = await fetch(`${path}?${new URLSearchParams(parameters)}`);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

async function loadList() {
  const { list, site } = chosen;
  listWanted = false;
  listed.at = Date.now();
  try {
    const rows = await ask("/live/persons", { kind: list, site });
    if (list !== chosen.list || site !== chosen.site) return;
    listed.rows = rows;
    drawList();
  } catch {
    listWanted = true; // and so asked again
  }
}

function drawList() {
  const { words } = tongue;
  const wanted = $("find").value.trim().toLowerCase();
  const rows = wanted ? listed.rows.filter((row) => row[1].toLowerCase().includes(wanted)) : listed.rows;
  people.show(rows, tongue, snapshot?.now.at ?? Date.now(), !chosen.site && (snapshot?.sites.length ?? 0) > 1);
  const none = chosen.list === "risk" ? words.noRisk : words.noRecent;
  const key = rows.length >= MOST_LISTED ? "mostShown" : "shown";
  const text = rows.length ? tongue.text(key, { n: tongue.number(rows.length) }) : wanted ? words.notFound : none;
  $("people-count").replaceChildren(text);
  const site = chosen.site || (snapshot?.sites.length === 1 ? snapshot.sites[0] : "");
  if (wanted && site) {
    const button = element("button", { type: "button", class: "link" }, tongue.text("openExact", { id: $("find").value.trim() }));
    button.addEventListener("click", () => openPerson(site, $("find").value.trim()));
    $("people-count").append(" ", button);
  }
}

async function openPerson(site, person) {
  chosen.person = { site, person };
  detail = null;
  drawPerson();
  await loadPerson();
  if (matchMedia("(max-width: 1000px)").matches) $("timeline-title").focus();
}

async function loadPerson() {
  const { person } = chosen;
  try {
    const found = await ask("/live/person", person);
    if (person === chosen.person) detail = found;
  } catch {
    if (person === chosen.person && !detail) detail = "away";
  }
  drawPerson();
}

function drawPerson() {
  const { words } = tongue;
  const place = $("timeline");
  const scrolled = place.querySelector(".entries")?.scrollTop ?? 0;
  if (!chosen.person) place.replaceChildren(element("p", { class: "soft" }, words.choose));
  else if (!detail) place.replaceChildren(element("p", { class: "soft" }, words.loading));
  else if (detail === "away") place.replaceChildren(element("p", {}, words.storeAway));
  else place.replaceChildren(...timeline(chosen.person.person, detail, tongue));
  const entries = place.querySelector(".entries");
  if (entries) entries.scrollTop = scrolled;
}

const stream = new Stream((whole, names) => {
  snapshot = whole;
  if (names.includes("risks")) listWanted = true;
  draw(names);
  if (!listed.at || (Date.now() - listed.at > LIST_MS && (listWanted || chosen.list === "recent" || chosen.person))) {
    loadList();
    if (chosen.person && detail) loadPerson();
  }
}, (now) => {
  state = now;
  drawState();
});

$("site").addEventListener("change", () => {
  chosen.site = $("site").value;
  listed = { rows: [], at: 0 };
  flow.key = null;
  stream.open(chosen.site);
});
$("language").addEventListener("change", () => {
  save("language", $("language").value);
  tongue = new Tongue($("language").value, about);
  drawWords();
  drawList();
});
$("theme").addEventListener("click", () => {
  const next = THEMES[(THEMES.indexOf(saved("theme", "auto")) + 1) % THEMES.length];
  save("theme", next);
  document.documentElement.dataset.theme = next;
  $("theme").textContent = tongue.words.theme[next];
});
$("find").addEventListener("input", drawList);

document.documentElement.dataset.theme = saved("theme", "auto");
drawWords();
async function start() {
  try {
    about = await ask("/live/about", {});
  } catch {
    stream.tell("broken");
    setTimeout(start, 2500);
    return;
  }
  tongue = new Tongue(tongue.language, about);
  if (!about.models.some((model) => model.name === chosen.model)) chosen.model = about.models[0].name;
  drawWords();
  stream.open(chosen.site);
}
start();
