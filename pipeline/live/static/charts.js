// Small charts of the last hour, drawn as SVG: 60 minutes, the newest at the end of the line of writing.

import { svg } from "./dom.js";

const WIDTH = 240, HEIGHT = 56, MINUTES = 60;

// values: 60 numbers or nulls (no point). top: greatest value of the scale; null: the greatest of the values.
export function sparkline(values, { label, rtl, top = null }) {
  const most = top ?? Math.max(1, ...values.filter((value) => value !== null));
  const x = (at) => (at / (MINUTES - 1)) * (WIDTH - 8) + 4;
  const y = (value) => HEIGHT - 4 - (Math.min(value, most) / most) * (HEIGHT - 12);
  const runs = [];
  let run = [];
  values.forEach((value, at) => {
    if (value === null) { if (run.length) runs.push(run); run = []; } else run.push([x(at), y(value)]);
  });
  if (run.length) runs.push(run);
  const lines = [];
  for (const points of runs) {
    const line = points.map(([px, py], at) => `${at ? "L" : "M"}${px.toFixed(1)} ${py.toFixed(1)}`).join("");
    if (points.length > 1) {
      lines.push(svg("path", { class: "area", d: `${line}L${points.at(-1)[0].toFixed(1)} ${HEIGHT}L${points[0][0].toFixed(1)} ${HEIGHT}Z` }));
      lines.push(svg("path", { class: "line", d: line }));
    }
    const [px, py] = points.at(-1);
    if (points.length === 1 || points === runs.at(-1)) lines.push(svg("circle", { class: "tip", cx: px, cy: py, r: 2.5 }));
  }
  const drawing = svg("g", rtl ? { transform: `translate(${WIDTH} 0) scale(-1 1)` } : {}, ...lines);
  return svg("svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label }, drawing);
}

// rows: [minute in s, …] ascending; the 60 minutes up to `end` (ms), each `value(row)` or `missing`.
export function byMinute(rows, end, value, missing) {
  const last = Math.floor(end / 60000) * 60;
  const found = new Map(rows.map((row) => [row[0], row]));
  return Array.from({ length: MINUTES }, (_, at) => {
    const row = found.get(last - (MINUTES - 1 - at) * 60);
    return row ? value(row) : missing;
  });
}
