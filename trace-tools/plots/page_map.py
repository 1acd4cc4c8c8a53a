# SPDX-License-Identifier: MIT
"""RAM over time: up the addresses, to the right time, the colour what the page is used for.

A cell stands for some pages and a stretch of time, and shows how they are at its end: the kind that most of the used
ones have, the paler the more are free. A leaked page makes its cell red from when the reference was acquired that nothing
returned. Long stretches of RAM in which nothing happens are folded to a strip that says what they are.
"""
import matplotlib.colors
import matplotlib.patches
import numpy as np
import picture
from pagetrail_trace import before_of, order_of, seconds, tables

COLUMNS, ROWS = 1200, 440
PALEST = 0.35        # of a cell with one used page
FOLD_MIN = 48        # pages in which nothing happens
FOLD_ROWS = 14
UNKNOWN = -1
UNUSED = (UNKNOWN, tables.PAGE_KINDS["FREE"], tables.PAGE_KINDS["PCP"])
COLOURS = 255 * np.array([matplotlib.colors.to_rgb(tables.KIND_COLOURS[k]) for k in range(len(tables.KIND_COLOURS))])
LOSS = np.array(matplotlib.colors.to_rgb(picture.LOSS)) * 255


class Pages:
    """Changes page by page: a block of pages is as many pages that change at once."""

    def __init__(self, moves):
        self.first = int(moves.pfns.min())
        self.nr = int((moves.pfns + moves.pages).max()) - self.first
        index = np.repeat(np.arange(len(moves.pfns)), moves.pages)
        within = np.arange(len(index)) - np.repeat(np.cumsum(moves.pages) - moves.pages, moves.pages)
        self.pages, self.kinds, self.times = moves.pfns[index] - self.first + within, moves.after[index], moves.times[index]
        self.before = before_of(self.pages, self.kinds, order_of(self.pages), UNKNOWN)

    def at(self, time):
        state = np.full(self.nr, UNKNOWN, np.int8)
        before = self.times <= time
        state[self.pages[before]] = self.kinds[before]
        return state

    def stretches(self, begin, leaked):
        """(from, to, folded) of each stretch of pages: folded, where nothing happens after `begin`."""
        busy = np.zeros(self.nr, bool)
        busy[self.pages[self.times > begin]] = True
        busy[[pfn - self.first for pfn, _ in leaked if 0 <= pfn - self.first < self.nr]] = True
        state = np.where(busy, 100, self.at(begin))
        edges = np.flatnonzero(np.diff(state)) + 1
        found = []
        for low, high in zip([0, *edges], [*edges, self.nr]):
            folded = not busy[low] and high - low >= FOLD_MIN
            if found and not folded and not found[-1][2]:
                found[-1] = (found[-1][0], high, False)
            else:
                found.append((low, high, folded))
        return found


