/* SPDX-License-Identifier: MIT */
/*
 * timeline: free pages and pages by kind over time; where a span is picked.
 *
 * The large picture shows the selection; the small one beneath it the whole run, with the selection as a window that has two handles.
 * Dragging over either picks a span; a click on a test picks the test; a list has all of them. Handles move by arrow keys.
 */
const CHART = {left: 62, right: 12, names: 20, free: 150, kinds: 150, gap: 14, axis: 22, small: 44};
const POINTS = 1500; /* in a picture, at most */

class Timeline {
  constructor(section) {
    this.list = el("select", {onchange: () => this.pick()}, el("option", {value: ""}, "the whole run"),
      ...data.tests.map(test => el("option", {value: String(test.key)}, this.testTitle(test))));
    this.large = svg("svg", {class: "chart large", role: "img", "aria-label": "Free pages and pages by kind in the selection"});
    this.small = svg("svg", {class: "chart small", role: "img", "aria-label": "Free pages in the whole run"});
    this.handles = ["Begin", "End"].map((name, i) => el("div", {class: "handle", role: "slider", tabindex: "0", "aria-label": `${name} of the selection`,
      "aria-valuemin": seconds(raw.begin, 7), "aria-valuemax": seconds(raw.end, 7), onkeydown: event => this.moveHandle(event, i)}));
    this.readout = el("p", {class: "readout"}, "\u00a0");
    this.smallBox = el("div", {class: "small-box"}, this.small, ...this.handles);
    this.largeBox = el("div", {class: "large-box"}, this.large);
    this.whole = el("button", {type: "button", onclick: selectWhole}, "Whole run");
    this.out = el("button", {type: "button", onclick: () => this.zoomOut()}, "Zoom out");
    section.append(el("div", {class: "tools"}, labelled("Show", this.list), this.out, this.whole,
      el("span", {class: "hint"}, "Drag over a picture to zoom in; click a test to pick it.")), this.largeBox, this.readout, this.smallBox, this.legend());
    this.dragging(this.largeBox, () => [selection.begin, selection.end], true);
    this.dragging(this.smallBox, () => [raw.begin, raw.end], false);
    this.largeBox.addEventListener("pointermove", event => this.hover(event));
    this.largeBox.addEventListener("pointerleave", () => { this.readout.textContent = "\u00a0"; });
    section.addEventListener("keydown", event => event.key === "Escape" && selectWhole());
  }

  testTitle(test) {
    const which = data.tests.filter(other => other.name === test.name).length > 1 ? ` #${test.occurrence}` : "";
    return `test ${test.name}${which}${test.leaked > 0 && !raw.watched ? ` (${count(test.leaked)} leaked)` : ""}`;
  }

  legend() {
    return el("p", {class: "legend"}, ...this.kindsShown().map(kind =>
      el("span", {}, el("i", {style: `background:${kinds[kind].colour}`}), kinds[kind].name)));
  }

  kindsShown() {
    return Object.keys(data.curve.kinds).map(Number);
  }

  pick() {
    if (this.list.value === "")
      selectWhole();
    else
      selectTest(data.tests[Number(this.list.value)]);
  }

  zoomOut() {
    const span = selection.end - selection.begin;
    select(selection.begin - span / 2, selection.end + span / 2);
  }

  /* ---- by hand ---- */

  timeAt(event, box, range) {
    const bounds = box.getBoundingClientRect();
    const part = (event.clientX - bounds.left - CHART.left) / (bounds.width - CHART.left - CHART.right);
    return range[0] + Math.max(0, Math.min(1, part)) * (range[1] - range[0]);
  }

  dragging(box, range, large) {
    let from = null, at = 0;
    const veil = el("div", {class: "veil", hidden: true});
    box.append(veil);
    box.addEventListener("pointerdown", event => {
      if (event.button || event.target.closest(".handle"))
        return;
      from = event.clientX;
      at = this.timeAt(event, box, range());
      box.setPointerCapture(event.pointerId);
    });
    box.addEventListener("pointermove", event => {
      if (from === null)
        return;
      const left = box.getBoundingClientRect().left;
      veil.hidden = false;
      veil.style.left = `${Math.min(from, event.clientX) - left}px`;
      veil.style.width = `${Math.abs(event.clientX - from)}px`;
    });
    box.addEventListener("pointerup", event => {
      const moved = from !== null && Math.abs(event.clientX - from) > 4;
      const to = this.timeAt(event, box, range());
      veil.hidden = true;
      if (moved)
        select(at, to);
      else if (from !== null && large)
        this.clickAt(to);
      from = null;
    });
    box.addEventListener("pointercancel", () => { from = null; veil.hidden = true; });
  }

