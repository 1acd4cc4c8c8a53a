/* SPDX-License-Identifier: MIT */
/*
 * map: what is under the pointer in the picture of RAM, and the life of the page that is clicked.
 *
 * A place is a row (some pages) and a column (an instant). Which life stands for it is in raw.map.rows; html_map_data.c chooses. Arrow
 * keys move the place, Enter opens the life.
 */
const LIFE = ["pfn", "order", "kind", "begin", "end", "stack", "pid", "ref", "holder", "index", "group"];
const EVENT = ["since", "event", "before", "after", "pid", "ref", "holder", "index", "stack", "other"];

/* "io of pid 8 (usertest), page index 0" */
function holderText(ref, holder, index) {
  if (raw.watched || !refs[ref])
    return "";
  const {name, holder: what, index: unit} = refs[ref];
  if (!what)
    return name;
  const process = what === "pid" && data.processes.find(one => one.pid === holder);
  const whose = what === "cache" && cacheName(holder) ? ` of cache ${cacheName(holder)}` : ` of ${what} ${holder}`;
  const where = name === "table" ? `, level ${index >>> 27} page ${hex(index & 0x7ffffff)}` : name === "pte" || name === "fault" ? `, page ${hex(index)}` :
    unit && unit[0] !== "0" ? `, ${unit} ${index}` : "";
  return name + whose + (process && process.name ? ` (${process.name})` : "") + where;
}

class RamMap {
  constructor(section) {
    this.picture = section.querySelector("#map-picture");
    this.lives = rows(raw.map.lives, LIFE);
    this.stretches = rows(raw.map.stretches, ["from", "to", "row", "rows", "folded", "kind"]);
    this.at = {row: 0, column: raw.map.columns - 1};
    this.across = el("div", {class: "across", hidden: true});
    this.down = el("div", {class: "down", hidden: true});
    this.before = el("div", {class: "outside"});
    this.after = el("div", {class: "outside"});
    this.readout = el("p", {class: "readout", role: "status"}, "Point at the map, or give it the focus and use the arrow keys; a click or Enter opens the page's life.");
    this.pad = el("div", {class: "pad", tabindex: "0", role: "application", "aria-roledescription": "map", "aria-label": "Map of RAM over time",
      onpointermove: event => this.point(event), onclick: event => { this.point(event); this.openHere(); }, onkeydown: event => this.key(event),
      onfocus: () => this.show()}, this.before, this.after, this.down, this.across);
    this.picture.append(this.pad);
    this.picture.parentElement.after(this.readout);
    this.life = el("div", {id: "life", hidden: true});
    section.append(this.life);
    this.at.row = this.leakedRow();
    this.layOut();
  }

  /* The pad lies over the plot, whatever the picture's size. */
  layOut() {
    const [, top, width, height] = this.picture.querySelector("svg").getAttribute("viewBox").split(" ").map(Number);
    const {left, top: plot, width: across, height: high} = raw.map;
    Object.assign(this.pad.style, {left: `${100 * left / width}%`, width: `${100 * across / width}%`, top: `${100 * (plot - top) / height}%`,
      height: `${100 * high / height}%`});
    this.sequence = 0;
  }

  /* A row where something leaked, to begin with; else the lowest that has a life. */
  leakedRow() {
    const has = test => raw.map.rows.findIndex(row => rows(row, ["from", "to", "life"]).some(run => test(this.lives[run.life])));
    return Math.max(0, has(life => life.group), has(life => life.group) < 0 ? has(() => true) : 0);
  }

  timeOf(column) {
    return raw.map.begin + (raw.map.end - raw.map.begin) * (column + 1) / raw.map.columns;
  }

  stretchOf(row) {
    return this.stretches.find(one => row >= one.row && row < one.row + one.rows);
  }

