# SPDX-License-Identifier: MIT
"""Several runs over one another: free pages from the first test on, and what each test leaked.

What is not free again after a test of a watched run need not have leaked, as nothing audits after each: there it is only fewer free pages.

Runs of the same tests take different times for them, so their time is stretched until each test begins and ends where it does in the
first run. That needs the same tests in the same order, of which runs have more or fewer: one stops at a failure, another repeats a test or
leaves some out. So what is aligned is the longest sequence of tests that all runs have in this order (the k-th time of a test is NAME#k,
as everywhere); what a run has between two of them lies between them.
The runs differ by their line and its lightness, and each bears its name, so that the picture can be read in grey.
"""
import collections
import dataclasses
import functools
import os

import numpy as np
import picture
from free_pages import FreePages, heights, verdict_words
from pagetrail_trace import seconds

LINES = (("#16365c", "-", 2.0), ("#e07b39", (0, (5, 2)), 2.0), ("#3d8f5f", (0, (1, 1.2)), 2.4), ("#8a4fa8", (0, (6, 2, 1, 2)), 2.0),
         ("#7a7f87", "-", 1.2), ("#b00020", (0, (3, 1)), 1.4))
TESTS_MAX = 40


def names_of(traces):
    """Names of the folders, as much of their paths as makes them different."""
    paths = [os.path.abspath(t.folder) for t in traces]
    if len(set(map(os.path.basename, paths))) == len(paths):
        return [os.path.basename(p) for p in paths]
    return paths


def numbered(tests):
    """{name: test}, in order; a test that runs again is NAME#2."""
    times, found = collections.Counter(), {}
    for test in tests:
        times[test.name] += 1
        found[test.name if times[test.name] == 1 else f"{test.name}#{times[test.name]}"] = test
    return found


def longest_common(first, second):
    """The longest sequence of names that both have in their order."""
    if first == second:
        return first
    # longest[i][k]: of first[i:] and second[k:]
    longest = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i in reversed(range(len(first))):
        for k in reversed(range(len(second))):
            longest[i][k] = longest[i + 1][k + 1] + 1 if first[i] == second[k] else max(longest[i + 1][k], longest[i][k + 1])
    found, i, k = [], 0, 0
    while i < len(first) and k < len(second):
        if first[i] == second[k]:
            found, i, k = [*found, first[i]], i + 1, k + 1
        elif longest[i + 1][k] >= longest[i][k + 1]:
            i += 1
        else:
            k += 1
    return found


def common_tests(runs):
    """Names of tests that every run has, in the same order."""
    return functools.reduce(longest_common, [list(numbered(tests)) for _, _, tests in runs])


def stretch(times, tests, first, common):
    """Times of a run as times of the first: its tests begin and end as they do there, what lies outside keeps its length."""
    here, there = ([t for name in common for t in (seconds(which[name].begin), seconds(which[name].end))]
                   for which in (numbered(tests), numbered(first)))
    beyond = 1e6
    return np.interp(times, [here[0] - beyond, *here, here[-1] + beyond], [there[0] - beyond, *there, there[-1] + beyond])


def draw_curves(axes, runs):
    common = common_tests(runs)
    everything, longest = [], 0.0
    for (name, curve, tests), (colour, dashes, width) in zip(runs, LINES):
        if not len(curve.times):
            continue
        zero = seconds(tests[0].begin) if tests else curve.begin
        times, free = curve.thinned()
        if common:
            times, zero = stretch(times, tests, runs[0][2], common), seconds(runs[0][2][0].begin)
        kept = times >= min(zero, times[-1])
        axes.step(times[kept] - zero, free[kept], where="post", color=colour, linestyle=dashes, linewidth=width, label=name)
        everything.append(free[kept])
        longest = max(longest, float(times[-1] - zero))
    if not everything:
        picture.say(axes, "no page was allocated or freed in these traces")
        return
    axes.set_ylim(*heights(np.concatenate(everything)))
    axes.set_xlim(0, max(longest, 1e-6) * 1.01)
    axes.set_xlabel((f"seconds since the first test began in {runs[0][0]}; tests of the others drawn where they are there"
                     if common else "seconds since the first test began") if any(r[2] for r in runs)
                    else "seconds since the first allocation")
    if common:
        zero = runs[0][2][0].begin
        picture.bands(axes, [dataclasses.replace(t, begin=t.begin - zero, end=t.end - zero) for t in runs[0][2]], names=False)
    axes.set_ylabel("free pages of 4 KiB")
    picture.thousands(axes.yaxis)
    axes.grid(axis="y", color=picture.GRID, linewidth=0.6)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=len(runs), frameon=False, handlelength=4)


def says_leaked(traces):
    """Of every run its tests tell what leaked; false: of a watched one only how many free pages fewer there are."""
    return not any(trace.watched for trace in traces)


def draw_losses(axes, runs, told):
    """A group of bars for each test after which fewer pages were free in some run. told: these have leaked."""
    leaked = [{name: curve.leaked(test) for name, test in numbered(tests).items()} for _, curve, tests in runs]
    names = [n for n in dict.fromkeys(name for each in leaked for name in each) if any(l.get(n, 0) > 0 for l in leaked)]
    if not names:
        axes.text(0.0, 0.5, "no test of any run leaked a page" if told else "in no run fewer pages were free after a test than before it", transform=axes.transAxes, fontsize=14, color=picture.INK)
        axes.set_axis_off()
        return
    width = 0.8 / len(runs)
    for i, (each, (colour, _, _)) in enumerate(zip(leaked, LINES)):
        places = np.arange(min(len(names), TESTS_MAX)) + (i - (len(runs) - 1) / 2) * width
        values = [each.get(n, 0) for n in names[:TESTS_MAX]]
        axes.bar(places, values, width * 0.9, color=colour, zorder=2)
        for place, value, name in zip(places, values, names):
            if len(names) * len(runs) <= 40:
                axes.text(place, max(value, 0), f"{value:,}" if name in each else "not run", ha="center", va="bottom", fontsize=11,
                          color=picture.INK if value else picture.DIM)
    axes.set_xticks(range(min(len(names), TESTS_MAX)), names[:TESTS_MAX],
                    **({"rotation": 40, "ha": "right"} if len(names) > 8 else {}))
    axes.set_ylabel("pages leaked" if told else "fewer free pages")
    axes.set_yscale("symlog", linthresh=10)
    axes.set_ylim(0, max(max(each.values(), default=0) for each in leaked) * 2.2 + 1)
    picture.thousands(axes.yaxis)
    axes.tick_params(axis="x", length=0)


def draw(traces, out, verdicts):
    """verdicts: what `pagetrail leaks --json` says of each watched run; {} of another, whose tests tell."""
    runs = [(name, FreePages(t), t.tests()) for name, t in zip(names_of(traces), traces)]
    tested = any(tests for _, _, tests in runs)
    figure, axes = picture.begin(2, height_ratios=(2, 1)) if tested else picture.begin()
    draw_curves(axes[0] if tested else axes, runs)
    if tested:
        draw_losses(axes[1], runs, says_leaked(traces))
    words = [f"{name}: {verdict_words(verdict)}" for (name, _, _), verdict, trace in zip(runs, verdicts, traces) if trace.watched]
    title = "; ".join([f"{len(runs)} runs compared", *words])
    figure.suptitle(title, x=0.01, ha="left", fontsize=17 if len(title) < 100 else 11, color=picture.INK)
    picture.save(figure, out)