  clickAt(time) {
    const test = data.tests.find(one => one.begin <= time && time <= one.until);
    if (test)
      selectTest(test);
  }

  moveHandle(event, which) {
    const whole = raw.end - raw.begin;
    const steps = {ArrowLeft: -0.01, ArrowDown: -0.01, ArrowRight: 0.01, ArrowUp: 0.01, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1};
    if (!(event.key in steps))
      return;
    event.preventDefault();
    const move = steps[event.key] * whole;
    if (which === 0)
      select(Math.min(selection.begin + move, selection.end - whole / 1000), selection.end);
    else
      select(selection.begin, Math.max(selection.end + move, selection.begin + whole / 1000));
    this.handles[which].focus();
  }

  hover(event) {
    const time = this.timeAt(event, this.largeBox, [selection.begin, selection.end]);
    const curve = data.curve;
    const step = Math.max(0, Math.min(curve.steps - 1, Math.floor((time - curve.begin) / curve.span * curve.steps)));
    const test = data.tests.find(one => one.begin <= time && time <= one.until);
    const used = this.kindsShown().filter(kind => curve.kinds[kind][step]).map(kind => `${kinds[kind].name} ${count(curve.kinds[kind][step])}`);
    this.readout.textContent = `${seconds(time)} s${test ? `, ${test.name}` : ""}: ${count(curve.last[step])} free; ${used.join(", ")}`;
  }

  /* ---- drawing ---- */

  draw() {
    const width = Math.max(this.largeBox.clientWidth, 200);
    this.list.value = "";
    const picked = data.tests.find(test => selection.begin === test.begin && selection.end === test.until);
    if (picked && !isWhole())
      this.list.value = String(picked.key);
    this.whole.disabled = this.out.disabled = isWhole();
    this.drawLarge(width);
    this.drawSmall(width);
  }

  stepsBetween(begin, end) {
    const curve = data.curve, step = time => (time - curve.begin) / curve.span * curve.steps;
    const from = Math.max(begin <= raw.begin ? curve.booted : Math.floor(step(begin)), 0);
    const to = Math.min(Math.ceil(step(end)) + 1, curve.steps);
    return [Math.min(from, Math.max(to - 2, 0)), to];
  }

  /* The steps that are points of a picture: every one, or the last of so many, with the least and the most of them. */
  points(from, to) {
    const curve = data.curve, stride = Math.ceil((to - from) / POINTS), out = [];
    for (let at = from; at < to; at += stride) {
      const end = Math.min(at + stride, to);
      let low = curve.low[at], high = curve.high[at];
      for (let i = at + 1; i < end; i++) {
        low = Math.min(low, curve.low[i]);
        high = Math.max(high, curve.high[i]);
      }
      out.push({step: end - 1, time: curve.time(at), low, high, last: curve.last[end - 1]});
    }
    return out;
  }

  drawLarge(width) {
    const {left, right, names, free, kinds: high, gap, axis} = CHART;
    const height = names + free + gap + high + axis;
    const x = time => left + (width - left - right) * (time - selection.begin) / (selection.end - selection.begin || 1);
    const points = this.points(...this.stepsBetween(selection.begin, selection.end));
    this.large.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.large.replaceChildren(
      svg("defs", {}, svg("clipPath", {id: "plot"}, svg("rect", {x: left, y: 0, width: width - left - right, height}))),
      this.testBands(x, names, height - axis - names, width), this.freePlot(x, points, names, free, width),
      this.kindPlot(x, points, names + free + gap, high, width), this.timeAxis(x, height, width));
  }

  testBands(x, top, height, width) {
    const group = svg("g", {});
    let free = -1;
    for (const test of data.tests) {
      const from = Math.max(x(test.begin), CHART.left), to = Math.min(x(test.until), width - CHART.right);
      if (to < from)
        continue;
      group.append(svg("rect", {class: `band-test ${test.leaked > 0 && !raw.watched ? "lost" : test.number % 2 ? "odd" : "even"}`,
        x: from, y: top, width: Math.max(to - from, 0.5), height}, svg("title", {}, this.testTitle(test))));
      const middle = (from + to) / 2, half = test.name.length * 3.2 + 3;
      if (middle - half > free && middle + half < width) {
        free = middle + half;
        group.append(svg("text", {class: "name middle", x: middle, y: top - 6}, test.name));
      }
    }
    return group;
  }

