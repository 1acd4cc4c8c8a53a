# SPDX-License-Identifier: MIT
"""What leaked, how audit and trace detect it, and which release is missing: on machines whose leaks are known."""
import re

import pytest
import tracegen
from harness.tool import CANNOT_TELL, LEAKED, OK


class Kernel:
    """A machine with the stacks of fixture.c: reads and writes files, forks, writes back."""

    def __init__(self, sites, harts=1):
        self.machine = tracegen.Machine(harts=harts)
        self.sites = sites
        self.machine.sample()

    def stack(self, *names):
        return tuple(self.sites[n] for n in names) + (self.sites["upcall_syscall"],)

    def begin(self, pid, name="test"):
        self.machine.pid = pid
        self.machine.task("task_fork", pid=pid, mm=pid, value=1, name=name)
        self.machine.task("mm_create", pid=pid, mm=pid)

    def end(self, pid):
        self.machine.task("mm_drop", pid=pid, mm=pid)
        self.machine.task("task_exit", pid=pid)
        self.machine.task("task_reaped", pid=pid)

    def write_page(self, inode, index):
        """A healthy write: the IO reference comes back."""
        machine, pid = self.machine, self.machine.pid
        page = machine.alloc("PAGECACHE", "CACHE", (inode, index), self.stack("lookup", "ext2_file_write", "sys_write"))
        machine.get(page, "IO", (pid, index), self.stack("lookup", "ext2_file_write", "sys_write"))
        machine.put(page, "IO", (pid, index), self.stack("pagecache_release", "ext2_file_write", "sys_write"))
        return page

    def read_page(self, page, index, forget=False):
        machine, pid = self.machine, self.machine.pid
        machine.get(page, "IO", (pid, index), self.stack("lookup", "inode_read_cached", "sys_read"))
        if not forget:
            machine.put(page, "IO", (pid, index), self.stack("pagecache_release", "inode_read_cached", "sys_read"))

    def dirty(self, page, inode, index):
        record = self.machine.obj_alloc("dirty", (inode, index), self.stack("record_alloc", "ext2_file_write", "sys_write"))
        self.machine.get(page, "DIRTY", (inode, index), self.stack("record_alloc", "ext2_file_write", "sys_write"))
        return record

    def clean(self, page, inode, index, record, forget=False):
        writer = "write_record" if forget else "record_free"
        self.machine.put(page, "DIRTY", (inode, index), self.stack(writer))
        if not forget:
            self.machine.obj_free("dirty", record, (inode, index), self.stack("record_free"))

    def drop(self, page, inode, index):
        self.machine.put(page, "CACHE", (inode, index), self.stack("pagecache_drop"))


@pytest.fixture
def kernel(sites):
    return Kernel(sites)


@pytest.fixture
def leaks(pagetrail, write):
    """leaks(kernel_or_machine): the parsed report, its status and its text."""
    def leaks(what, *options, **more):
        run = write(getattr(what, "machine", what), **more)
        result = pagetrail("leaks", run, "--json", *options)
        text = pagetrail("leaks", run, *options)
        assert text.status == result.status
        return result.json(), result.status, text.out
    return leaks


def test_nothing_lost(kernel, leaks):
    kernel.begin(7)
    page = kernel.write_page(12, 0)
    kernel.read_page(page, 0)
    kernel.drop(page, 12, 0)
    kernel.end(7)
    kernel.machine.audit()
    report, status, text = leaks(kernel)
    assert status == OK and report["verdict"] == "no leaks"
    assert text.startswith("no leaks") and not report["groups"]


def fault_5(kernel, nr=10):
    """Reading takes a reference and never returns it; then the file is dropped and the reader ends."""
    kernel.machine.mark("write-read")
    kernel.begin(7, "reader")
    pages = [kernel.write_page(12, i) for i in range(nr)]
    for i, page in enumerate(pages):
        kernel.read_page(page, i, forget=True)
        kernel.drop(page, 12, i)
    kernel.end(7)
    kernel.machine.mark("write-read", end=True)
    return pages


