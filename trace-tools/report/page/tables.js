/* SPDX-License-Identifier: MIT */
/*
 * tables: a table whose rows can be sorted by any column, searched, filtered, and opened.
 *
 *   makeTable(section, {
 *     name: "call sites",
 *     columns: [{title: "Live", key: "live", number: true}, {title: "Call site", key: "name", cell: row => node}],
 *                                   change: true: a number that is sorted by how far it is from 0
 *     rows: () => [...],            those of the selection; called again when it changes
 *     text: row => "...",           what a search looks at
 *     filters: [{title: "Only leaked", keep: row => row.leaked > 0}],
 *     detail: row => node,          what a row opens to; may be left out
 *     rowId: row => "site-7"})
 *
 * A row has a key that does not change. Rows beyond ROWS_FIRST are made when they are asked for.
 */
const ROWS_FIRST = 60;

class Table {
  constructor(section, options) {
    this.options = options;
    this.sorted = options.sorted || options.columns.findIndex(column => column.number);
    this.up = options.up || false;
    this.only = null;
    this.all = false;
    this.open = new Set();
    this.search = el("input", {type: "search", oninput: () => this.show()});
    this.filters = (options.filters || []).map(filter => ({...filter, box: el("input", {type: "checkbox", onchange: () => this.show()})}));
    this.status = el("span", {class: "count", role: "status"});
    this.more = el("button", {type: "button", onclick: () => { this.all = true; this.show(); }}, "Show all");
    this.release = el("button", {type: "button", hidden: true, onclick: () => this.showOnly(null, "")});
    this.head = el("tr", {});
    this.body = el("tbody", {});
    this.heads = options.columns.map((column, i) => this.makeHead(column, i));
    section.append(
      el("div", {class: "tools"}, labelled(`Search ${options.name}`, this.search),
        ...this.filters.map(filter => labelled(filter.title, filter.box, true)), this.release, this.status),
      el("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": `Table of ${options.name}`},
        el("table", {}, el("thead", {}, this.head), this.body)), this.more);
  }

  makeHead(column, i) {
    const head = el("th", {class: column.number ? "n" : null, scope: "col"},
      el("button", {type: "button", onclick: () => this.sortBy(i)}, column.title));
    this.head.append(head);
    return head;
  }

  sortBy(i) {
    this.up = this.sorted === i ? !this.up : !this.options.columns[i].number;
    this.sorted = i;
    this.show();
  }

  /* Only these rows, by key; label says which. null: all again. */
  showOnly(keys, label) {
    this.only = keys;
    this.release.hidden = !keys;
    this.release.textContent = `${label}: show all again`;
    this.search.value = "";
    this.filters.forEach(filter => { filter.box.checked = false; });
    this.show();
  }

  kept() {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const {key, change} = this.options.columns[this.sorted], by = row => change ? Math.abs(row[key]) : row[key];
    const sign = this.up ? 1 : -1;
    return this.options.rows()
      .filter(row => !this.only || this.only.has(row.key))
      .filter(row => this.filters.every(filter => !filter.box.checked || filter.keep(row)))
      .filter(row => !words.length || words.every(word => this.options.text(row).toLowerCase().includes(word)))
      .sort((a, b) => sign * (by(a) < by(b) ? -1 : by(a) > by(b) ? 1 : 0));
  }

  show() {
    const kept = this.kept();
    const shown = this.all ? kept : kept.slice(0, ROWS_FIRST);
    this.heads.forEach((head, i) => head.setAttribute("aria-sort", i === this.sorted ? (this.up ? "ascending" : "descending") : "none"));
    this.body.replaceChildren(...shown.flatMap(row => this.makeRows(row)));
    if (!kept.length)
      this.body.append(el("tr", {}, el("td", {colspan: this.options.columns.length}, "None.")));
    this.status.textContent = `${count(shown.length)} of ${plural(kept.length, "row")}`;
    this.more.hidden = shown.length === kept.length;
  }

  makeRows(row) {
    const cells = this.options.columns.map((column, i) => {
      const value = column.cell ? column.cell(row) : column.number ? count(row[column.key]) : String(row[column.key]);
      const bad = column.bad && column.bad(row);
      return el("td", {class: [column.number ? "n" : "", bad ? "bad" : ""].join(" ").trim() || null},
        i === (this.options.opens || 0) && this.options.detail ? this.opener(row, value) : value);
    });
    const made = [el("tr", {id: this.options.rowId ? this.options.rowId(row) : null}, ...cells)];
    if (this.open.has(row.key))
      made.push(el("tr", {class: "detail"}, el("td", {colspan: cells.length}, this.options.detail(row))));
    return made;
  }

  opener(row, value) {
    return el("button", {type: "button", class: "opener", "aria-expanded": String(this.open.has(row.key)), onclick: event => {
      const line = event.currentTarget.closest("tr");
      const opened = !this.open.delete(row.key);
      if (opened) {
        this.open.add(row.key);
        line.after(el("tr", {class: "detail"}, el("td", {colspan: this.options.columns.length}, this.options.detail(row))));
      } else {
        line.nextSibling.remove();
      }
      event.currentTarget.setAttribute("aria-expanded", String(opened));
    }}, value);
  }

  /* Brings a row into view: it takes the focus. */
  goTo(key) {
    if (!this.kept().slice(0, this.all ? Infinity : ROWS_FIRST).some(row => row.key === key)) {
      this.all = true;
      this.search.value = "";
      this.filters.forEach(filter => { filter.box.checked = false; });
      this.show();
    }
    const row = document.getElementById(this.options.rowId({key}));
    if (row)
      goTo(row.querySelector("button") || row);
  }
}
