"use strict";
// Asks the admin server for its JSON and shows it. Text goes in as text, never as HTML.

const byId = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const EVERY_MS = 1000;
const APPS_EVERY = 5;

function element(name, options, ...children) {
  const made = document.createElement(name);
  if (options && options.class) made.className = options.class;
  if (options && options.title) made.title = options.title;
  for (const child of children) made.append(child);
  return made;
}

function count(value) {
  if (value >= 1e9) return (value / 1e9).toFixed(1) + " G";
  if (value >= 1e7) return (value / 1e6).toFixed(1) + " M";
  return Math.round(value).toLocaleString("en-US").replaceAll(",", "\u202f");
}
function rate(value) {
  return value > 0 && value < 10 ? value.toFixed(1) : count(value);
}
function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit + 1 < units.length) { value /= 1024; unit++; }
  return (value >= 100 || unit === 0 ? value.toFixed(0) : value.toFixed(1)) + " " + units[unit];
}
function ms(value) {
  if (value >= 1000) return (value / 1000).toFixed(value >= 10000 ? 0 : 1) + " s";
  if (value >= 10) return value.toFixed(0) + " ms";
  if (value >= 0.1) return value.toFixed(value >= 1 ? 1 : 2) + " ms";
  return (value * 1000).toFixed(0) + " \u00b5s";
}
function age(seconds) {
  if (seconds < 60) return Math.floor(seconds) + " s";
  if (seconds < 3600) return Math.floor(seconds / 60) + " min";
  if (seconds < 48 * 3600) return Math.floor(seconds / 3600) + " h";
  return Math.floor(seconds / 86400) + " d";
}

function cell(text, kind) {
  return element("td", { class: kind || "" }, text === "" ? "\u2013" : String(text));
}
function number(value, shown, alarms) {
  return cell(shown, "n" + (value === 0 ? " zero" : alarms ? " alarm" : ""));
}
function fill(id, rows) {
  byId(id).querySelector("tbody").replaceChildren(...rows.map((cells) => element("tr", null, ...cells)));
}

function tile(name, value, unit, bad) {
  const shown = element("div", { class: "value" }, value);
  if (unit) shown.append(element("small", null, unit));
  return element("div", { class: bad ? "tile bad" : "tile" }, element("div", { class: "name" }, name), shown);
}
function split(text) {
  const cut = text.lastIndexOf(" ");
  return cut < 0 ? [text, ""] : [text.slice(0, cut), text.slice(cut + 1)];
}

function showOverview(data) {
  const now = data.now;
  const state = byId("state");
  state.textContent = data.state;
  state.className = data.state === "serving" ? "pill good" : "pill bad";
  byId("urls").textContent = data.urls.join("  ");
  byId("about").textContent =
    `${data.version} \u00b7 up ${age(data.uptime_s)} \u00b7 ${data.loops} ${data.loops === 1 ? "loop" : "loops"}` +
    (data.reloads + data.reload_failures > 0 ? ` \u00b7 ${data.reloads} reloads, ${data.reload_failures} refused` : "");
  document.title = `weft \u00b7 ${data.state}`;
  const memory = split(bytes(data.process.resident_bytes));
  byId("tiles").replaceChildren(
    tile("Requests", rate(now.requests || 0), "/s"),
    tile("Errors", rate(now.errors || 0), "/s", now.errors > 0),
    tile("p50", ...split(ms(now.p50_ms || 0))),
    tile("p99", ...split(ms(now.p99_ms || 0))),
    tile("Under way", count(data.totals.in_flight)),
    tile("Connections", count(data.connections)),
    tile("Processor", (100 * (now.cpu || 0)).toFixed(0), "%"),
    tile("Memory", memory[0], memory[1]),
    tile("Traps", count(data.totals.traps), "", data.totals.traps > 0));
  fill("routes", data.routes.map((each) => [
    cell(each.app), cell(each.route === "" ? "no route" : each.route, each.route === "" ? "" : "code"),
    cell(each.component), number(each.requests, count(each.requests)),
    number(each.in_flight, count(each.in_flight)), number(each.status["2xx"], count(each.status["2xx"])),
    number(each.status["3xx"], count(each.status["3xx"])), number(each.status["4xx"], count(each.status["4xx"])),
    number(each.status["5xx"], count(each.status["5xx"]), true),
    number(each.requests, each.requests ? ms(each.time.p50_ms) : "\u2013"),
    number(each.requests, each.requests ? ms(each.time.p99_ms) : "\u2013"),
    number(each.bytes_out, bytes(each.bytes_out))]));
  byId("calls-card").hidden = data.calls.length === 0;
  fill("calls", data.calls.map((each) => [
    cell(each.app), cell(each.component), cell(each.capability), cell(each.driver),
    number(each.calls, count(each.calls)), number(each.failures, count(each.failures), true),
    number(each.time.count, each.time.count ? ms(each.time.p50_us / 1000) : "\u2013"),
    number(each.time.count, each.time.count ? ms(each.time.p99_us / 1000) : "\u2013")]));
  byId("servers-card").hidden = data.servers.length === 0;
  fill("servers", data.servers.map((each) => [
    cell(`${each.capability}.${each.name}`), cell(each.driver), cell(each.server),
    cell(each.state, each.state === "down" ? "alarm" : ""),
    number(each.answered, count(each.answered)), number(each.unanswered, count(each.unanswered), true),
    number(each.losses, count(each.losses), true),
    number(each.answered, each.answered ? ms(each.mean_us / 1000) : "\u2013")]));
  showComponents(data.components);
}