def test_page_cache_reference_never_returned(kernel, leaks):
    pages = fault_5(kernel)
    kernel.machine.audit([{"verdict": "UNREACH", "page": p, "holder": (12, i)} for i, p in enumerate(pages)])
    report, status, text = leaks(kernel)
    assert status == LEAKED and report["pages"] == 10
    group, = report["groups"]
    assert (group["kind"], group["ref"], group["verdict"]) == ("pagecache", "io", "UNREACH")
    assert all(item["by_audit"] and item["by_trace"] for item in group["items"])
    missing = group["missing_release"]
    assert missing["how"] == "same-function" and missing["suspect"] == "inode_read_cached"
    assert missing["suspect_place"] == "kernel/fs/cached_io.c:20"
    assert (missing["getter"], missing["putter"]) == ("lookup", "pagecache_release")
    assert (missing["released"], missing["released_total"]) == (10, 10)
    for words in ("inode 12, page index 0-9", "io of pid 7 (reader)", "tests      write-read", "detected by: audit and trace (10 of 10)",
                  "suspect: inode_read_cached (kernel/fs/cached_io.c:20)",
                  "inode_read_cached() acquires a page-cache reference at kernel/fs/cached_io.c:20 and never releases it: 10 pages leaked\n"
                  "evidence: 10 of 10 other references acquired by lookup() were released by pagecache_release()\n"):
        assert words in text
    life = text[text.index("the oldest of them"):].splitlines()
    assert len(life) == 6 and f"page {pages[0].pfn:#x}" in life[0]
    assert [line.split()[1] for line in life[1:]] == ["page_alloc", "page_get", "page_put", "page_get", "page_put"]


def test_same_path_is_nearer_than_same_function(kernel, leaks):
    """Nine reads of ten return their reference: the missing act is what those did, and how many did."""
    kernel.begin(7)
    page = kernel.write_page(12, 0)
    for i in range(10):
        kernel.read_page(page, 0, forget=i == 4)
    kernel.end(7)
    report, status, _ = leaks(kernel)
    missing = report["groups"][0]["missing_release"]
    assert status == LEAKED and missing["how"] == "same-path"
    assert (missing["released"], missing["released_total"]) == (9, 9)
    assert missing["suspect"] == "inode_read_cached" and missing["put"][0]["function"] == "pagecache_release"


def fault_7(kernel, nr=20):
    """Write-back lets the page go and keeps the record."""
    kernel.begin(5, "writer")
    records = []
    for i in range(nr):
        page = kernel.write_page(12, i)
        records.append(kernel.dirty(page, 12, i))
        kernel.clean(page, 12, i, records[-1], forget=True)
        kernel.drop(page, 12, i)
    kernel.end(5)
    return records


def test_dirty_records_never_freed(kernel, leaks):
    records = fault_7(kernel)
    kernel.machine.audit([{"verdict": "OBJ", "obj": r, "holder": (12, i)} for i, r in enumerate(records)])
    report, status, text = leaks(kernel)
    assert status == LEAKED and (report["pages"], report["objects"]) == (0, 20)
    group, = report["groups"]
    missing = group["missing_release"]
    assert group["cache"] == "dirty" and group["allocated_by"] == "record_alloc"
    assert missing["how"] == "later-put" and (missing["later"], missing["later_total"]) == (20, 20)
    assert missing["suspect"] == "write_record" and missing["suspect_place"] == "kernel/fs/writeback.c:160"
    assert "No object of this type was ever freed in this run" in text and "20 objects of cache dirty" in text


