/* SPDX-License-Identifier: MIT */
/*
 * flame: call stacks as an icicle: the outermost function above, what it called below it, as wide as the pages are many.
 *
 * What is drawn is a tree of {name, value, change, children, keys}: frames of the same functions are one, whatever the line. keys are the
 * call sites beneath. In a comparison `change` colours a frame: more in B, or less.
 *
 * Keys: arrows go to the caller, the callee and beside; Enter or Space zooms; Escape shows all again.
 */
const ROW = 22;
const LEAST = 0.0012; /* of the width: what is narrower is not drawn */
const SHADES = ["a", "b", "c", "d", "e", "f", "g", "h"];

/* stacks: [{node, value, change, key, place}]; the tree of those that have a value. */
function makeTree(stacks) {
  const root = {name: "all", place: "", value: 0, change: 0, children: new Map(), keys: new Set(), parent: null, depth: 0};
  for (const stack of stacks) {
    if (!stack.value)
      continue;
    const path = framesFrom(stack.node).reverse();
    let at = root;
    for (const frame of [null, ...path.length ? path : [{name: "(no stack)", place: ""}]]) {
      if (frame) {
        if (!at.children.has(frame.name))
          at.children.set(frame.name, {name: frame.name, place: frame.place, value: 0, change: 0, children: new Map(), keys: new Set(),
            parent: at, depth: at.depth + 1});
        at = at.children.get(frame.name);
      }
      at.value += stack.value;
      at.change += stack.change || 0;
      at.keys.add(stack.key);
    }
  }
  return root;
}

/* The same colour for all functions of one folder. */
function shadeOf(place, folders) {
  const folder = place.slice(0, Math.max(place.lastIndexOf("/"), 0));
  if (!folders.has(folder))
    folders.set(folder, SHADES[folders.size % SHADES.length]);
  return folders.get(folder);
}

class Flame {
  /*
   * options: weights: [{title, stacks: () => [...], unit}], name, link: {title, follow: keys => ..., one: key => ...}, diverging
   */
  constructor(section, options) {
    this.options = options;
    this.folders = new Map();
    this.weight = options.weights[0];
    this.search = el("input", {type: "search", oninput: () => this.mark()});
    this.found = el("span", {class: "count", role: "status"});
    this.canvas = el("div", {class: "flame", role: "tree", "aria-label": options.name, onkeydown: event => this.key(event)});
    this.about = el("div", {class: "about", role: "status"});
    this.back = el("button", {type: "button", hidden: true, onclick: () => this.zoom(this.root)}, "Zoom out");
    const choice = el("fieldset", {class: "choice"}, el("legend", {}, "Width"), ...options.weights.map((weight, i) => {
      const box = el("input", {type: "radio", name: `weight-${options.id}`, checked: i === 0, onchange: () => { this.weight = weight; this.rebuild(); }});
      return labelled(weight.title, box, true);
    }));
    this.choice = choice;
    this.legend = el("p", {class: "legend"});
    section.append(el("div", {class: "tools"}, choice, labelled("Search functions", this.search), this.back, this.found),
      this.canvas, this.about, this.legend);
  }

  rebuild() {
    const path = this.zoomed ? this.pathOf(this.zoomed) : [];
    this.root = makeTree(this.weight.stacks());
    this.zoomed = this.follow(path);
    this.chosen = this.zoomed;
    this.draw();
  }

  pathOf(node) {
    const path = [];
    for (let at = node; at.parent; at = at.parent)
      path.unshift(at.name);
    return path;
  }

  follow(path) {
    let at = this.root;
    for (const name of path) {
      if (!at.children.has(name))
        break;
      at = at.children.get(name);
    }
    return at;
  }

