/* SPDX-License-Identifier: MIT */
/* dom: elements, and numbers as people read them. */
const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on"))
      element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false)
      element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined && child !== false));
  return element;
}

function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function count(number) {
  return Math.round(number).toLocaleString("en-US");
}

function plural(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/* Milliseconds of a run of a second and more, finer ones of a shorter run. */
const DIGITS = Math.min(7, Math.max(3, 3 - Math.floor(Math.log10(Math.max((raw.end - raw.begin) / raw.hz, 1e-7) || 1))));

function seconds(ticks, digits = DIGITS) {
  return (ticks / raw.hz).toFixed(digits);
}

/* "12.3 %" */
function percent(part, whole) {
  return whole ? `${(100 * part / whole).toFixed(1)} %` : "0 %";
}

function hex(number) {
  return "0x" + number.toString(16);
}

/* 1, 2 or 5 times a power of ten, about `wanted` of them in span. */
function niceStep(span, wanted) {
  const rough = span > 0 ? span / wanted : 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].find(factor => rough <= factor * power) * power;
}

/* The list of a stack's frames, each with its place. */
function stackList(list) {
  if (!list.length)
    return el("p", {}, "(no stack)");
  return el("ol", {class: "stack"}, ...list.map(frame =>
    el("li", {}, frame.name, " ", el("span", {}, frame.place + (frame.inlined ? ", inlined" : "")))));
}

let lastId = 0;

/* A label with its control; of boxes that are ticked the label is behind. */
function labelled(text, control, behind = false) {
  control.id = control.id || `control${++lastId}`;
  const label = el("label", {for: control.id}, text);
  return el("span", {class: "field"}, ...behind ? [control, label] : [label, control]);
}

/* Scrolls to an element and gives it the focus. */
function goTo(element) {
  if (!element.hasAttribute("tabindex") && !element.matches("a, button, input, select, summary"))
    element.setAttribute("tabindex", "-1");
  element.scrollIntoView({block: "center"});
  element.focus({preventScroll: true});
}