  /* The page frames of a row: the first, and the one behind the last. */
  pagesOf(row) {
    const stretch = this.stretchOf(row), {perRow, shift, firstPfn} = raw.map;
    if (stretch.folded)
      return [firstPfn + (stretch.from << shift), firstPfn + (stretch.to << shift)];
    const from = stretch.from + (row - stretch.row) * perRow;
    return [firstPfn + (from << shift), firstPfn + (Math.min(from + perRow, stretch.to) << shift)];
  }

  lifeAt({row, column}) {
    const run = rows(raw.map.rows[row] || [], ["from", "to", "life"]).find(one => column >= one.from && column < one.to);
    return run ? {...this.lives[run.life], number: run.life} : null;
  }

  point(event) {
    const bounds = this.pad.getBoundingClientRect();
    const part = (value, most) => Math.max(0, Math.min(most - 1, Math.floor(value * most)));
    this.at = {column: part((event.clientX - bounds.left) / bounds.width, raw.map.columns),
      row: part(1 - (event.clientY - bounds.top) / bounds.height, raw.map.rowCount)};
    this.show();
  }

  key(event) {
    const far = event.shiftKey ? 20 : 1;
    const moves = {ArrowLeft: [0, -far], ArrowRight: [0, far], ArrowUp: [far, 0], ArrowDown: [-far, 0], Home: [0, -raw.map.columns], End: [0, raw.map.columns]};
    if (event.key in moves) {
      const [up, right] = moves[event.key];
      const within = (value, most) => Math.max(0, Math.min(most - 1, value));
      this.at = {row: within(this.at.row + up, raw.map.rowCount), column: within(this.at.column + right, raw.map.columns)};
      this.show();
    } else if (event.key === "Enter" || event.key === " ") {
      this.openHere();
    } else {
      return;
    }
    event.preventDefault();
  }

  show() {
    const life = this.lifeAt(this.at);
    this.across.hidden = this.down.hidden = false;
    this.across.style.top = `${100 * (1 - (this.at.row + 0.5) / raw.map.rowCount)}%`;
    this.down.style.left = `${100 * (this.at.column + 0.5) / raw.map.columns}%`;
    this.readout.textContent = this.words(life);
  }

  words(life) {
    const [from, to] = this.pagesOf(this.at.row), stretch = this.stretchOf(this.at.row), time = this.timeOf(this.at.column);
    const when = `${seconds(time)} s`;
    const many = `pages ${hex(from)} to ${hex(to - 1)}`;
    if (stretch.folded)
      return `${when}: ${many}: ${kinds[stretch.kind].name}, nothing happens here in the whole run`;
    if (!life)
      return `${when}: ${many}: free, or used for shorter than the map can show`;
    const holders = this.holdersAt(life, time);
    return `${when}: page ${hex(life.pfn)}${to - from > 1 ? `, one of ${to - from} in this row` : ""}: ${raw.watched ? "in use" : kinds[life.kind].name}` +
      `${life.group ? ", leaked" : ""}${holders ? `; held by ${holders}` : ""}; allocated by ${siteFrame(life.stack).name} ` +
      `at ${seconds(life.begin)} s, pid ${life.pid}${life.end ? `, until ${seconds(life.end)} s` : ", to the end"}`;
  }

  events(life) {
    const list = raw.map.lifeEvents[life.number];
    if (!list)
      return null;
    let time = life.begin;
    return {leftOut: list[0], all: rows(list.slice(1), EVENT).map(event => ({...event, time: (time += event.since)}))};
  }

  /* The references that were open then; without events the one that the life began with. */
  holdersAt(life, time) {
    const events = this.events(life);
    if (!events || events.leftOut)
      return holderText(life.ref, life.holder, life.index);
    const open = events.all.filter((event, i) => event.time <= time && this.opens(event) &&
      !(event.other > 0 && events.all[event.other - 1].time <= time));
    const times = new Map();
    for (const text of open.map(event => holderText(event.ref, event.holder, event.index)).filter(Boolean))
      times.set(text, (times.get(text) || 0) + 1);
    return [...times].map(([text, nr]) => nr > 1 ? `${text} (${nr} times)` : text).join(" and ");
  }

