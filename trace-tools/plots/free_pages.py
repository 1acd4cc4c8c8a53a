# SPDX-License-Identifier: MIT
"""Free pages over time, the tests marked, what leaked labelled.

The curve replays every page_alloc and page_free, so it is exact; the first of the kernel's own samples fixes its
height, the others are drawn as dots on it. Each test is a band; where free pages did not come back, a bracket spans
the difference.
"""
import numpy as np
import picture
from pagetrail_trace import seconds, tables

COLUMNS = 3200       # stretches of the curve: half a pixel each
SAMPLES_MAX = 400
LOSSES_MAX = 12


class FreePages:
    """The curve: `times` in seconds, `free` in pages after each change."""

    def __init__(self, trace):
        moves = trace.moves()
        change = np.where(moves.allocations, -moves.pages, moves.pages)
        change[~moves.allocations & (moves.after != tables.PAGE_KINDS["FREE"])] = 0  # another kind: as free as before
        self.raw_times, self.net = moves.times, np.cumsum(change)
        samples = trace.events("sample")
        self.sample_times, self.samples = seconds(samples["time"]), samples["free_pages"].astype(np.int64)
        # A watched kernel's boot frees every page that there is: what was freed and not allocated again is free.
        self.known = len(samples) > 0 or trace.watched
        self.offset = int(self.samples[0]) - self._net_at(int(samples["time"][0])) if len(samples) else 0
        self.times, self.free = seconds(self.raw_times), self.net + self.offset
        # Before the first allocation the kernel only gives its memory to the free lists.
        self.begin = float(seconds(moves.after_boot())) if len(moves.times) else 0.0

    def _net_at(self, time):
        position = np.searchsorted(self.raw_times, time, side="right")
        return int(self.net[position - 1]) if position else 0

    def at(self, time):
        """Free pages at a time in CSR ticks."""
        return self._net_at(time) + self.offset

    def leaked(self, test):
        """Free pages before a test that are not there when it is compared."""
        return self.at(test.begin) - self.at(test.compared)

    def freed_at(self, test):
        """(seconds, pages): when, after a test, as many pages were free for the first time as when it was compared."""
        first, last = np.searchsorted(self.raw_times, (test.end, test.compared), side="right")
        after = self.at(test.compared)
        if self.at(test.end) == after or first == last:
            return float(seconds(test.end)), after
        return float(self.times[first + np.argmax(self.free[first:last] == after)]), after

    def thinned(self):
        """What can be seen of the curve: of each half pixel from `begin` on its first, lowest, highest and last point."""
        first = np.searchsorted(self.times, self.begin)
        if len(self.times) - first <= 4 * COLUMNS:
            return self.times, self.free
        free = self.free[first:]
        edges = np.linspace(self.begin, self.times[-1], COLUMNS, endpoint=False)
        starts = np.unique(np.searchsorted(self.times[first:], edges))
        lengths = np.diff(starts, append=len(free))
        keep = [starts, starts + lengths - 1]
        for extreme in (np.minimum, np.maximum):
            places = np.flatnonzero(free == np.repeat(extreme.reduceat(free, starts), lengths))
            keep.append(places[np.searchsorted(places, starts)])
        keep = np.unique(np.concatenate(keep)) + first
        return self.times[keep], self.free[keep]


def draw_losses(axes, losses):
    """For each (name, when, before, after) a bracket from before to after, and the number beside it."""
    low, high = axes.get_xlim()
    last, step = low - high, 0
    for name, when, before, after in losses[:LOSSES_MAX]:
        late = when > low + 0.8 * (high - low)
        # names that would stand on one another go up in steps
        step = step + 1 if when - last < 0.15 * (high - low) else 0
        last = when
        axes.annotate("", (when, after), (when, before), arrowprops={"arrowstyle": "|-|,widthA=0.25,widthB=0.25",
                                                                   "color": picture.LOSS, "linewidth": 1.6}, zorder=5)
        tall = before - after > 0.08 * np.ptp(axes.get_ylim())
        axes.annotate(f"{name}: {before - after:,} leaked", (when, (before + after) / 2 if tall else before),
                      xytext=(-8 if late else 8, (-5 if tall else 8) + 18 * step), textcoords="offset points", fontsize=12,
                      ha="right" if late else "left", color=picture.LOSS, fontweight="bold", bbox=picture.PLATE, zorder=6)
    if len(losses) > LOSSES_MAX:
        axes.text(0.99, 0.02, f"tests that leaked pages and are not named: {len(losses) - LOSSES_MAX}", transform=axes.transAxes,
                  ha="right", color=picture.LOSS, fontsize=12)


def heights(free):
    """Limits of the axis: from zero where much is used, else close around the curve, so that small losses show."""
    low, high = int(free.min()), int(free.max())
    if low < high / 2:
        return -0.03 * high, 1.04 * high
    margin = max(0.12 * (high - low), 4)
    return low - 1.5 * margin, high + margin


def draw_curve(axes, curve):
    if not len(curve.times):
        picture.say(axes, "no page was allocated or freed in this trace")
        return
    times, free = curve.thinned()
    axes.step(times, free, where="post", color=picture.CURVE, linewidth=1.5, zorder=3,
              label="replayed: every allocation and free")
    low, high = curve.begin, max(curve.times[-1], curve.begin + 1e-6)
    axes.set_xlim(low, high + (high - low) * 0.01)
    axes.set_ylim(*heights(free[times >= low]))
    if len(curve.samples):
        every = max(1, len(curve.samples) // SAMPLES_MAX)
        axes.plot(curve.sample_times[::every], curve.samples[::every], ".", color=picture.DOT, markersize=5,
                  label="the kernel's own samples", zorder=4)
    axes.legend(loc="upper right", bbox_to_anchor=(1, -0.06), ncols=2, frameon=False, fontsize=12)


def verdict_words(verdict):
    """What `pagetrail leaks` says of the whole run, for a title."""
    if verdict.get("verdict") == "leaked":
        return f"{picture.count(verdict.get('pages', 0), 'page')} leaked"
    return "no leaks" if verdict.get("verdict") == "no leaks" else "no verdict"


def draw(trace, out, verdict):
    """verdict: what `pagetrail leaks --json` says, of a watched run; there a difference between two tests is no leak."""
    curve, tests = FreePages(trace), trace.tests()
    figure, axes = picture.begin()
    draw_curve(axes, curve)
    if len(curve.times):
        picture.bands(axes, tests)
    losses = [(t.name, when, curve.at(t.begin), after) for t in tests if curve.leaked(t) > 0 and not trace.watched
              for when, after in [curve.freed_at(t)]]
    draw_losses(axes, losses)
    axes.set_xlabel("seconds since power-on", color=picture.INK)
    axes.set_ylabel("free pages of 4 KiB" if curve.known else "pages freed minus pages allocated")
    picture.thousands(axes.yaxis)
    axes.grid(axis="y", color=picture.GRID, linewidth=0.6, zorder=1)
    axes.set_axisbelow(True)
    leaked = sum(before - after for _, _, before, after in losses)
    if trace.watched:
        words, bad = [*([picture.count(len(tests), "test")] if tests else []), verdict_words(verdict)], verdict.get("verdict") == "leaked"
    else:
        words, bad = [f"{picture.count(len(tests), 'test')}, {picture.count(leaked, 'page')} leaked"] if tests else [], leaked > 0
    picture.title(figure, trace, *(words or ["free pages"]), bad=bad)
    picture.save(figure, out)
