# SPDX-License-Identifier: MIT
"""What all pictures share: size, type, colours, the bands of tests, the title, and how they are written."""
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.collections import PolyCollection  # noqa: E402
from matplotlib.ticker import FuncFormatter  # noqa: E402
from pagetrail_trace import seconds, tables  # noqa: E402

INK, DIM, GRID, CURVE, DOT, LOSS = "#222222", "#6a7079", "#cccccc", "#1b4f8f", "#e08a00", "#b00020"
BANDS = ("#eef1f5", "#dde3ec")
SIZE = (16, 8)       # inches, of 100 pixels
NAMES_MAX = 28       # bands with a name
NAME_HEIGHT = 0.0125  # of a slanted name's next, in widths of the axes
LETTER = 0.0062      # width of a letter, in widths of the axes
# Behind words that may stand on a line.
PLATE = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.5}
# What RAM is from boot to the end: the pictures of change leave it out.
STILL_KINDS = {tables.PAGE_KINDS[name] for name in ("FREE", "IMAGE", "METADATA", "TRACE", "RAMDISK", "PCP")}


def begin(rows=1, **more):
    """(figure, axes) of the house's size and type."""
    plt.rcParams.update({"font.size": 13, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "0",
                         "svg.fonttype": "none", "axes.edgecolor": DIM, "xtick.color": INK, "ytick.color": INK})
    return plt.subplots(rows, figsize=SIZE, layout="constrained", **more)


def count(number, what):
    """"1 page", "2 pages", "no pages"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}" if number else f"no {what}s"


def thousands(axis):
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def title(figure, trace, *words, bad=False):
    about = trace.describe()
    parts = [" ".join(about.get("guest_command", [])) or trace.name]
    if "harts" in about:
        parts.append(f"{count(about['harts'], 'hart')}, {about['ram_bytes'] >> 20} MiB")
    if trace.damage:
        parts.append("DAMAGED: " + ", ".join(sorted({name for name, _ in trace.damage})))
    bad = bad or bool(trace.damage)
    figure.suptitle("  ·  ".join([*parts, *words]), x=0.01, ha="left", fontsize=17, color=LOSS if bad else INK)


def say(axes, words):
    """Instead of a picture."""
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", fontsize=16, color=INK)
    axes.set(xticks=[], yticks=[])


def bands(axes, tests, names=True):
    """Each test as a band; the longest bear their names, level where there is room for that, else slanted."""
    low, high = axes.get_xlim()
    named = set()
    for i, test in sorted(enumerate(tests), key=lambda t: t[1].begin - t[1].end)[:NAMES_MAX]:
        if seconds(test.end - test.begin) > (high - low) / 90 or len(tests) <= 8:
            named.add(i)
    places = [((seconds(tests[i].begin + tests[i].end) / 2 - low) / (high - low), tests[i].name) for i in sorted(named)]
    level = all(b[0] - a[0] > (len(a[1]) + len(b[1]) + 3) / 2 * LETTER for a, b in zip(places, places[1:]))
    corners = [[(begin, 0), (begin, 1), (end, 1), (end, 0)] for test in tests
               for begin, end in [(float(seconds(test.begin)), float(seconds(test.end)))]]
    axes.add_collection(PolyCollection(corners, facecolors=BANDS, linewidths=0, zorder=0, transform=axes.get_xaxis_transform()),
                        autolim=False)
    right = -1.0
    for place, name in places if names else ():
        if not level and place - right < NAME_HEIGHT:
            continue
        right = place
        turned = {} if level else {"rotation": 50, "rotation_mode": "anchor"}
        edge = len(name) / 2 * LETTER
        axes.text(min(max(place, edge), 1 - edge) if level else place, 1.015, name, transform=axes.transAxes, fontsize=11,
                  color=INK, ha="center" if level else "left", va="bottom", **turned)


def save(figure, out):
    """Writes OUT.png and OUT.svg: the same bytes for the same trace. The layout is worked out once for both."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for suffix, options in (("png", {"dpi": 100, "metadata": {"Software": None}}), ("svg", {"metadata": {"Date": None}})):
        figure.savefig(f"{out}.{suffix}", **options)
    plt.close(figure)