  /* Lines and numbers at the left of a plot. */
  scale(group, low, high, top, height, width, title) {
    const y = value => top + height * (1 - (value - low) / (high - low));
    const step = Math.max(niceStep(high - low, 4), 1);
    for (let value = Math.ceil(low / step) * step; value <= high; value += step)
      group.append(svg("line", {class: "grid", x1: CHART.left, x2: width - CHART.right, y1: y(value), y2: y(value)}),
        svg("text", {class: "end", x: CHART.left - 6, y: y(value) + 4}, count(value)));
    group.append(svg("text", {class: "name plate", x: CHART.left + 4, y: top + 12}, title));
    return y;
  }

  freePlot(x, points, top, height, width) {
    const group = svg("g", {});
    const low = Math.min(...points.map(point => point.low)), high = Math.max(...points.map(point => point.high));
    const margin = Math.max((high - low) * 0.08, 2);
    const y = this.scale(group, Math.max(low - margin, 0), high + margin, top, height, width, "free pages");
    const line = what => points.map(point => `${x(point.time).toFixed(1)} ${y(point[what]).toFixed(1)}`);
    group.append(svg("g", {"clip-path": "url(#plot)"}, svg("path", {class: "band", d: `M${[...line("high"), ...line("low").reverse()].join("L")}Z`}),
      svg("path", {class: "line", d: `M${line("last").join("L")}`})));
    return group;
  }

  kindPlot(x, points, top, height, width) {
    const curve = data.curve, group = svg("g", {}), shown = this.kindsShown(), areas = svg("g", {"clip-path": "url(#plot)"});
    const most = Math.max(1, ...points.map(point => shown.reduce((sum, kind) => sum + curve.kinds[kind][point.step], 0)));
    const y = this.scale(group, 0, most * 1.05, top, height, width, "pages by kind");
    let base = points.map(() => 0);
    const line = heights => points.map((point, i) => `${x(point.time).toFixed(1)} ${y(heights[i]).toFixed(1)}`);
    for (const kind of shown) {
      const upper = base.map((sum, i) => sum + curve.kinds[kind][points[i].step]);
      areas.append(svg("path", {fill: kinds[kind].colour, d: `M${[...line(upper), ...line(base).reverse()].join("L")}Z`}, svg("title", {}, kinds[kind].name)));
      base = upper;
    }
    group.append(areas);
    return group;
  }

  timeAxis(x, height, width) {
    const group = svg("g", {}), span = (selection.end - selection.begin) / raw.hz;
    const step = niceStep(span, Math.max(width / 110, 2)), digits = Math.max(0, -Math.floor(Math.log10(step)));
    for (let at = Math.ceil(selection.begin / raw.hz / step) * step; at <= selection.end / raw.hz; at += step) {
      const where = x(at * raw.hz);
      if (where < width - 30)
        group.append(svg("text", {class: "middle", x: where, y: height - 6}, at.toFixed(digits)));
    }
    group.append(svg("text", {class: "end", x: width - 4, y: height - 6}, "s"));
    return group;
  }

  drawSmall(width) {
    const {left, right, small} = CHART, curve = data.curve;
    const x = time => left + (width - left - right) * (time - raw.begin) / (raw.end - raw.begin || 1);
    const points = this.points(...this.stepsBetween(raw.begin, raw.end));
    const low = Math.min(...points.map(point => point.last)), high = Math.max(...points.map(point => point.last));
    const line = points.map(point => `${x(point.time).toFixed(1)} ${(4 + (small - 8) * (1 - (point.last - low) / (high - low || 1))).toFixed(1)}`);
    const from = x(selection.begin), to = x(selection.end);
    this.small.setAttribute("viewBox", `0 0 ${width} ${small}`);
    this.small.replaceChildren(svg("rect", {class: "even", x: left, y: 0, width: width - left - right, height: small}),
      svg("path", {class: "line", d: `M${line.join("L")}`}), svg("rect", {class: "window", x: from, y: 0.5, width: Math.max(to - from, 1), height: small - 1}));
    [from, to].forEach((where, i) => {
      const value = i ? selection.end : selection.begin;
      this.handles[i].style.left = `${100 * where / width}%`;
      this.handles[i].setAttribute("aria-valuenow", seconds(value, 7));
      this.handles[i].setAttribute("aria-valuetext", `${seconds(value)} seconds`);
    });
  }
}

let timeline;

function makeTimeline() {
  timeline = new Timeline(document.getElementById("time"));
  onSelection(() => timeline.draw());
  new ResizeObserver(() => timeline.draw()).observe(timeline.largeBox);
}