  /* Adds a frame's element, and those of what it called. */
  place(node, left, width, depth) {
    if (width < LEAST)
      return;
    this.deepest = Math.max(this.deepest, depth);
    const shade = !node.depth ? "all" : this.options.diverging ? (node.change > 0 ? "more" : node.change < 0 ? "less" : "same") : shadeOf(node.place, this.folders);
    node.element = el("div", {
      class: `fr shade-${shade}`, role: "treeitem", "aria-level": depth + 1, tabindex: "-1",
      "aria-label": this.label(node), title: this.label(node),
      style: `left:${(100 * left).toFixed(4)}%;width:${(100 * width).toFixed(4)}%;top:${depth * ROW}px`,
      onclick: () => { this.choose(node); this.zoom(node); },
      onfocus: () => this.choose(node),
    }, width > 0.012 ? node.name : "");
    this.drawn.push(node);
    this.canvas.append(node.element);
    let at = left;
    for (const child of [...node.children.values()].sort((a, b) => b.value - a.value)) {
      this.place(child, at, width * child.value / node.value, depth + 1);
      at += width * child.value / node.value;
    }
  }

  draw() {
    this.drawn = [];
    this.deepest = 0;
    this.canvas.replaceChildren();
    const above = [];
    for (let at = this.zoomed.parent; at; at = at.parent)
      above.unshift(at);
    above.forEach((node, depth) => {
      const children = node.children;
      node.children = new Map();
      this.place(node, 0, 1, depth);
      node.children = children;
      node.element.classList.add("above");
    });
    if (this.root.value)
      this.place(this.zoomed, 0, 1, above.length);
    else
      this.canvas.append(el("p", {class: "empty", role: "none"}, `Nothing in the selection has a width here: ${this.weight.title}.`));
    this.canvas.style.height = `${(this.deepest + 1) * ROW}px`;
    if (this.root.value)
      this.canvas.setAttribute("role", "tree");
    else
      this.canvas.removeAttribute("role");
    this.back.hidden = this.zoomed === this.root;
    this.mark();
    this.choose(this.chosen && this.drawn.includes(this.chosen) ? this.chosen : this.zoomed);
    this.showLegend();
  }

  label(node) {
    const change = this.options.diverging ? `, ${node.change > 0 ? "+" : ""}${count(node.change)} in B` : "";
    return `${node.name}: ${count(node.value)} ${this.weight.unit}, ${percent(node.value, this.root.value)}${change}`;
  }

  choose(node) {
    this.chosen = node;
    for (const other of this.drawn)
      other.element.tabIndex = other === node ? 0 : -1;
    this.about.replaceChildren();
    if (!this.root.value)
      return;
    const many = node.keys.size, [one] = node.keys;
    this.about.append(el("code", {}, node.name), node.place ? el("code", {class: "dim"}, ` ${node.place}`) : "",
      ` ${count(node.value)} ${this.weight.unit}, ${percent(node.value, this.root.value)} `,
      this.options.diverging ? `(${node.change > 0 ? "+" : ""}${count(node.change)} in B) ` : "",
      el("a", {href: `#${this.options.table}`, onclick: event => {
        event.preventDefault();
        this.options.show(node.keys, node.name);
        this.options.goTo(one);
      }}, many === 1 ? "its row in the table" : `its ${count(many)} rows in the table`));
  }

  zoom(node) {
    this.zoomed = node;
    this.chosen = node;
    this.draw();
    if (node.element)
      node.element.focus({preventScroll: true});
  }

  mark() {
    const word = this.search.value.trim().toLowerCase();
    const hits = new Set();
    let value = 0;
    const walk = (node, within) => {
      const hit = word && node.name.toLowerCase().includes(word);
      if (hit)
        hits.add(node);
      if (hit && !within)
        value += node.value;
      for (const child of node.children.values())
        walk(child, within || hit);
    };
    walk(this.root, false);
    for (const node of this.drawn) {
      node.element.classList.toggle("hit", hits.has(node));
      node.element.classList.toggle("miss", Boolean(word) && !hits.has(node));
    }
    this.found.textContent = word ? `${plural(hits.size, "frame")} found: ${percent(value, this.root.value)} of the ${this.weight.unit}` :
      `${count(this.root.value)} ${this.weight.unit}`;
  }

