/* SPDX-License-Identifier: MIT */
/* run_tables: the tables of a run: call sites, tests, processes. */
let siteTable, testTable, processTable;

function cacheName(number) {
  return raw.caches[number] || "";
}

/* Pages, or objects, that leaked in the selection: by "stack" or by "pid". */
function leakedBy(key, objects) {
  const sums = new Map(), [from, to] = selectedSteps();
  for (const leak of data.leaks)
    if (Boolean(leak.object) === objects && leak.step >= from && leak.step < to)
      sums.set(leak[key], (sums.get(leak[key]) || 0) + leak.number);
  return sums;
}

function objectsLeaked() {
  return data.leaks.some(leak => leak.object);
}

/* A column of leaked objects, where there are any. */
function objectColumn() {
  return objectsLeaked() ? [{title: "Objects leaked", key: "leakedObjects", number: true, bad: row => row.leakedObjects > 0}] : [];
}

/* What a call site held and did in the selection. */
function sitesOfSelection() {
  const [from, to] = selectedSteps();
  const pages = leakedBy("stack", false), objects = leakedBy("stack", true);
  return data.sites.map(site => ({...site,
    allocated: isWhole() ? site.allocated : allocatedIn(site.uses, from, to),
    freed: freedIn(site.uses, from, to),
    live: isWhole() ? site.live : heldAt(site.uses, to),
    leakedPages: isWhole() ? site.leakedPages : pages.get(site.stack) || 0,
    leakedObjects: isWhole() ? site.leakedObjects : objects.get(site.stack) || 0}))
    .filter(site => isWhole() || site.allocated || site.freed || site.leakedPages || site.leakedObjects);
}

function siteDetail(site) {
  const more = site.objectAllocs ? `Objects of cache ${cacheName(site.cache)}: ${count(site.objects)} live at the end, ` +
    `${count(site.objectAllocs)} allocated in the whole run.` : "";
  return el("div", {}, more && el("p", {}, more), stackList(stackFrames(site.stack)),
    el("button", {type: "button", onclick: () => flame.zoomToSite(site.stack)}, "Show in the flame graph"));
}

function makeSiteTable() {
  siteTable = new Table(document.getElementById("sites"), {
    name: "call sites",
    columns: [
      {title: "Call site", key: "name", cell: site => el("code", {}, site.name)},
      {title: "Place", key: "place", cell: site => el("code", {class: "dim"}, site.place)},
      {title: "Pages leaked", key: "leakedPages", number: true, bad: site => site.leakedPages > 0},
      ...objectColumn(),
      {title: "Live", key: "live", number: true},
      {title: "At most", key: "peak", number: true},
      {title: "Pages allocated", key: "allocated", number: true},
      {title: "Pages freed", key: "freed", number: true},
      {title: "Objects live", key: "objects", number: true},
    ],
    sorted: data.leaks.some(leak => !leak.object) ? 2 : 3, // leaked pages; else leaked objects, or live pages
    rows: sitesOfSelection,
    text: site => [...stackFrames(site.stack).map(frame => `${frame.name} ${frame.place}`), cacheName(site.cache)].join(" "),
    filters: [{title: "Only leaked", keep: site => site.leakedPages > 0 || site.leakedObjects > 0}],
    detail: siteDetail,
    rowId: site => `site-${site.key}`,
  });
}

function makeTestTable() {
  testTable = new Table(document.getElementById("tests"), {
    name: "tests",
    columns: [
      {title: "Number", key: "number", number: true},
      {title: "Test", key: "name", cell: test => el("button", {type: "button", class: "opener", onclick: () => selectTest(test)}, test.name)},
      {title: "Seconds", key: "length", number: true, cell: test => test.end ? seconds(test.length) : "never ended"},
      {title: "Free before", key: "before", number: true, cell: test => raw.complete ? count(test.before) : "-"},
      {title: "Free after", key: "after", number: true, cell: test => test.known ? count(test.after) : "-"},
      {title: raw.watched ? "Fewer" : "Leaked", key: "leaked", number: true, cell: test => test.known ? count(test.leaked) : "-", bad: test => !raw.watched && test.leaked > 0},
      {title: "Audit", key: "audit", bad: test => test.findings > 0},
    ],
    sorted: 0,
    up: true,
    rows: () => data.tests.filter(test => overlapsSelection(test.begin + 1, test.until - 1))
      .map(test => ({...test, length: test.until - test.begin})),
    text: test => test.name,
    filters: [{title: raw.watched ? "Only with fewer free pages" : "Only leaked", keep: test => test.leaked > 0 || test.findings > 0}],
    rowId: test => `test-${test.key}`,
  });
}

function processesOfSelection() {
  const [from, to] = selectedSteps();
  const pages = leakedBy("pid", false), objects = leakedBy("pid", true);
  return data.processes.map(process => ({...process,
    allocated: isWhole() ? process.allocated : allocatedIn(process.uses, from, to),
    leaked: isWhole() ? process.leaked : pages.get(process.pid) || 0,
    leakedObjects: objects.get(process.pid) || 0}))
    .filter(process => isWhole() || process.allocated || process.leaked || process.leakedObjects);
}

function makeProcessTable() {
  const section = document.getElementById("processes");
  processTable = new Table(section, {
    name: "processes",
    columns: [
      {title: "pid", key: "pid", number: true},
      {title: "Name", key: "name"},
      {title: "Began", key: "born", number: true, cell: process => process.born ? seconds(process.born) : ""},
      {title: "Ended", key: "died", number: true, cell: process => process.died ? seconds(process.died) : ""},
      {title: "Pages allocated", key: "allocated", number: true},
      // A watched kernel's references have no holders.
      ...raw.watched ? [] : [{title: "Held at the end of the run", key: "live", number: true}],
      {title: "Pages leaked", key: "leaked", number: true, bad: process => process.leaked > 0},
      ...objectColumn(),
    ],
    sorted: 4,
    rows: processesOfSelection,
    text: process => `${process.pid} ${process.name}`,
    filters: [{title: "Only leaked", keep: process => process.leaked > 0 || process.leakedObjects > 0}],
    rowId: process => `process-${process.key}`,
  });
  if (raw.processesLeftOut)
    section.append(el("p", {class: "hint"}, `Processes that allocated less are not in this page: ${count(raw.processesLeftOut)}.`));
}

function makeTables() {
  makeSiteTable();
  makeTestTable();
  makeProcessTable();
  for (const table of [siteTable, testTable, processTable])
    onSelection(() => table.show());
}
