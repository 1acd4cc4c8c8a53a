/* SPDX-License-Identifier: MIT */
/* start: the views are made after the page was painted once, so that it opens as fast as it does without them. */

/* On paper everything is open. */
function openForPrint() {
  const closed = [...document.querySelectorAll("details:not([open])")];
  closed.forEach(details => { details.open = true; });
  window.addEventListener("afterprint", () => closed.forEach(details => { details.open = false; }), {once: true});
}

/* The first marked line of each function is in view. */
function showMarks() {
  for (const code of document.querySelectorAll("figure.code pre")) {
    const mark = code.querySelector("mark.missing, mark");
    if (mark)
      code.scrollTop = Math.max(0, mark.offsetTop - code.clientHeight / 2);
  }
}

function start() {
  if (LIVE_RUN) {
    makeTables();
    makeFlame();
    makeTimeline();
    makeMap();
    selectionChip();
  } else {
    makeCompare();
  }
  showMarks();
  window.addEventListener("beforeprint", openForPrint);
  performance.mark("views");
  document.documentElement.classList.add("ready");
}

requestAnimationFrame(() => setTimeout(start));