let apps = [];

function grant(name, words, after) {
  const made = element("span", { class: "grant", title: [name, words, after].filter(Boolean).join(" ") },
    element("b", null, name));
  if (words) made.append(" " + words);
  if (after) made.append(element("span", { class: "quiet" }, after));
  return made;
}
function grants(component) {
  const all = [];
  if (component.any) all.push(grant("embedded defaults", ""));
  for (const use of component.uses) {
    if (use.names.length === 0) all.push(grant(use.capability, "refused"));
    for (const name of use.names) all.push(grant(use.capability, name.name || '""', name.driver));
  }
  for (const rule of component.http || []) all.push(grant("http", rule));
  for (const rule of component.net || []) all.push(grant("net", rule));
  if (component.env.length) all.push(grant("env", component.env.join(", ")));
  for (const folder of component.folders) {
    all.push(grant("folder", folder.guest, folder.writable ? "writable" : "read-only"));
  }
  return element("td", null, ...(all.length ? all : ["nothing"]));
}

function showComponents(meters) {
  const rows = [];
  for (const app of apps) {
    for (const component of app.components) {
      const meter = meters.find((each) => each.app === app.name && each.component === component.name);
      const limits = meter ? meter.limits_total : 0;
      const name = cell(component.name);
      name.title = component.file + (component.digest ? "\nsha256 " + component.digest : "");
      const hit = number(limits, count(limits), true);
      if (meter) hit.title = Object.entries(meter.limits).map(([kind, n]) => `${kind}: ${n}`).join(", ");
      rows.push([cell(app.name), name, cell(component.kind || "", "kind"), grants(component),
        number(meter ? meter.instances : 0, count(meter ? meter.instances : 0)),
        number(meter ? meter.cpu_s : 0, ms(1000 * (meter ? meter.cpu_s : 0))),
        number(meter ? meter.memory_peak_bytes : 0, bytes(meter ? meter.memory_peak_bytes : 0)),
        number(meter ? meter.traps : 0, count(meter ? meter.traps : 0), true), hit]);
    }
  }
  fill("components", rows);
}

function showRequests(data) {
  byId("live-count").textContent = data.count ? count(data.count) : "";
  byId("live-empty").hidden = data.count > 0;
  byId("live").hidden = data.count === 0;
  fill("live", data.shown.map((each) => [
    cell(each.request, "code"), cell(each.app), cell(each.component), cell(each.method),
    cell(each.path, "code path"), cell(each.peer, "code"), cell(ms(each.age_ms), "n")]));
}

let trapsShown = "";

function showTraps(list) {
  // What somebody has opened stays open until there is something new.
  const key = list.map((each) => each.at + each.request).join();
  if (key === trapsShown) return;
  trapsShown = key;
  byId("trap-count").textContent = list.length ? count(list.length) : "";
  byId("traps-empty").hidden = list.length > 0;
  byId("traps").replaceChildren(...list.map((each, index) => {
    const first = each.report.split("\n", 1)[0];
    const made = element("details", null,
      element("summary", null,
        element("span", { class: "quiet", title: each.at }, each.at.slice(11, 19)),
        element("span", { class: "pill bad" }, each.kind),
        element("span", null, `${each.app}/${each.component}`),
        element("code", { class: "what" }, first),
        element("code", { class: "quiet" }, each.request)),
      element("pre", null, each.report));
    made.open = index === 0;
    return made;
  }));
}

