# SPDX-License-Identifier: MIT
"""The files are CTF 1.8: stock babeltrace2 reads every event, names and all, and counts as we do."""
import random

import pagetrail_tables as tables
import tracegen
from harness.tool import CANNOT_TELL, babeltrace, summary_total


def busy_machine(seed, harts=2, acts=400):
    """A machine that does a bit of everything."""
    rng = random.Random(seed)
    machine = tracegen.Machine(harts=harts)
    live, objects = [], []
    machine.sample()
    for i in range(acts):
        machine.hart = rng.randrange(harts)
        machine.pid = rng.randrange(1, 9)
        stack = (0x80200000 + 4 * rng.randrange(1, 30), 0x80201000)
        act = rng.randrange(5)
        if act == 0 or not live:
            holder = (rng.randrange(1, 5), i)
            page = machine.alloc(rng.choice(["ANON", "PAGECACHE", "SLAB"]), "PTE", holder, stack, rng.choice([0, 0, 1, 3]))
            live.append((page, [("PTE", holder)]))
        elif act == 1:
            page, refs = rng.choice(live)
            refs.append(("IO", (machine.pid, i)))
            machine.get(page, *refs[-1], stack)
        elif act in (2, 3):
            at = rng.randrange(len(live))
            page, refs = live[at]
            machine.put(page, *refs.pop(rng.randrange(len(refs))), stack)
            if not refs:
                live.pop(at)
        elif rng.random() < 0.6 or not objects:
            objects.append(machine.obj_alloc("dirty", (3, i), stack))
        else:
            machine.obj_free("dirty", objects.pop(rng.randrange(len(objects))), stack=stack)
    return machine, live, objects


def test_babeltrace_reads_all_and_counts_as_summary(pagetrail, write):
    machine, _, _ = busy_machine(1, harts=3, acts=2000)
    run = write(machine)
    lines = babeltrace(run)
    assert len(lines) == machine.nr_events + len(machine.stacks)
    assert summary_total(pagetrail("summary", run)) == len(lines)


def test_other_parts_of_a_run_do_not_disturb_babeltrace(write):
    """The ELF, logs, pictures and JSON stand beside the trace; a log that looks like dmesg is no trace."""
    machine, _, _ = busy_machine(2, acts=50)
    run = write(machine)
    (run / "logs").mkdir()
    (run / "logs/console.log").write_text("[    0.000000] looks like dmesg\n[    1.000000] it is not\n")
    (run / "run.json").write_text('{"format": 1}\n')
    (run / "free-pages.svg").write_text("<svg/>\n")
    (run / "ram").write_bytes(bytes(8192))
    assert len(babeltrace(run)) == machine.nr_events + len(machine.stacks)


def test_every_event_and_field_is_named(write):
    """One record of every event; babeltrace2 prints each field by name with the value that was written."""
    machine = tracegen.Machine()
    values = {}
    for event, (number, layout) in tables.EVENTS.items():
        fmt, names = tables.LAYOUTS[layout]
        fields = {}
        for i, name in enumerate(names):
            fields[name] = f"txt{number}" if name == "name" else 100 * number % 60000 + i
        values[event] = fields
        machine.emit(event, kind=1, flags=0x51 if layout == "page" else 1, stack=(0x80200010 + number,), **fields)
    lines = babeltrace(write(machine))
    for event, fields in values.items():
        line = next(x for x in lines if f" {event}: " in x)
        for name, value in fields.items():
            assert f'{name} = "{value}"' in line if isinstance(value, str) else f"{name} = {value}" in line, line


def test_enums_have_names(write):
    machine = tracegen.Machine()
    page = machine.alloc("PAGECACHE", "IO", (7, 0), order=2)
    machine.finding("UNREACH", page=page)
    machine.finding("OBJ", obj=5)
    machine.mark("x", end=True)
    text = "\n".join(babeltrace(write(machine)))
    for name, value in (("pagecache", 6), ("io", 5), ("UNREACH", 4), ("OBJ", 5), ("end", 1), ("object", 1)):
        assert f'( "{name}" : container = {value} )' in text
    assert "order = 2" in text


def test_discards_and_overwrites_are_told(pagetrail, write):
    """babeltrace2 warns of both kinds of loss on stderr; summary says the same numbers."""
    machine, _, _ = busy_machine(3, harts=1, acts=1000)
    machine.streams[0].discard(17)
    machine.sample()
    run = write(machine, first_packet=2)
    result = pagetrail("summary", run)
    assert result.status == CANNOT_TELL
    assert "17 events were discarded" in result.out and "the beginning is missing" in result.out
    assert "(replay, not exact over losses)" in result.out and "(replay)" not in result.out


def test_metadata_is_generated_from_the_kernels_tables(metadata):
    text = metadata.read_text()
    for event, (number, _) in tables.EVENTS.items():
        assert f'name = "{event}";\n\tid = {number};' in text
