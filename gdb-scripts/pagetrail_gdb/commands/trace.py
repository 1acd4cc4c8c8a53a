# SPDX-License-Identifier: MIT
"""page-history and trace-dump: events from the rings in memory, and how they are printed."""

import sys

from ..model.errors import CommandError
from ..model.pages import pages_of
from ..model.trace import Depot, seconds, trace_of
from ..settings import limit
from .base import Command, expect, parse_count, plural, print_stack


def describe_holder(kernel, ref, holder_id, index):
    """A reference as text: "pte(mm 3, page 0x10)"."""
    label = kernel.layout.enum_label("ref_kind", "REF_", ref)
    return f"{label}({holder_id}, {index:#x})"


def describe_record(trace, record):
    """One line: time, hart, event, what it did, and the innermost frame that is worth naming."""
    kernel, payload = trace.kernel, record.payload
    name = trace.event_name(record)
    time = seconds(kernel, record.time)
    text = f"{time:12.6f} hart {record.hart} "
    if "pfn" in payload:
        text += f"pid {payload['pid']:<4} {name:<11} pfn {payload['pfn']:#x} {_page_kind_of(kernel, record)} "
        if name != "page_kind":
            text += describe_holder(kernel, record.kind, payload["holder"], payload["index"]) + " "
        text += f"{payload['before']} -> {payload['after']}"
    else:
        text += f"{name:<20} {_describe_payload(kernel, name, record)}"
    return text + (f" stack {record.stack}" if record.stack else "")


def _page_kind_of(kernel, record):
    """Kind and order of a page event: flags are (page kind << 4 | order), says kernel/include/kernel/events.def."""
    kind, order = record.flags >> 4, record.flags & 15
    return pages_of(kernel).kind_label(kind) + (f" order {order}" if order else "")


def _describe_payload(kernel, name, record):
    parts = []
    if name == "mark":
        parts.append("end" if record.kind else "begin")
    if name == "finding":
        parts.append(kernel.layout.enum_label("verdict", "VERDICT_", record.kind).upper())
    for field, value in record.payload.items():
        if isinstance(value, bytes):
            text = value.split(b"\0")[0].decode("ascii", "replace")
            parts.append(f'{field} "{text}"')
        elif field not in ("zero",):
            parts.append(f"{field} {value:#x}" if field in ("obj", "where", "index") else f"{field} {value}")
    return " ".join(parts)


def print_losses(trace):
    lost = sum(trace.lost.values())
    if lost:
        print(f"{plural(lost, 'event')} discarded since boot: the picture may have holes")


class PageHistory(Command):
    """Print every event of a page that is still in the rings: page-history [-s] ADDRESS|PFN

Oldest first: seconds since power-on (as `pagetrail dump` has them), hart, pid, event, reference or kind with its
holder, count before and after, stack id. -s prints each event's call stack as well. Older events than the rings hold
are in the run folder (`pagetrail page`)."""

    name = "page-history"
    completes = "expression"

    def run(self, kernel, arguments, findings):
        from .owner import find_page
        stacks = "-s" in arguments
        arguments = [argument for argument in arguments if argument != "-s"]
        expect(arguments, 1, 2, "page-history [-s] ADDRESS|PFN [PID]")
        page = find_page(kernel, arguments, findings)
        trace, depot = trace_of(kernel, findings), Depot(kernel)
        records = trace.of_page({page.pfn, pages_of(kernel).head(page).pfn})
        print_losses(trace)
        for record in records:
            print(describe_record(trace, record))
            if stacks:
                print_stack(kernel, depot.frames(record.stack), " " * 13)
        print(f"{plural(len(records), 'event')} of pfn {page.pfn:#x} in the rings")


class TraceDump(Command):
    """Print the newest events in the rings: trace-dump [-s] [COUNT] [HART]

COUNT events (without it, `show pagetrail events`) over all harts in order of time, or of one HART. -s prints call stacks."""

    name = "trace-dump"

    def run(self, kernel, arguments, findings):
        stacks = "-s" in arguments
        arguments = [argument for argument in arguments if argument != "-s"]
        expect(arguments, 0, 2, "trace-dump [-s] [COUNT] [HART]")
        nr = parse_count(arguments[0], "count") if arguments else limit("events") or sys.maxsize
        hart = parse_count(arguments[1], "hart") if len(arguments) == 2 else None
        trace, depot = trace_of(kernel, findings), Depot(kernel)
        if hart is not None and hart not in trace.lost:
            raise CommandError(f"hart {hart} has no ring")
        print_losses(trace)
        for record in trace.newest(nr, hart):
            print(describe_record(trace, record))
            if stacks:
                print_stack(kernel, depot.frames(record.stack), " " * 13)