  opens(event) {
    return ["page_alloc", "page_get"].includes(raw.events[event.event]);
  }

  openHere() {
    const life = this.lifeAt(this.at);
    if (life)
      this.openLife(life);
  }

  openLife(life) {
    const events = this.events(life), title = `Page ${hex(life.pfn)}: ${seconds(life.begin)} s to ${life.end ? `${seconds(life.end)} s` : "the end"}`;
    const command = `pagetrail page ${raw.run} ${hex(life.pfn)}`;
    const heading = el("h3", {tabindex: "-1"}, title);
    const close = el("button", {type: "button", onclick: () => { this.life.hidden = true; this.pad.focus(); }}, "Close");
    this.life.replaceChildren(heading, el("p", {}, raw.watched ? "" : `${kinds[life.kind].name}, `, `order ${life.order}, allocated by `,
      el("code", {}, siteFrame(life.stack).name), ` for pid ${life.pid}. `, life.group ? this.findingLink(life) : "", close),
      events ? this.ledger(life, events) : stackList(stackFrames(life.stack)),
      el("p", {class: "hint"}, events && !events.leftOut ? "" : `${events ? `${count(events.leftOut)} more events` : "The events of this life"} are not in this page. `,
        "All lives of the page: ", el("code", {}, command)));
    this.life.hidden = false;
    this.life.onkeydown = event => event.key === "Escape" && close.click();
    goTo(heading);
  }

  findingLink(life) {
    const number = raw.groupFindings[life.group - 1];
    return el("a", {href: `#finding${number}`, onclick: () => { const finding = document.getElementById(`finding${number}`); if (finding) finding.open = true; }},
      `It leaked: finding ${number}. `);
  }

  ledger(life, events) {
    return el("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": "Events of the page"}, el("table", {class: "ledger"},
      el("thead", {}, el("tr", {}, ...["Number", "Seconds", "Event", "Count", "Reference", "pid", "Its other half", "Stack"].map(title => el("th", {scope: "col"}, title)))),
      el("tbody", {}, ...events.all.map((event, i) => this.ledgerRow(life, events, event, i)))));
  }

  ledgerRow(life, events, event, i) {
    const open = this.opens(event) && !event.other && !events.leftOut;
    const half = event.other > 0 ? `released by number ${event.other}` : event.other < 0 ? `releases number ${-event.other}` :
      !open ? "" : life.end ? "open when it was freed" : life.group ? "never released" : "open at the end";
    const address = ["page_map", "page_unmap"].includes(raw.events[event.event]);
    const reference = address ? `at ${hex(event.index * 4096)}` : raw.events[event.event] === "page_kind" ? `now ${kinds[event.ref & 15].name}` : holderText(event.ref, event.holder, event.index);
    const wrong = open && (life.group || life.end);
    return el("tr", {class: wrong ? "open" : null}, el("td", {class: "n"}, String(i + 1)), el("td", {class: "n"}, seconds(event.time, 7)),
      el("td", {}, el("code", {}, raw.events[event.event])), el("td", {class: "n"}, `${event.before} \u2192 ${event.after}`), el("td", {}, reference),
      el("td", {class: "n"}, String(event.pid)), el("td", {class: wrong ? "bad" : null}, half),
      el("td", {}, el("details", {class: "frame"}, el("summary", {}, el("code", {}, siteFrame(event.stack).name)), stackList(stackFrames(event.stack)))));
  }

  showSelection() {
    const part = time => Math.max(0, Math.min(1, (time - raw.map.begin) / (raw.map.end - raw.map.begin || 1)));
    this.before.style.cssText = `left:0;width:${isWhole() ? 0 : 100 * part(selection.begin)}%`;
    this.after.style.cssText = `right:0;width:${isWhole() ? 0 : 100 * (1 - part(selection.end))}%`;
  }
}

let ramMap;

function makeMap() {
  if (!raw.map)
    return;
  ramMap = new RamMap(document.getElementById("map"));
  onSelection(() => ramMap.showSelection());
}
