// The chosen language: words, digits, dates, and the names that the server brings along.

import { WORDS } from "./words.js";

const LOCALES = { en: "en-GB", fa: "fa-IR-u-nu-arabext-ca-persian", ar: "ar-u-nu-arab-ca-gregory" };
const SIZES = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

export class Tongue {
  constructor(language, about) {
    this.language = language in WORDS ? language : "en";
    this.words = WORDS[this.language];
    this.rtl = this.language !== "en";
    this.about = about;
    const locale = LOCALES[this.language];
    this.whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
    this.fine = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
    this.share = new Intl.NumberFormat(locale, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
    this.moment = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
    this.clock = new Intl.DateTimeFormat(locale, { timeStyle: "medium" });
    this.names = about ? about.words[this.language] : { channels: {}, touchpoints: {} };
  }

  // A word, its {places} filled: text("shown", { n: "5" }).
  text(key, places = {}) {
    return fill(this.words[key], places);
  }

  number(value) { return this.whole.format(value); }
  decimal(value) { return value < 100 ? this.fine.format(value) : this.whole.format(value); }
  percent(part, all) { return all ? this.share.format(part / all) : "–"; }
  time(ms) { return this.moment.format(ms); }
  seconds(ms) { return this.clock.format(ms); }

  duration(seconds) {
    const [unit, size] = SIZES.find(([, one]) => seconds >= one) ?? SIZES.at(-1);
    const value = seconds / size;
    return `${value < 10 && size > 1 ? this.fine.format(value) : this.number(value)} ${this.words.units[unit]}`;
  }

  money(value, currency) {
    const number = new Intl.NumberFormat(LOCALES[this.language], { maximumFractionDigits: 2 }).format(value);
    return currency ? `${number} ${currency}` : number;
  }

  channel(name) { return this.names.channels[name] ?? spaced(name); }
  reason(name) { return this.words.reasons[name] ?? spaced(name); }
  event(name) {
    return this.words.plain[name] ?? this.words.events[name] ?? this.names.touchpoints[name] ?? spaced(name);
  }

  model(name) {
    return this.about?.models.find((model) => model.name === name)?.labels[this.language] ?? name;
  }

  stage(model, id) {
    const stages = this.about?.models.find((one) => one.name === model)?.stages ?? [];
    return stages.find((stage) => stage.id === id)?.labels[this.language] ?? id;
  }
}

export function fill(text, places) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => places[name] ?? whole);
}

function spaced(name) {
  return name.replaceAll("_", " ");
}