  showLegend() {
    if (this.options.diverging) {
      this.legend.replaceChildren(...[["more", "more in B"], ["less", "less in B"], ["same", "as much in both"]].map(([shade, text]) =>
        el("span", {}, el("i", {class: `shade-${shade}`}), text)));
      return;
    }
    this.legend.replaceChildren(...[...this.folders].map(([folder, shade]) => el("span", {}, el("i", {class: `shade-${shade}`}), folder || "no place")));
  }

  key(event) {
    const node = this.chosen;
    const beside = step => {
      const row = this.drawn.filter(other => other.parent === node.parent);
      return row[row.indexOf(node) + step];
    };
    const largest = [...node.children.values()].filter(child => this.drawn.includes(child)).sort((a, b) => b.value - a.value)[0];
    const to = {ArrowUp: node.parent, ArrowDown: largest, ArrowLeft: beside(-1), ArrowRight: beside(1)};
    if (event.key in to) {
      if (to[event.key])
        to[event.key].element.focus();
    } else if (event.key === "Enter" || event.key === " ") {
      this.zoom(node);
    } else if (event.key === "Escape") {
      this.zoom(this.root);
    } else {
      return;
    }
    event.preventDefault();
  }

  /* Zooms to the frame of a call site, and goes there. */
  zoomToSite(key) {
    const leaf = (node) => {
      const child = [...node.children.values()].find(one => one.keys.has(key));
      return child ? leaf(child) : node;
    };
    this.rebuild();
    if (!this.root.keys.has(key)) {
      this.about.textContent = `This call site has no width here: ${this.weight.title}.`;
      goTo(this.canvas.parentElement.querySelector("input"));
      return;
    }
    this.zoom(leaf(this.root));
    this.canvas.scrollIntoView({block: "center"});
  }
}

let flame;

/* How wide each call site is, by what is asked for. */
function siteWeights() {
  const stacks = value => data.sites.map(site => ({node: stackOf.get(site.stack) ? stackOf.get(site.stack).site : 0, key: site.key, value: value(site)}));
  const leaked = objects => {
    const by = leakedBy("stack", objects);
    return stacks(site => by.get(site.stack) || 0);
  };
  const live = {title: "Live at the end", unit: "pages", stacks: () => {
    const [, to] = selectedSteps();
    return stacks(site => isWhole() ? site.live : Math.max(heldAt(site.uses, to), 0));
  }};
  const peak = {title: "At the peak", unit: "pages", stacks: () => {
    const step = isWhole() ? 0 : fullestStep();
    return stacks(site => Math.max(isWhole() ? site.atMost : heldAt(site.uses, step), 0));
  }};
  const churn = {title: "Allocated (churn)", unit: "pages", stacks: () => {
    const [from, to] = selectedSteps();
    return stacks(site => isWhole() ? site.allocated : allocatedIn(site.uses, from, to));
  }};
  const weights = [live, peak, churn];
  if (objectsLeaked())
    weights.unshift({title: "Leaked objects", unit: "objects", stacks: () => leaked(true)});
  if (data.leaks.some(leak => !leak.object))
    weights.unshift({title: "Leaked", unit: "pages", stacks: () => leaked(false)});
  return weights;
}

function makeFlame() {
  const section = document.getElementById("flame");
  section.append(el("p", {class: "hint"}, "Each call site's pages, as its callers share them. The outermost caller is above. Click or Enter zooms, Escape shows all. ",
    "The peak is the instant at which most pages were held; in a selection, the fullest step of it."));
  flame = new Flame(section, {
    id: "run", name: "Flame graph of call sites", weights: siteWeights(), table: "sites",
    show: (keys, name) => siteTable.showOnly(keys, `Beneath ${name}`),
    goTo: key => siteTable.goTo(key),
  });
  onSelection(() => flame.rebuild());
}