def test_companion_tells_more_than_the_healthy_ones(kernel, leaks):
    """Some records are freed elsewhere (truncation); the lost ones still point at write-back."""
    records = fault_7(kernel, 5)
    for i in range(3):
        page = kernel.write_page(13, i)
        kernel.clean(page, 13, i, kernel.dirty(page, 13, i))
        kernel.drop(page, 13, i)
    kernel.machine.audit([{"verdict": "OBJ", "obj": r, "holder": (12, i)} for i, r in enumerate(records)])
    missing = leaks(kernel)[0]["groups"][0]["missing_release"]
    assert missing["how"] == "later-put" and missing["suspect"] == "write_record"
    assert (missing["released"], missing["putter"]) == (3, "record_free")


def test_companion_comes_after_the_object(kernel, leaks):
    """What happened to the page of the same file and index before the record was made is another story."""
    page = kernel.write_page(12, 0)
    kernel.clean(page, 12, 0, kernel.dirty(page, 12, 0))
    kernel.drop(page, 12, 0)
    record, = fault_7(kernel, 1)
    kernel.machine.audit([{"verdict": "OBJ", "obj": record, "holder": (12, 0)}])
    assert leaks(kernel)[0]["groups"][0]["missing_release"]["suspect"] == "write_record"


def test_two_acts_that_share_a_helper_do_not_meet_in_it(kernel, leaks):
    """fork takes and exit returns, both through one walker: the walker is no suspect."""
    kernel.begin(7)
    for i in range(3):
        page = kernel.machine.alloc("ANON", "PTE", (7, i), kernel.stack("mm_fork", "behind_it", "sys_write"))
        if i:
            kernel.machine.put(page, "PTE", (7, i), kernel.stack("mm_destroy", "behind_it", "sys_read"))
    kernel.end(7)
    missing = leaks(kernel)[0]["groups"][0]["missing_release"]
    assert (missing["how"], missing["suspect"], missing["confidence"]) == ("same-path", "mm_destroy", "likely")
    assert missing["rule"] == "one-releaser" and missing["put"][0]["function"] == missing["putter"] == "mm_destroy"


def test_baseline_names_who_did_it_there(kernel, sites, leaks, write):
    """In the healthy run the records are freed; addresses differ, functions are the same."""
    healthy = Kernel(sites)
    healthy.machine.stack(0x80200123)  # other ids
    healthy.begin(5)
    page = healthy.write_page(40, 0)
    healthy.clean(page, 40, 0, healthy.dirty(page, 40, 0))
    healthy.drop(page, 40, 0)
    healthy.end(5)
    healthy.machine.audit()
    baseline = write(healthy.machine, "baseline")
    records = fault_7(kernel)
    kernel.machine.audit([{"verdict": "OBJ", "obj": r, "holder": (12, i)} for i, r in enumerate(records)])
    report, _, text = leaks(kernel, "--baseline", baseline)
    missing = report["groups"][0]["missing_release"]
    assert (missing["baseline"], missing["baseline_total"]) == (1, 1)
    assert missing["baseline_put"][0]["function"] == "record_free"
    assert "In the baseline run 1 of 1 were freed here" in text


def test_nobody_ever_did_it_so_nobody_is_named(kernel, leaks):
    """Tables that no address space ever gives back: mm_drop's own stack is shown, and is too little to name anyone."""
    for pid in (7, 8, 9):
        kernel.begin(pid)
        lost_table(kernel, pid)
        kernel.machine.emit("mm_drop", pid=pid, mm=pid, stack=kernel.stack("mm_destroy"))
    report, status, text = leaks(kernel)
    missing = report["groups"][0]["missing_release"]
    assert status == LEAKED and missing["how"] == "holder-end"
    assert (missing["suspect"], missing["confidence"]) == (None, "none")
    assert missing["holder_end"][0]["function"] == "mm_destroy" and "suspect:" not in text
    assert "The holder ended here, and the" in text


