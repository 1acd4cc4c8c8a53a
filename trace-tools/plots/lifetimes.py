# SPDX-License-Identifier: MIT
"""How long pages live: one row for each kind and each busy call site, the time on a logarithmic axis.

A row is a histogram of its own height, so that rare kinds can be read, too; the number of lives is beside it, and at
the right edge how many had not ended when the trace did.
"""
import numpy as np
import picture
from matplotlib.collections import LineCollection, PolyCollection
from pagetrail_trace import Lives, order_of, seconds

STEPS_PER_DECADE = 12
KINDS_MAX, SITES_MAX = 10, 10
HEIGHT = 0.82        # of the tallest bar, in rows
SHORTEST = 1e-7      # a tick
DECADES = ("0.1 µs", "1 µs", "10 µs", "0.1 ms", "1 ms", "10 ms", "0.1 s", "1 s", "10 s", "100 s", "1,000 s", "10,000 s")


def by_length(lives):
    """The same lives with their lengths ascending."""
    lengths = lives.lengths
    order = order_of(lengths + 1) if lengths.max(initial=0) < 0xFFFFFFFF else np.argsort(lengths, kind="stable")
    return Lives(lengths[order], lives.kinds[order], lives.sites[order])


def rows_of(lengths, values, name_of, most):
    """(name, ascending lengths of those that ended, how many did not) of the names with most lives.

    lengths: ascending; values: of each life the number that name_of gives a name, several the same one.
    """
    order = order_of(values)
    values = values[order]
    starts = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    groups = {}
    for start, end in zip(starts, [*starts[1:], len(values)]):
        groups.setdefault(name_of(int(values[start])), []).append(order[start:end])
    largest = sorted(sorted(groups), key=lambda name: -sum(map(len, groups[name])))[:most]
    rows = []
    for name in largest:
        mine = np.sort(np.concatenate([lengths[part] for part in groups[name]]), kind="stable")
        open_lives = int(np.searchsorted(mine, 0))
        rows.append((name, mine[open_lives:], open_lives))
    return rows


def histogram(lengths, edges, base):
    """The outline of a row's bars: x and y of its corners. Its tallest is HEIGHT."""
    places = np.searchsorted(seconds(lengths), edges[1:-1])
    counts = np.diff(places, prepend=0, append=len(lengths))
    return np.repeat(edges, 2)[1:-1], base + np.repeat(counts / max(1, counts.max()) * HEIGHT, 2)


def draw_rows(axes, rows, decades, what):
    """The outlines, the grounds and the medians of all rows are one artist each."""
    low, high = decades
    edges = np.logspace(low, high, max(2, int((high - low) * STEPS_PER_DECADE)) + 1)
    bars, lines, medians = [], [], []
    for i, (_, lengths, open_lives) in enumerate(rows):
        base = len(rows) - 1 - i
        across, up = histogram(lengths, edges, base)
        outline = np.column_stack([[edges[0], *across, edges[-1]], [base, *up, base]])
        bars.append(outline)
        lines.append(outline)
        if len(lengths):
            medians.append([(median, base + top) for median in [float(seconds(np.median(lengths)))] for top in (0, HEIGHT)])
        axes.text(1.01, base + 0.3, f"{len(lengths):,}", transform=axes.get_yaxis_transform(), ha="left", fontsize=11)
        axes.text(1.16, base + 0.3, f"{open_lives:,}" if open_lives else "–", transform=axes.get_yaxis_transform(),
                  ha="left", fontsize=11, fontweight="bold" if open_lives else "normal")
    axes.set(xscale="log", xlim=(edges[0], edges[-1]), ylim=(0, max(1, len(rows))))
    axes.add_collection(PolyCollection(bars, facecolors="#9db8d6", linewidths=0, zorder=2), autolim=False)
    axes.add_collection(LineCollection(lines, colors=picture.CURVE, linewidths=1, zorder=3), autolim=False)
    axes.add_collection(LineCollection(medians, colors=picture.INK, linewidths=1.6, zorder=4), autolim=False)
    axes.set_yticks([len(rows) - 1 - i + 0.35 for i in range(len(rows))], [row[0] for row in rows])
    first = round(np.log10(SHORTEST))
    marks = [d for d in range(int(low), int(high) + 1) if d - first < len(DECADES)]
    axes.set_xticks([10.0 ** d for d in marks], [DECADES[d - first] for d in marks])
    axes.minorticks_off()
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_title(what, loc="left", fontsize=14, color=picture.INK)
    for place, word in ((1.01, "ended"), (1.16, "live")):
        axes.text(place, 1.02, word, transform=axes.transAxes, ha="left", fontsize=11, color=picture.DIM)
    axes.set_xlabel("from allocation to free")


def draw(trace, out, site_names=None):
    """site_names: name of an allocation stack by its number."""
    figure, axes = picture.begin(1, ncols=2)
    lives = by_length(trace.lives())
    lengths = lives.lengths
    if not len(lengths):
        axes[1].remove()
        picture.say(axes[0], "no page was allocated in this trace")
    else:
        ended = seconds(lengths[np.searchsorted(lengths, 0):])
        low = np.floor(np.log10(max(ended[0], SHORTEST))) if len(ended) else -6.0
        decades = low, max(np.ceil(np.log10(max(ended[-1], SHORTEST))) if len(ended) else 0.0, low + 1)
        draw_rows(axes[0], rows_of(lengths, lives.kinds, trace.kind_text, KINDS_MAX), decades,
                  "by kind; the black line is the median")
        names = (site_names or {}).get
        draw_rows(axes[1], rows_of(lengths, lives.sites, lambda s: names(s) or f"stack {s}", SITES_MAX), decades, "by who allocated")
    picture.title(figure, trace, f"{picture.count(len(lengths), 'life').replace('lifes', 'lives')} of pages")
    picture.save(figure, out)
