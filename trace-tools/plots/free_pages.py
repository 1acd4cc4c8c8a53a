"""free_pages.py RUN OUT: draws free pages over time with the tests marked, as OUT.png and OUT.svg.

The curve replays every page_alloc and page_free, so it is exact; the first of the kernel's own samples fixes its
height, the others are drawn as dots on it. Each test is a band; long ones bear their names, and where free pages did
not come back the difference is written at the band's end.
"""
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402
from pagetrail_trace import Trace, seconds, tables  # noqa: E402

INK, CURVE, DOT, LOSS = "#222222", "#1b4f8f", "#e08a00", "#b00020"
BANDS = ("#eef1f5", "#dde3ec")
POINTS_MAX = 40000   # of the curve: more cannot be seen
NAMES_MAX = 28       # bands with a name
SAMPLES_MAX = 400


class FreePages:
    """The curve: `times` in seconds, `free` in pages after each change."""

    def __init__(self, trace):
        changes = trace.events("page_alloc", "page_free")
        pages = 1 << (changes["flags"] & 15).astype(np.int64)
        taken = changes["event"] == tables.EVENTS["page_alloc"][0]
        self.raw_times = changes["time"].astype(np.int64)
        self.net = np.cumsum(np.where(taken, -pages, pages))
        samples = trace.events("sample")
        self.sample_times, self.samples = seconds(samples["time"]), samples["free_pages"].astype(np.int64)
        self.known = len(samples) > 0
        self.offset = int(self.samples[0]) - self._net_at(int(samples["time"][0])) if self.known else 0
        self.times, self.free = seconds(self.raw_times), self.net + self.offset
        # Before the first allocation the kernel only gives its memory to the free lists.
        self.begin = float(self.times[np.argmax(taken)]) if len(changes) else 0.0

    def _net_at(self, time):
        position = np.searchsorted(self.raw_times, time, side="right")
        return int(self.net[position - 1]) if position else 0

    def at(self, time):
        """Free pages at a time in CSR ticks."""
        return self._net_at(time) + self.offset

    def thinned(self):
        """The curve with at most POINTS_MAX points: of each stretch its lowest, highest and last."""
        if len(self.times) <= POINTS_MAX:
            return self.times, self.free
        stretches = np.array_split(np.arange(len(self.times)), POINTS_MAX // 3)
        keep = np.unique(np.concatenate(
            [[s[np.argmin(self.free[s])], s[np.argmax(self.free[s])], s[-1]] for s in stretches]))
        return self.times[keep], self.free[keep]


def tests_of(trace):
    """(name, begin, end) of each test, in CSR ticks; one that never ended goes to the last record."""
    last = int(trace.records["time"].max()) if len(trace.records) else 0
    found, opened = [], None
    for mark in trace.events("mark"):
        if opened:
            found.append((*opened, int(mark["time"])))
        name = mark["name"].decode("utf-8", "replace")
        opened = (name, int(mark["time"])) if mark["kind"] == 0 else None
    if opened:
        found.append((*opened, last))
    return found


def settled_after(trace, tests):
    """For each test the time when its loss is judged: the audit before the next test, else its end."""
    audits = trace.events("audit_done")["time"].astype(np.int64)
    times = []
    for i, (_, _, end) in enumerate(tests):
        limit = tests[i + 1][1] if i + 1 < len(tests) else np.iinfo(np.int64).max
        after = audits[(audits >= end) & (audits < limit)]
        times.append(int(after[0]) if len(after) else end)
    return times


def draw_tests(axes, trace, curve):
    tests = tests_of(trace)
    longest = sorted(tests, key=lambda t: t[1] - t[2])[:NAMES_MAX]
    span = axes.get_xlim()[1] - axes.get_xlim()[0]
    losses = []
    for i, ((name, begin, end), judged) in enumerate(zip(tests, settled_after(trace, tests))):
        left, right = seconds(begin), seconds(end)
        axes.axvspan(left, right, color=BANDS[i % 2], linewidth=0, zorder=0)
        if (name, begin, end) in longest and right - left > span / 90:
            axes.text((left + right) / 2, 1.01, name, transform=axes.get_xaxis_transform(), rotation=50, fontsize=11,
                      color=INK, ha="left", va="bottom", rotation_mode="anchor")
        lost = curve.at(begin) - curve.at(judged)
        if lost > 0:
            losses.append((right, curve.at(judged), lost, name))
    for when, height, lost, name in losses[:12]:
        late = when > axes.get_xlim()[0] + 0.85 * span
        axes.annotate(f"{name}: {lost} lost", (when, height), xytext=(-6 if late else 6, -22), fontsize=11,
                      textcoords="offset points", ha="right" if late else "left", color=LOSS, fontweight="bold", arrowprops={"arrowstyle": "-", "color": LOSS})
    return len(tests), sum(loss[2] for loss in losses)


def heights(free):
    """Limits of the axis: from zero where much is used, else close around the curve, so that small losses show."""
    low, high = int(free.min()), int(free.max())
    if low < high / 2:
        return -0.03 * high, 1.04 * high
    margin = max(0.12 * (high - low), 4)
    return low - 1.5 * margin, high + margin


def title_of(trace, nr_tests, lost):
    about = trace.describe()
    words = [" ".join(about.get("guest_command", [])) or "free pages"]
    if "harts" in about:
        words.append(f"{about['harts']} harts, {about['ram_bytes'] >> 20} MiB")
    if nr_tests:
        words.append(f"{nr_tests} tests, {lost if lost else 'no'} pages lost")
    return "  ·  ".join(words)


def draw(trace, out):
    curve = FreePages(trace)
    plt.rcParams.update({"font.size": 13, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "0",
                         "svg.fonttype": "none"})
    figure, axes = plt.subplots(figsize=(16, 8), layout="constrained")
    if len(curve.times):
        times, free = curve.thinned()
        axes.step(times, free, where="post", color=CURVE, linewidth=1.4, label="replayed: every allocation and free",
                  zorder=3)
        low, high = curve.begin, max(curve.times[-1], curve.begin + 1e-6)
        axes.set_xlim(low, high + (high - low) * 0.01)
        axes.set_ylim(*heights(free[times >= low]))
    else:
        axes.text(0.5, 0.5, "no page was allocated or freed in this trace", transform=axes.transAxes, ha="center",
                  fontsize=16, color=INK)
    if curve.known:
        every = max(1, len(curve.samples) // SAMPLES_MAX)
        axes.plot(curve.sample_times[::every], curve.samples[::every], ".", color=DOT, markersize=5,
                  label="the kernel's own samples", zorder=4)
    nr_tests, lost = draw_tests(axes, trace, curve)
    axes.set_xlabel("seconds since power-on")
    axes.set_ylabel("free pages of 4 KiB" if curve.known else "pages freed minus pages taken")
    axes.yaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.grid(axis="y", color="#cccccc", linewidth=0.6, zorder=1)
    axes.set_axisbelow(True)
    figure.suptitle(title_of(trace, nr_tests, lost), x=0.01, ha="left", fontsize=17, color=LOSS if lost else INK)
    if len(curve.times):
        axes.legend(loc="upper right", bbox_to_anchor=(1, -0.07), ncols=2, frameon=False, fontsize=12)
    for suffix, options in (("png", {"dpi": 100, "metadata": {"Software": None}}), ("svg", {"metadata": {"Date": None}})):
        figure.savefig(f"{out}.{suffix}", **options)
    return out


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    draw(Trace(sys.argv[1]), sys.argv[2])


if __name__ == "__main__":
    main()
