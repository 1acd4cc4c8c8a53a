/* SPDX-License-Identifier: MIT */
/*
 * data: the block of JSON in the page (report/html_data.h says what is in it), taken apart into objects.
 *
 * Times are ticks since power-on. A series is [{step, allocated, freed}] by ascending step; data.steps has when each step began.
 */
const raw = JSON.parse(document.getElementById("data").textContent);

/* Rows of a flat array: rows([1, 2, 3, 4], ["a", "b"]) is [{a: 1, b: 2}, {a: 3, b: 4}]. */
function rows(flat, names) {
  const out = [];
  for (let i = 0; i < flat.length; i += names.length) {
    const row = {};
    names.forEach((name, k) => { row[name] = flat[i + k]; });
    out.push(row);
  }
  return out;
}

/* The running sums of a list of differences. */
function sums(list) {
  let sum = 0;
  return list.map(difference => (sum += difference));
}

function series(flat) {
  let step = 0;
  return rows(flat, ["step", "allocated", "freed"]).map(entry => ({...entry, step: (step += entry.step)}));
}

/* [value, times, value, times, ...] as a plain list. */
function repeated(list) {
  const out = [];
  for (let i = 0; i < list.length; i += 2)
    for (let k = 0; k < list[i + 1]; k++)
      out.push(list[i]);
  return out;
}

function readFrames(texts) {
  return texts.map(text => {
    const [name, place = "", inlined = ""] = text.split("\t");
    return {name: name || "(no stack)", place, inlined: inlined === "i"};
  });
}

const frames = readFrames(raw.frames);
const nodes = rows(raw.nodes, ["parent", "frame"]);
const stackOf = new Map(rows(raw.stacks, ["id", "node", "site"]).map(stack => [stack.id, stack]));

/* The frames from a node to the root, innermost first. */
function framesFrom(node) {
  const out = [];
  for (let at = node; at; at = nodes[at].parent)
    out.push(frames[nodes[at].frame]);
  return out;
}

/* All frames of a stack; with `fromSite` without those of the allocator itself. */
function stackFrames(id, fromSite = false) {
  const stack = stackOf.get(id);
  return stack ? framesFrom(fromSite ? stack.site : stack.node) : [];
}

function siteFrame(id) {
  return stackFrames(id, true)[0] || {name: "(no stack)", place: "", inlined: false};
}

const kinds = rows(raw.kinds || [], ["name", "colour"]);
const refs = rows(raw.refs || [], ["name", "holder", "index"]);
const LIVE_RUN = Boolean(raw.curve);

function readSites() {
  const names = ["stack", "live", "peak", "atMost", "allocs", "frees", "allocated", "objects", "objectAllocs", "cache",
    "leakedPages", "leakedObjects"];
  return rows(raw.sites, names).map((site, i) => ({...site, ...siteFrame(site.stack), uses: series(raw.siteUses[i]), key: site.stack}));
}

function readProcesses() {
  return raw.processes.map(([pid, name, born, died, allocated, live, leaked], i) =>
    ({pid, name, born, died, allocated, live, leaked, uses: series(raw.processUses[i]), key: pid}));
}

function readTests() {
  const seen = new Map();
  return raw.tests.map(([name, begin, end, before, after, findings, audit], i) => {
    seen.set(name, (seen.get(name) || 0) + 1);
    // What a test left is known only where it ended, and where no event is missing.
    const known = Boolean(raw.complete && end);
    return {name, begin, end, before, after, findings, audit, number: i + 1, occurrence: seen.get(name),
      known, leaked: known ? before - after : 0, key: i, until: end || raw.end};
  });
}

function readCurve() {
  const curve = {...raw.curve, kinds: {}, span: raw.curve.span || 1}; // a run of one instant has no span
  for (const which of ["low", "high", "last"])
    curve[which] = repeated(raw.curve[which]);
  for (const [kind, list] of Object.entries(raw.curve.kinds))
    curve.kinds[kind] = repeated(list);
  curve.time = step => curve.begin + curve.span * step / curve.steps;
  return curve;
}

const data = LIVE_RUN ? {
  sites: readSites(),
  processes: readProcesses(),
  tests: readTests(),
  curve: readCurve(),
  steps: sums(raw.steps),
  leaks: rows(raw.leaks, ["step", "stack", "pid", "object", "number"]),
} : null;