def test_place_given_to_another_page(kernel, leaks):
    """A copy-on-write break puts its copy in the entry and lowers the count of the old page by hand."""
    kernel.begin(7)
    old = [kernel.machine.alloc("ANON", "PTE", (7, i), kernel.stack("mm_fork")) for i in range(4)]
    for i in range(3):
        kernel.machine.alloc("ANON", "PTE", (7, i), kernel.stack("record_alloc", "mm_fork"))
    kernel.machine.audit([{"verdict": "ORPHAN", "page": p, "count": 0} for p in old[:3]])
    report, status, text = leaks(kernel)
    group = next(g for g in report["groups"] if g["verdict"] == "ORPHAN")
    missing = group["missing_release"]
    assert status == LEAKED and missing["how"] == "place-reused"
    assert (missing["later"], missing["later_total"]) == (3, 3)
    assert (missing["suspect"], missing["later_put"][0]["function"]) == (None, "record_alloc")
    assert "in memory it is 0: it was lowered without releasing a reference" in text


def test_returned_elsewhere_later(kernel, leaks):
    """What another act returns (dropping the file), and nothing else does: that act is named."""
    kernel.machine.emit("inode_load", inode=12, links=1)
    kernel.begin(7)
    pages = [kernel.write_page(12, i) for i in range(256)]
    for i, page in enumerate(pages):
        if i % 64 != 63:
            kernel.drop(page, 12, i)
    kernel.machine.emit("inode_evict", inode=12)
    report, _, text = leaks(kernel)
    missing = report["groups"][0]["missing_release"]
    assert (missing["how"], missing["released"], missing["putter"]) == ("same-path", 252, "pagecache_drop")
    assert (missing["rule"], missing["suspect"]) == ("one-releaser", "pagecache_drop")
    assert "page index 63, 127, 191, 255 (each is 63 modulo 64)" in text


def test_no_verdict_over_a_panic(kernel, leaks):
    kernel.begin(7)
    kernel.machine.emit("panic", name="the reason")
    report, status, text = leaks(kernel)
    assert status == CANNOT_TELL and report["panic"] == "the reason"
    assert text.startswith("PANIC: the kernel panicked: the reason") and "no leaks" not in text


