# SPDX-License-Identifier: MIT
"""Pages by kind over time, one on the other: what the memory that was taken is used for.

Kinds that stay from boot to the end (the image, the metadata of pages, the trace, the disk) are left out. The picture has
BINS moments; each shows how things stand at its end.
"""
import numpy as np
import picture
from pagetrail_trace import seconds, tables

BINS = 1500


class Kinds:
    """`edges` in seconds, and for each kind its pages at the end of each bin: `pages[kind]`."""

    def __init__(self, trace, begin, end):
        moves = trace.moves()
        self.edges = np.linspace(begin, max(end, begin + 1), BINS + 1)
        before = moves.before()
        self.pages, self.most = {}, {}  # `most`: of all events, also between the ends of bins
        for kind in set(tables.PAGE_KIND_TEXT) - picture.STILL_KINDS:
            changed = np.flatnonzero((moves.after == kind) != (before == kind))
            times = moves.times[changed]
            pages = np.cumsum(np.where(moves.after[changed] == kind, moves.pages[changed], -moves.pages[changed]))
            at_edges = np.append(0, pages)[np.searchsorted(times, self.edges[1:], side="right")]
            self.pages[kind], self.most[kind] = at_edges, int(pages[times >= begin].max(initial=0))
        self.edges = seconds(self.edges)

    def shown(self):
        """Kinds that move and ever have a page, in the order of the pile."""
        return [k for k in sorted(self.pages) if self.most[k] > 0]


def draw(trace, out):
    figure, axes = picture.begin()
    moves = trace.moves()
    if not len(moves.times):
        picture.say(axes, "no page was allocated or freed in this trace")
    else:
        begin, end = moves.after_boot(), int(moves.times[-1])
        kinds = Kinds(trace, begin, end)
        shown = kinds.shown()
        if shown:
            axes.stackplot(kinds.edges[1:], [kinds.pages[k] for k in shown], step="post", linewidth=0,
                           colors=[tables.KIND_COLOURS[k] for k in shown], zorder=2,
                           labels=[f"{trace.kind_text(k)}, at most {kinds.most[k]:,}" for k in shown])
            # from the top as they lie in the pile
            handles, names = axes.get_legend_handles_labels()
            axes.legend(handles[::-1], names[::-1], loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
        axes.set_xlim(kinds.edges[0], kinds.edges[-1])
        axes.set_ylim(bottom=0)
        picture.bands(axes, trace.tests())
        axes.set_xlabel("seconds since power-on")
        axes.set_ylabel("pages of 4 KiB")
        picture.thousands(axes.yaxis)
        axes.grid(axis="y", color=picture.GRID, linewidth=0.6, zorder=1)
    picture.title(figure, trace, "pages by kind")
    picture.save(figure, out)
