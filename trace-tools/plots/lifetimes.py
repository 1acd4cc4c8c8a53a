# SPDX-License-Identifier: MIT
"""How long pages live: one row for each kind and each busy call site, the time on a logarithmic axis.

A row is a histogram of its own height, so that rare kinds can be read, too; the number of lives is beside it, and at
the right edge how many had not ended when the trace did.
"""
import numpy as np
import picture
from pagetrail_trace import seconds, tables

STEPS_PER_DECADE = 12
KINDS_MAX, SITES_MAX = 10, 10


def rows_of(lives, column, name_of, most):
    """(name, lifetimes in seconds of those that ended, how many did not) of the names with most lives."""
    values, which = np.unique(lives[column], return_inverse=True)
    names, name = np.unique([name_of(int(v)) for v in values], return_inverse=True)
    which = name[which]
    rows = []
    for number in np.argsort(-np.bincount(which, minlength=len(names)), kind="stable")[:most]:
        mine = lives[which == number]
        ended = mine[mine["end"] > 0]
        rows.append((str(names[number]), seconds(ended["end"] - ended["begin"]), int((mine["end"] == 0).sum())))
    return rows


def draw_rows(axes, rows, low, high, what):
    edges = np.logspace(low, high, max(2, int((high - low) * STEPS_PER_DECADE)) + 1)
    for i, (name, times, open_lives) in enumerate(rows):
        base = len(rows) - 1 - i
        counts = np.histogram(np.clip(times, edges[0], edges[-1]), edges)[0]
        heights = counts / max(1, counts.max()) * 0.82
        axes.stairs(base + heights, edges, baseline=base, fill=True, color="#9db8d6", zorder=2)
        axes.stairs(base + heights, edges, baseline=base, color=picture.CURVE, linewidth=1, zorder=3)
        axes.axhline(base, color=picture.GRID, linewidth=0.7, zorder=1)
        if len(times):
            axes.plot([np.median(times)] * 2, [base, base + 0.82], color=picture.INK, linewidth=1.6, zorder=4)
        axes.text(1.01, base + 0.3, f"{len(times):,}", transform=axes.get_yaxis_transform(), ha="left", fontsize=11)
        axes.text(1.16, base + 0.3, f"{open_lives:,}" if open_lives else "–", transform=axes.get_yaxis_transform(),
                  ha="left", fontsize=11, fontweight="bold" if open_lives else "normal")
    axes.set(xscale="log", xlim=(edges[0], edges[-1]), ylim=(0, max(1, len(rows))))
    axes.set_yticks([len(rows) - 1 - i + 0.35 for i in range(len(rows))], [row[0] for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_title(what, loc="left", fontsize=14, color=picture.INK)
    for place, word in ((1.01, "ended"), (1.16, "live")):
        axes.text(place, 1.02, word, transform=axes.transAxes, ha="left", fontsize=11, color=picture.DIM)
    axes.set_xlabel("seconds from allocation to free")


def draw(trace, out, site_names=None):
    """site_names: name of an allocation stack by its number."""
    figure, axes = picture.begin(1, ncols=2)
    lives = trace.lives()
    ended = lives[lives["end"] > 0]
    if not len(lives):
        axes[1].remove()
        picture.say(axes[0], "no page was allocated in this trace")
    else:
        times = seconds(ended["end"] - ended["begin"])
        low = np.floor(np.log10(max(times.min(), 1e-7))) if len(times) else -6.0
        high = max(np.ceil(np.log10(max(times.max(), 1e-7))) if len(times) else 0.0, low + 1)
        draw_rows(axes[0], rows_of(lives, "kind", tables.PAGE_KIND_TEXT.get, KINDS_MAX), low, high, "by kind; the black line is the median")
        names = (site_names or {}).get
        draw_rows(axes[1], rows_of(lives, "site", lambda s: names(s) or f"stack {s}", SITES_MAX), low, high,
                  "by who allocated")
    picture.title(figure, trace, f"{picture.count(len(lives), 'life').replace('lifes', 'lives')} of pages")
    picture.save(figure, out)