// Plots.

const WIDTH = 600, HEIGHT = 190, LEFT = 46, RIGHT = 6, TOP = 8, BOTTOM = 20;

function shape(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// `scale`: from a value to 0 (bottom) to 1 (top). A value of null is a gap.
function plot(id, seconds, points, lines, ticks, scale) {
  const svg = byId(id);
  const width = Math.max(280, svg.clientWidth || WIDTH);
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  const newest = points.length ? points[points.length - 1].at : 0;
  const x = (at) => LEFT + (width - LEFT - RIGHT) * (1 - (newest - at) / seconds);
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - Math.min(1, Math.max(0, scale(value))));
  const shapes = [];
  for (const [value, label] of ticks) {
    shapes.push(shape("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }));
    shapes.push(shape("text", { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, label));
  }
  for (let back = seconds; back >= 0; back -= 60) {
    const anchor = back === 0 ? "end" : back === seconds ? "start" : "middle";
    shapes.push(shape("text", { x: x(newest - back), y: HEIGHT - 4, "text-anchor": anchor },
      back === 0 ? "now" : `\u2212${back / 60} min`));
  }
  for (const line of lines) {
    let path = "", from = null, last = null;
    const ends = [];
    for (const point of points) {
      const value = line.value(point);
      if (value === null) { from = null; continue; }
      const here = `${x(point.at).toFixed(1)} ${y(value).toFixed(1)}`;
      path += (from === null ? "M" : "L") + here;
      if (from === null) { ends.push([x(point.at), x(point.at)]); from = here; }
      ends[ends.length - 1][1] = x(point.at);
      last = here;
    }
    if (line.area && ends.length === 1 && last) {
      const floor = HEIGHT - BOTTOM;
      shapes.push(shape("path", { class: "area",
        d: `${path}L${ends[0][1].toFixed(1)} ${floor}L${ends[0][0].toFixed(1)} ${floor}Z` }));
    }
    if (path) shapes.push(shape("path", { class: "line " + line.class, d: path, "stroke-linecap": "round" }));
  }
  svg.replaceChildren(...shapes);
}

function showHistory(data) {
  const points = data.points;
  const busy = points.filter((each) => each.requests > 0);
  const low = Math.min(0.1, ...busy.map((each) => each.p50_ms || 1));
  const high = Math.max(10, ...busy.map((each) => each.p99_ms));
  const bottom = Math.floor(Math.log10(Math.max(0.01, low)));
  const top = Math.ceil(Math.log10(high));
  const ticks = [];
  for (let power = bottom; power <= top; power++) {
    const value = 10 ** power;
    ticks.push([value, value >= 1000 ? value / 1000 + " s" : String(value)]);
  }
  const of = (key) => (point) => (point.requests > 0 ? Math.max(point[key], 10 ** bottom) : null);
  plot("latency", data.seconds, points,
    [{ class: "p99", value: of("p99_ms") }, { class: "p90", value: of("p90_ms") }, { class: "p50", value: of("p50_ms") }],
    ticks, (value) => (Math.log10(value) - bottom) / (top - bottom));
  const most = Math.max(4, ...points.map((each) => each.requests));
  const unit = 10 ** Math.floor(Math.log10(most / 2));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * unit).find((each) => most / each <= 4) || most;
  const rates = [];
  for (let value = 0; value < most + step; value += step) rates.push([value, count(value)]);
  const roof = rates[rates.length - 1][0];
  plot("rate", data.seconds, points,
    [{ class: "rate", area: true, value: (point) => point.requests },
     { class: "bad", value: (point) => (point.errors > 0 ? point.errors : null) }],
    rates, (value) => value / roof);
}

async function get(path) {
  const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(5000) });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

let turn = 0;

async function refresh() {
  try {
    if (turn++ % APPS_EVERY === 0) apps = await get("/api/apps");
    const [overview, requests, traps, history] = await Promise.all(
      ["/api/overview", "/api/requests", "/api/traps", "/api/history"].map(get));
    showOverview(overview);
    showRequests(requests);
    showTraps(traps);
    showHistory(history);
    document.body.className = "";
  } catch (error) {
    document.body.className = "lost";
    byId("state").textContent = "no answer";
    byId("state").className = "pill bad";
    turn = 0;
  }
  // A page that nobody looks at asks nothing.
  if (document.hidden) {
    document.addEventListener("visibilitychange", () => refresh(), { once: true });
  } else {
    setTimeout(refresh, EVERY_MS);
  }
}
refresh();
