/* SPDX-License-Identifier: MIT */
/* compare: the views of two runs side by side. raw has what report/html_compare.c writes. */
const AMOUNTS = ["leaked", "live", "most", "allocated", "objects"];

/* What a test did on a side: html_compare.c has the same. */
const NOT_RUN = 0, ENDED = 1;

/* What a test left may lie in what is missing of a run, or be to come. */
function isKnown(test, side) {
  return Boolean(raw[`complete${side}`] && test[`state${side}`] === ENDED);
}

function readComparison() {
  const names = ["node", ...AMOUNTS.flatMap(amount => [`${amount}A`, `${amount}B`])];
  const sites = rows(raw.sites, names).map(site => {
    const [frame = {name: "(no stack)", place: ""}] = framesFrom(site.node);
    const changes = Object.fromEntries(AMOUNTS.map(amount => [`${amount}Change`, site[`${amount}B`] - site[`${amount}A`]]));
    return {...site, ...frame, ...changes, key: site.node};
  });
  const sides = values => Object.fromEntries(["A", "B"].flatMap((side, i) =>
    ["state", "length", "leaked", "findings"].map((name, k) => [name + side, values[4 * i + k]])));
  const tests = raw.tests.map(([name, occurrence, ...values], key) => {
    const test = {name: occurrence > 1 ? `${name} #${occurrence}` : name, key, ...sides(values)};
    const only = test.stateA === NOT_RUN ? (raw.completeA ? "only in B" : "-") : test.stateB === NOT_RUN ? (raw.completeB ? "only in A" : "-") : "";
    const comparable = isKnown(test, "A") && isKnown(test, "B");
    return {...test, comparable, change: comparable ? test.leakedB - test.leakedA : 0, only};
  });
  return {sites, tests};
}

function signed(number) {
  return `${number > 0 ? "+" : ""}${count(number)}`;
}

function makeCompare() {
  const compared = readComparison();
  const side = (name, text) => test => test[`state${name}`] !== NOT_RUN ? text(test) : raw[`complete${name}`] ? "not run" : "not recorded";
  const fewer = name => side(name, test => isKnown(test, name) ? count(test[`leaked${name}`]) : "-");
  const length = name => side(name, test => test[`state${name}`] === ENDED ? (test[`length${name}`] / raw.hz).toFixed(3) : raw[`complete${name}`] ? "never ended" : "-");
  const isBad = name => test => !raw[`watched${name}`] && isKnown(test, name) && test[`leaked${name}`] > 0;
  const tests = compared.tests.length && new Table(document.getElementById("tests"), {
    name: "tests",
    columns: [
      {title: "Test", key: "name"},
      {title: "Seconds, A", key: "lengthA", number: true, cell: length("A")},
      {title: "Seconds, B", key: "lengthB", number: true, cell: length("B")},
      {title: `${raw.watchedA ? "Fewer" : "Leaked"}, A`, key: "leakedA", number: true, cell: fewer("A"), bad: isBad("A")},
      {title: `${raw.watchedB ? "Fewer" : "Leaked"}, B`, key: "leakedB", number: true, cell: fewer("B"), bad: isBad("B")},
      {title: "Change", key: "change", number: true, change: true, cell: test => test.only || (test.comparable ? signed(test.change) : "-"), bad: test => !raw.watchedA && !raw.watchedB && test.change > 0},
    ],
    sorted: 5,
    rows: () => compared.tests,
    text: test => test.name,
    filters: [{title: "Only different", keep: test => test.change !== 0 || test.stateA !== test.stateB || test.findingsA !== test.findingsB}],
    rowId: test => `test-${test.key}`,
  });
  const sites = new Table(document.getElementById("sites"), {
    name: "call sites",
    columns: [
      {title: "Call site", key: "name", cell: site => el("code", {}, site.name)},
      {title: "Place", key: "place", cell: site => el("code", {class: "dim"}, site.place)},
      ...[["leaked", "Leaked"], ["live", "Live"], ["allocated", "Allocated"]].flatMap(([amount, title]) => [
        {title: `${title}, A`, key: `${amount}A`, number: true},
        {title: `${title}, B`, key: `${amount}B`, number: true},
        {title: "B - A", key: `${amount}Change`, number: true, change: true, cell: site => signed(site[`${amount}Change`]), bad: site => site[`${amount}Change`] > 0 && amount === "leaked"},
      ]),
    ],
    sorted: compared.sites.some(site => site.leakedChange) ? 4 : 7,
    rows: () => compared.sites,
    text: site => framesFrom(site.node).map(frame => `${frame.name} ${frame.place}`).join(" "),
    filters: [{title: "Only different", keep: site => AMOUNTS.some(amount => amount !== "most" && site[`${amount}Change`])}],
    detail: site => stackList(framesFrom(site.node)),
    rowId: site => `site-${site.key}`,
  });
  const weight = (title, amount) => ({title, unit: "pages", stacks: () => compared.sites.map(site =>
    ({node: site.node, key: site.key, value: Math.max(site[`${amount}A`], site[`${amount}B`]), change: site[`${amount}Change`]}))});
  const section = document.getElementById("flame");
  section.append(el("p", {class: "hint"}, "A frame is as wide as the larger of the two sides; its colour says on which side there are more. Click or Enter zooms, Escape shows all."));
  const leaked = compared.sites.some(site => site.leakedA || site.leakedB) ? [weight("Leaked", "leaked")] : [];
  flame = new Flame(section, {
    id: "compare", name: "Flame graph of both runs", table: "sites", diverging: true,
    weights: [...leaked, weight("Live at the end", "live"), weight("At the peak", "most"), weight("Allocated (churn)", "allocated")],
    show: (keys, name) => sites.showOnly(keys, `Beneath ${name}`),
    goTo: key => sites.goTo(key),
  });
  if (tests) {
    tests.show();
  }
  sites.show();
  flame.rebuild();
}