def test_panic_text_is_put_together(kernel, leaks, write, pagetrail):
    """It fills whole parts, and its last one in part."""
    said = "asked for by pid 5, about page 0x80471 of kind debug, count 1"
    kernel.begin(7)
    for part in range(0, len(said), 16):
        kernel.machine.emit("panic", kind=part // 16, name=said[part:part + 16])
    assert leaks(kernel)[0]["panic"] == said
    dumped = pagetrail("dump", write(kernel.machine, "again"), "--event", "panic").out
    assert re.fullmatch(rf"[\d.]+ hart\d panic {re.escape(said)}\n", dumped), dumped


def test_one_suspect_in_several_ways_is_one_thing_to_mend(kernel, leaks):
    """The sum first; of the second way what differs, and all of it with --all."""
    pages = fault_5(kernel)
    kernel.begin(8, "mapper")
    page = kernel.write_page(13, 0)
    kernel.machine.get(page, "IO", (8, 0), kernel.stack("lookup", "inode_read_cached", "behind_it", "sys_read"))
    kernel.drop(page, 13, 0)
    kernel.end(8)
    kernel.machine.audit([{"verdict": "UNREACH", "page": p, "holder": (12, i)} for i, p in enumerate(pages)]
                         + [{"verdict": "UNREACH", "page": page, "holder": (13, 0)}])
    report, _, text = leaks(kernel)
    assert [group["missing_release"]["suspect"] for group in report["groups"]] == ["inode_read_cached"] * 2
    head, first, second = re.split(r"^\[[12]\] ", text, flags=re.M)
    assert "never releases it: 11 pages leaked, in 2 ways\nevidence: " in head and "\nplace: kernel/fs/cached_io.c:20\n" in head
    assert head.endswith("\ninode_read_cached(): 11 pages leaked, in 2 ways\n\n")
    assert first.startswith("10 pagecache pages leaked (40.0 KiB)\n  verdict ") and "  missing release\n" in first
    assert second.startswith("1 pagecache page leaked (4.0 KiB)\n") and "unmatched get by lookup\n" in second
    assert "missing release" not in second and "verdict" not in second and "(mapper)" in second
    assert leaks(kernel, "--all", name="all")[2].count("  missing release\n") == 2


def test_without_a_suspect_the_place_is_where_it_was_acquired(kernel, leaks):
    kernel.begin(7)
    kernel.machine.alloc("DEBUG", "OWNER", (7, 0), kernel.stack("mm_fork"))
    kernel.end(7)
    text = leaks(kernel)[2]
    assert re.search(r"^mm_fork\(\) allocates a debug page and nothing frees it: 1 page leaked\nevidence: none to compare with: .*\n"
                     r"place: kernel/\S+\.c:\d+, where it was acquired; no suspect is named$", text, re.M), text


def test_many_groups_are_told_briefly(kernel, leaks):
    kernel.begin(7)
    for i in range(12):
        kernel.machine.alloc("DEBUG", "OWNER", (7, i), (kernel.sites["mm_fork"], 0x80200000 + 4 * i))
    kernel.end(7)
    assert "4 more groups (--all prints them in full)" in leaks(kernel)[2]
    assert ": 1 debug page leaked" in leaks(kernel, "--all", name="all")[2]


# ---- the trace by itself ----

def lost_pte(k):
    k.machine.alloc("ANON", "PTE", (7, 100), k.stack("mm_fork"))


def lost_table(k, mm=7):
    k.machine.alloc("PAGETABLE", "TABLE", (mm, 2 << 27), k.stack("mm_fork"))


def lost_kstack(k):
    k.machine.alloc("KSTACK", "KSTACK", (7, 0), k.stack("kstack_alloc"))


def lost_owner(k):
    k.machine.alloc("DEBUG", "OWNER", (7, 0), k.stack("sys_read"))


def lost_block(k):
    k.machine.alloc("KERNEL", "OWNER", (7, 0), k.stack("sys_read"), order=2)


@pytest.mark.parametrize("lose,pages,kind", [(lost_pte, 1, "anon"), (lost_table, 1, "pagetable"),
                                             (lost_kstack, 1, "kstack"), (lost_owner, 1, "debug"),
                                             (lost_block, 4, "kernel")])
@pytest.mark.parametrize("holder_ends", [True, False])
def test_reference_of_a_dead_holder(kernel, leaks, lose, pages, kind, holder_ends):
    kernel.begin(7)
    lose(kernel)
    if holder_ends:
        kernel.end(7)
    kernel.begin(8)
    report, status, _ = leaks(kernel)
    assert status == (LEAKED if holder_ends else CANNOT_TELL)
    assert [(g["kind"], g["pages"]) for g in report["groups"]] == ([(kind, pages)] if holder_ends else [])


def test_a_number_used_again_is_another_holder(kernel, leaks):
    """Address space 7 dies; a new one gets the number; only the page of the old one is lost."""
    kernel.begin(7)
    old = kernel.machine.alloc("ANON", "PTE", (7, 1), kernel.stack("mm_fork"))
    kernel.end(7)
    kernel.begin(7)
    kernel.machine.alloc("ANON", "PTE", (7, 1), kernel.stack("mm_fork"))
    report, _, _ = leaks(kernel)
    assert [item["pfn"] for g in report["groups"] for item in g["items"]] == [old.pfn]


def test_a_process_number_used_again(kernel, leaks):
    """Process 7 is reaped; a new one with its number has a stack."""
    kernel.begin(7)
    kernel.end(7)
    kernel.begin(7)
    lost_kstack(kernel)
    kernel.machine.audit()
    assert leaks(kernel)[1] == OK


def test_put_recorded_before_its_get_is_a_healthy_life(sites, leaks):
    """Two harts; the put of each pair stands before its get by a tick, and still counts as the one that settled it."""
    kernel = Kernel(sites, harts=2)
    machine = kernel.machine
    kernel.begin(7)
    page = kernel.write_page(12, 0)
    for i in range(30):
        time = machine.time
        machine.hart, machine.time = 0, time + 20
        machine.get(page, "IO", (7, i), kernel.stack("lookup", "inode_read_cached", "sys_read"))
        machine.hart, machine.time = 1, time + 19
        machine.put(page, "IO", (7, i), kernel.stack("pagecache_release", "inode_read_cached", "sys_read"))
        machine.time = time + 100
    machine.hart = 0
    machine.get(page, "IO", (7, 99), kernel.stack("lookup", "inode_read_cached", "sys_read"))
    kernel.end(7)
    missing = leaks(kernel)[0]["groups"][0]["missing_release"]
    assert (missing["how"], missing["released"], missing["released_total"]) == ("same-path", 30, 30)


def test_cache_page_of_an_evicted_inode(kernel, leaks):
    kernel.machine.emit("inode_load", inode=12, links=1)
    kernel.begin(7)
    page = kernel.write_page(12, 3)
    kernel.machine.emit("inode_evict", inode=12)
    report, status, _ = leaks(kernel)
    assert status == LEAKED and report["groups"][0]["items"][0]["pfn"] == page.pfn
    assert report["groups"][0]["ref"] == "cache"


def test_transient_reference_open_at_a_quiet_audit(kernel, leaks):
    """The holder lives, but a quiet audit means that nobody copies now."""
    kernel.begin(7)
    page = kernel.write_page(12, 0)
    kernel.read_page(page, 0, forget=True)
    kernel.machine.audit([{"verdict": "OVER", "page": page, "holder": (12, 0), "count": 2, "claims": 1}])
    report, status, text = leaks(kernel)
    item = report["groups"][0]["items"][0]
    assert status == LEAKED and item["by_trace"] and report["groups"][0]["ref"] == "io"
    assert report["groups"][0]["verdict"] == "OVER"


def test_page_whose_count_is_zero_yet_not_free(kernel, leaks):
    kernel.begin(7)
    page = kernel.machine.alloc("ANON", "PTE", (7, 0), kernel.stack("mm_fork"))
    kernel.machine.page_event("page_put", page, "PTE", (7, 0), 1, 0, kernel.stack("mm_destroy"))
    kernel.machine.audit([{"verdict": "ORPHAN", "page": page, "count": 0}])
    report, status, text = leaks(kernel)
    assert status == LEAKED and report["groups"][0]["verdict"] == "ORPHAN"
    assert report["groups"][0]["items"][0]["by_trace"]
    assert "the count is 0, and the page was never freed" in text


# ---- when the judges differ ----

def test_audit_alone_while_the_holder_lives(kernel, leaks):
    kernel.begin(7)
    page = kernel.machine.alloc("DEBUG", "OWNER", (7, 0), kernel.stack("sys_read"))
    kernel.machine.audit([{"verdict": "UNREACH", "page": page}])
    report, status, text = leaks(kernel)
    assert status == LEAKED and not report["groups"][0]["items"][0]["by_trace"]
    assert "detected by: audit only: the holder is alive, so the trace cannot tell (1 of 1)" in text


def test_trace_alone_when_the_audit_is_silent(kernel, leaks):
    kernel.begin(7)
    lost_pte(kernel)
    kernel.end(7)
    kernel.machine.audit()
    report, status, text = leaks(kernel)
    assert status == LEAKED and "THE AUDIT CHECKED IT AND DID NOT REPORT IT" in text


def test_what_happens_after_the_last_audit_is_said(kernel, leaks):
    kernel.begin(7)
    kernel.machine.audit()
    lost_pte(kernel)
    kernel.end(7)
    assert "it happened after the audit" in leaks(kernel)[2]


def test_audit_that_counts_more_than_it_lists(kernel, leaks):
    pages = fault_5(kernel, 10)
    machine = kernel.machine
    for i, page in enumerate(pages[:4]):
        machine.finding("UNREACH", page=page, holder=(12, i))
    machine.emit("audit_done", pages=10, findings=10, quiet=1)
    report, _, text = leaks(kernel)
    assert report["pages"] == 10 and report["unlisted_findings"] == 6
    assert "audit and trace (4 of 10)" in text and "the audit counted as many without listing them (6 of 10)" in text


def test_the_last_quiet_audit_decides(kernel, leaks):
    """An early finding that later audits do not repeat was no loss."""
    kernel.begin(7)
    page = kernel.machine.alloc("DEBUG", "OWNER", (7, 0), kernel.stack("sys_read"))
    kernel.machine.audit([{"verdict": "UNREACH", "page": page}])
    kernel.machine.put(page, "OWNER", (7, 0), kernel.stack("sys_read"))
    kernel.machine.audit()
    assert leaks(kernel)[1] == OK


def test_an_audit_that_was_not_quiet_is_not_final(kernel, leaks):
    kernel.begin(7)
    page = kernel.machine.alloc("DEBUG", "OWNER", (7, 0), kernel.stack("sys_read"))
    kernel.machine.audit([{"verdict": "UNREACH", "page": page}], quiet=False)
    report, status, text = leaks(kernel)
    assert status == CANNOT_TELL and "not final" in text and text.startswith("POSSIBLY LEAKED: 1 page,") and "not certain: " in text


def test_what_the_trace_disproves_of_such_an_audit_is_dropped(kernel, leaks):
    """A page and an object that it found and that were freed later, and a page that was freed and taken again."""
    kernel.begin(7)
    machine = kernel.machine
    freed, again = (machine.alloc("DEBUG", "OWNER", (7, i), kernel.stack("sys_read")) for i in range(2))
    obj = machine.obj_alloc("file", stack=kernel.stack("sys_read"))
    machine.audit([{"verdict": "UNREACH", "page": freed}, {"verdict": "UNREACH", "page": again}, {"verdict": "OBJ", "obj": obj}],
                  quiet=False)
    for page, index in (again, 1), (freed, 0):
        machine.put(page, "OWNER", (7, index), kernel.stack("sys_read"))
    machine.obj_free("file", obj, stack=kernel.stack("sys_read"))
    machine.free_pfns.append(machine.free_pfns.pop(machine.free_pfns.index(again.pfn)))
    machine.alloc("DEBUG", "OWNER", (7, 1), kernel.stack("sys_read"))
    report, status, text = leaks(kernel)
    assert (status, report["groups"], report["disproved_findings"]) == (CANNOT_TELL, [], 3)
    assert "LEAKED" not in text and "3 of its findings are not leaks" in text and "no conclusive audit" in text
    machine.streams[0].discard(1)
    report, status, _ = leaks(kernel, name="lossy")
    assert (status, report["disproved_findings"]) == (CANNOT_TELL, 0) and report["groups"], "over losses nothing is disproved"


def test_without_an_audit_nothing_is_said_to_be_whole(kernel, leaks):
    kernel.begin(7)
    report, status, text = leaks(kernel)
    assert status == CANNOT_TELL and report["uncertain"] == "there was no audit" and "there was no audit" in text


def test_a_machine_that_was_ended_has_no_verdict(kernel, pagetrail, write):
    kernel.machine.audit()
    done = pagetrail("leaks", write(kernel.machine, end="killed"))
    assert done.status == CANNOT_TELL and "the machine was stopped before its end" in done.out


# ---- losses, other findings ----

def test_no_verdict_over_losses(kernel, leaks):
    kernel.begin(7)
    kernel.end(7)
    kernel.machine.audit()
    kernel.machine.streams[0].discard(3)
    report, status, text = leaks(kernel)
    assert status == CANNOT_TELL and text.startswith("LOSS: 3 events were discarded")
    assert "no leaks" not in text and "not certain: events are missing" in text


def test_over_losses_the_trace_alone_is_not_believed_but_the_audit_is(kernel, leaks):
    kernel.begin(7)
    lost_pte(kernel)
    kernel.end(7)
    kernel.machine.streams[0].discard(1)
    assert leaks(kernel)[1] == CANNOT_TELL
    kernel.machine.audit([{"verdict": "UNREACH", "page": next(iter(kernel.machine.pages.values()))}])
    assert leaks(kernel, name="audited")[1] == LEAKED


def test_findings_that_are_no_losses_fail_too(kernel, leaks):
    kernel.begin(7)
    page = kernel.machine.alloc("ANON", "PTE", (7, 0), kernel.stack("mm_fork"))
    kernel.machine.audit([{"verdict": "POISON", "page": page, "stack": kernel.stack("mm_destroy")}])
    kernel.machine.audit([{"verdict": "POISON", "page": page, "stack": kernel.stack("mm_destroy")}])
    report, status, text = leaks(kernel)
    assert status == LEAKED and report["other_findings"] == 1 and not report["groups"]
    assert "POISON" in text and "mm_destroy" in text


def test_parked_pages_are_no_finding(kernel, leaks):
    kernel.begin(7)
    page = kernel.machine.alloc("ANON", "PTE", (7, 0), kernel.stack("mm_fork"))
    kernel.machine.audit([{"verdict": "PARKED", "page": page}])
    assert leaks(kernel)[1] == OK


def test_table_of_tests(kernel, pagetrail, write):
    machine = kernel.machine
    for name, lose in (("good", False), ("bad", True)):
        machine.mark(name)
        page = machine.alloc("ANON", "PTE", (7, 0))
        cached = machine.alloc("PAGECACHE", "CACHE", (3, 0))
        if not lose:
            machine.put(page, "PTE", (7, 0))
        machine.mark(name, end=True)
        machine.put(cached, "CACHE", (3, 0))  # dropped between the test and its audit
        machine.audit([{"verdict": "UNREACH", "page": page}] if lose else [])
    run = write(machine)
    tests = pagetrail("summary", run, "--json").json()["tests"]
    assert [(t["name"], t["free_before"] - t["free_after"], t["findings"]) for t in tests] == [
        ("good", 0, 0), ("bad", 1, 1)]
    text = pagetrail("summary", run, "--tests").out
    assert "2 tests, 1 page leaked, 1 finding" in text


def test_findings_of_a_test_are_its_own(kernel, pagetrail, write, tmp_path):
    """An audit finds what leaked in earlier tests, too: a test that leaks nothing is not marked for it."""
    machine, lost = kernel.machine, []
    for name, nr in (("two", 2), ("calm", 0), ("one", 1)):
        machine.mark(name)
        lost += [machine.alloc("ANON", "PTE", (7, 0)) for _ in range(nr)]
        machine.mark(name, end=True)
        machine.audit([{"verdict": "UNREACH", "page": page} for page in lost])
    run = write(machine)
    text = pagetrail("summary", run, "--tests").out
    audits = dict(re.findall(r"^(\w+) +\d+ +\d+ +\d+  ([a-z0-9 ]+?)  ", text, re.M))
    assert audits == {"two": "2 findings", "calm": "none of its own", "one": "1 finding"} and "3 tests, 3 pages leaked, 3 findings" in text, text
    pagetrail("report", run, "-o", tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert re.findall(r'<span( class="bad")?>(2 findings|none of its own|1 finding)</span>', page) == [
        (' class="bad"', "2 findings"), (' class="bad"', "1 finding"), ("", "none of its own")]
    assert "1 test without leaks" in page and '"none of its own"' in page