class Map:
    """The image, and where on it which page is."""

    def __init__(self, moves, begin, end, leaked):
        self.pages = Pages(moves)
        self.stretches = self.pages.stretches(begin, leaked)
        open_pages = sum(high - low for low, high, folded in self.stretches if not folded)
        self.per_row = max(1, -(-open_pages // ROWS))
        self.rows, at = [], 0   # first row of each stretch
        for low, high, folded in self.stretches:
            self.rows.append(at)
            at += FOLD_ROWS if folded else -(-(high - low) // self.per_row)
        self.image = self._painted(np.linspace(begin, end, COLUMNS), at)
        for pfn, since in leaked:
            if 0 <= pfn - self.pages.first < self.pages.nr:
                column = int(np.clip((since - begin) / max(end - begin, 1) * COLUMNS, 0, COLUMNS - 1))
                self.image[int(self.row(pfn - self.pages.first)), column:] = LOSS

    def row(self, page):
        """Where a page lies, upward."""
        number = max(i for i, (low, _, _) in enumerate(self.stretches) if low <= page)
        low, high, folded = self.stretches[number]
        return self.rows[number] + ((page - low) / (high - low) * FOLD_ROWS if folded else (page - low) / self.per_row)

    def _row_of_pages(self):
        """The row of each page; all of a folded stretch are in its first one."""
        found = np.zeros(self.pages.nr, np.int64)
        for row, (low, high, folded) in zip(self.rows, self.stretches):
            found[low:high] = row if folded else row + np.arange(high - low) // self.per_row
        return found

    def _painted(self, times, nr_rows):
        """RGB of the cells. For each kind: how many of its pages come into a cell and leave it, added up along the row."""
        pages, row_of = self.pages, self._row_of_pages()
        shown_from = np.searchsorted(pages.times, times, side="right")
        column = np.repeat(np.arange(COLUMNS), np.diff(shown_from, prepend=0))
        kinds, before = pages.kinds[:len(column)], pages.before[:len(column)]
        cell = row_of[pages.pages[:len(column)]] * COLUMNS + column
        used, most, winner = (np.zeros((nr_rows, COLUMNS), np.int64) for _ in range(3))
        for kind in sorted(set(np.unique(kinds).tolist()) - set(UNUSED)):
            come, left = (np.bincount(cell[chosen], minlength=nr_rows * COLUMNS)
                          for chosen in ((kinds == kind) & (before != kind), (before == kind) & (kinds != kind)))
            count = np.cumsum((come - left).reshape(nr_rows, COLUMNS), axis=1)
            used += count
            winner[count > most] = kind
            np.maximum(most, count, out=most)
        share = used / np.maximum(np.bincount(row_of, minlength=nr_rows), 1)[:, None]
        alpha = np.where(share > 0, PALEST + (1 - PALEST) * share, 0)[:, :, None]
        image = np.rint(COLOURS[winner] * alpha + 255 * (1 - alpha)).astype(np.uint8)
        for row, (_, _, folded) in zip(self.rows, self.stretches):
            if folded:
                image[row:row + FOLD_ROWS] = image[row]
        return image

    def ticks(self):
        """(rows, labels): where stretches begin, and round addresses within long ones."""
        places = [low for low, _, _ in self.stretches]
        step = 1 << max(4, int(self.image.shape[0] * self.per_row / 12).bit_length())
        for low, high, folded in self.stretches:
            places += [] if folded else [p - self.pages.first for p in
                                         range(-(-(low + self.pages.first) // step) * step, high + self.pages.first, step)]
        rows, labels = [], []
        for page in sorted(set(places)):
            if not rows or self.row(page) - rows[-1] > self.image.shape[0] / 28:
                rows.append(self.row(page))
                labels.append(f"0x{(self.pages.first + page) * tables.PAGE_BYTES:x}")
        return rows, labels


def label_folds(axes, trace, plan, begin):
    state = plan.pages.at(begin)
    for row, (low, high, folded) in zip(plan.rows, plan.stretches):
        if not folded:
            continue
        kind = int(state[low])
        words = "never used" if kind in UNUSED else trace.kind_text(kind)
        axes.text(0.5, row + FOLD_ROWS / 2, f"{(high - low) * tables.PAGE_BYTES / 2**20:,.1f} MiB {words}", ha="center",
                         va="center", transform=axes.get_yaxis_transform(), fontsize=11, color=picture.INK, bbox=picture.PLATE)
        for edge in (row, row + FOLD_ROWS):
            axes.axhline(edge, color=picture.DIM, linewidth=0.6, linestyle=(0, (1, 2)))


def legend(axes, trace, moves, leaked):
    """Kinds that pages have at some time, and the leaked ones."""
    seen = [k for k in sorted(set(np.unique(moves.after).tolist())) if k not in UNUSED]
    handles = [matplotlib.patches.Patch(facecolor=tables.KIND_COLOURS[k], label=trace.kind_text(k)) for k in seen]
    handles.append(matplotlib.patches.Patch(facecolor="white", edgecolor=picture.DIM, label="free"))
    if leaked:
        handles.append(matplotlib.patches.Patch(facecolor=picture.LOSS, label=f"leaked: {picture.count(len(leaked), 'page')}"))
    axes.legend(handles=handles[::-1], loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)


def draw_map(axes, trace, moves, leaked):
    begin = moves.after_boot()
    end = max(int(moves.times[-1]), begin + 1)
    plan = Map(moves, begin, end, leaked)
    axes.imshow(plan.image, origin="lower", aspect="auto", interpolation="nearest", zorder=1,
                extent=(seconds(begin), seconds(end), 0, plan.image.shape[0]))
    axes.set_xlabel("seconds since power-on")
    axes.set_ylabel(f"physical address, {picture.count(plan.per_row, 'page')} a row")
    axes.set_yticks(*plan.ticks(), fontsize=11, family="monospace")
    tests = trace.tests()
    for test in tests if len(tests) < 40 else ():
        for edge in (test.begin, test.end):
            axes.axvline(seconds(edge), color=picture.DIM, linewidth=0.5, linestyle=(0, (2, 3)), zorder=2)
    picture.bands(axes, tests)
    label_folds(axes, trace, plan, begin)
    legend(axes, trace, moves, leaked)


def draw(trace, out, leaked=()):
    """leaked: (pfn, tick from which on it was) of each page."""
    figure, axes = picture.begin()
    moves = trace.moves()
    if moves.allocations.any():
        draw_map(axes, trace, moves, leaked)
    else:
        picture.say(axes, "no page was allocated in this trace")
    picture.title(figure, trace, "what each page of RAM is used for",
                  *([f"{picture.count(len(leaked), 'page')} leaked"] if leaked else []), bad=bool(leaked))
    picture.save(figure, out)
