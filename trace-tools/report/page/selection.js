/* SPDX-License-Identifier: MIT */
/*
 * selection: the span of time that all views are about.
 *
 * At first it is the whole run. The timeline and the table of tests change it; tables, flame graph and map show what was in it.
 * Sums are over whole steps, and a test is made of whole steps, so for a test they are exact.
 */
const selection = {begin: raw.begin, end: raw.end, name: "", listeners: []};

function isWhole() {
  return selection.begin <= raw.begin && selection.end >= raw.end;
}

function select(begin, end, name = "") {
  const least = Math.max(1, (raw.end - raw.begin) / 100000);
  selection.begin = Math.max(raw.begin, Math.min(begin, end));
  selection.end = Math.min(raw.end, Math.max(begin, end, selection.begin + least));
  selection.name = isWhole() ? "" : name;
  for (const listener of selection.listeners)
    listener();
}

function selectTest(test) {
  select(test.begin, test.until, `test ${test.name}`);
}

function selectWhole() {
  select(raw.begin, raw.end);
}

/* Calls it now and whenever the selection changes. */
function onSelection(listener) {
  selection.listeners.push(listener);
  listener();
}

function selectionText() {
  const span = `${seconds(selection.begin)} to ${seconds(selection.end)} s`;
  return isWhole() ? `the whole run, ${span}` : selection.name ? `${selection.name}, ${span}` : span;
}

function overlapsSelection(begin, end) {
  return isWhole() || (begin <= selection.end && end >= selection.begin);
}

/* The steps of the selection: the first, and the one behind the last. */
function selectedSteps() {
  if (isWhole())
    return [0, data.steps.length];
  const from = stepAt(selection.begin);
  let to = stepAt(selection.end);
  if (to === from || data.steps[to] < selection.end)
    to++;
  return [from, to];
}

/* The step that a time is in. */
function stepAt(time) {
  let low = 0, high = data.steps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (data.steps[middle] <= time)
      low = middle + 1;
    else
      high = middle;
  }
  return Math.max(low - 1, 0);
}

/* Pages that a series allocated from one step to another. */
function allocatedIn(uses, from, to) {
  let sum = 0;
  for (const entry of uses)
    if (entry.step >= from && entry.step < to)
      sum += entry.allocated;
  return sum;
}

function freedIn(uses, from, to) {
  let sum = 0;
  for (const entry of uses)
    if (entry.step >= from && entry.step < to)
      sum += entry.freed;
  return sum;
}

/* Pages that a series held when a step began. */
function heldAt(uses, step) {
  return allocatedIn(uses, 0, step) - freedIn(uses, 0, step);
}

/* The step of the selection behind which most was held. */
function fullestStep() {
  const [from, to] = selectedSteps();
  const net = new Array(data.steps.length + 1).fill(0);
  for (const site of data.sites)
    for (const entry of site.uses)
      net[entry.step] += entry.allocated - entry.freed;
  let held = 0, best = from, most = -Infinity;
  for (let step = 0; step < to; step++) {
    held += net[step];
    if (step >= from && held > most) {
      most = held;
      best = step;
    }
  }
  return best + 1;
}

/* Says in the bar of links what is selected, and takes it away. */
function selectionChip() {
  const text = el("span", {role: "status"});
  const chip = el("span", {class: "chip", hidden: true}, text, el("button", {type: "button", onclick: selectWhole}, "Whole run"));
  document.querySelector("nav").append(chip);
  onSelection(() => {
    chip.hidden = isWhole();
    text.textContent = isWhole() ? "" : `Selected: ${selectionText()}`;
  });
}
