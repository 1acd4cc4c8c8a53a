# SPDX-License-Identifier: MIT
"""Runs in which all pointers were followed: what has none left beside audit and trace, and where the last one died."""
import json
import zlib

import pytest
from harness.tool import CANNOT_TELL, LEAKED, OK
from test_leaks import fault_5, kernel  # noqa: F401  (a fixture among them)


def leak_points(lives, head="lost of 100\n", lost_at=0xffffffc080200000):
    """What the plugin writes at the end of a run in which all pointers were followed: these have none left."""
    text = head
    for kind, base, pfn, size in lives:
        text += (f"life {kind} {base:#x} bytes {size} pfn {pfn:#x} ref 0 holder 0 nth 1 heap 0 outside 0 frames 0 kept 5\nborn\n"
                 f"frame popped {lost_at:#x} where 0 when 9 stack {lost_at:#x}\n")
    return text + f"end {len(lives)} blind 0\n"


def reference_life(page):
    return "reference", 0xffffffc000000000 + page.pfn * 4096, page.pfn, 4096


def page_life(page):
    return "page", 0xffffffc000000000 + page.pfn * 4096, page.pfn, 4096


@pytest.fixture
def followed(pagetrail, write):
    """followed(kernel, lives): the report and the status of the same machine, its pointers followed."""
    def followed(kernel, lives):
        run = write(kernel.machine, name=f"followed-{len(lives)}")
        (run / "icount").mkdir()
        (run / "icount/leak-points").write_text(leak_points(lives))
        result, text = pagetrail("leaks", run, "--json"), pagetrail("leaks", run)
        assert result.status == text.status
        return result.json(), result.status, text.out
    return followed


def test_no_pointer_left_is_a_third_detector(kernel, followed):
    pages = fault_5(kernel)
    kernel.machine.audit([{"verdict": "UNREACH", "page": p, "holder": (12, i)} for i, p in enumerate(pages)])
    report, status, text = followed(kernel, [page_life(page) for page in pages[:6]])
    group, = report["groups"]
    assert status == LEAKED and sum(item["by_pointers"] for item in group["items"]) == 6
    assert "none is left to 6 of the 10 that leaked" in text
    assert "detected by: audit 10, trace 10, pointers 6 of 10" in text


def test_no_pointer_left_where_nobody_audited(kernel, followed):
    """A page that lives, whose holder does: neither audit nor trace say anything of it."""
    kernel.begin(7)
    lost, kept = kernel.write_page(12, 0), kernel.write_page(12, 1)
    report, status, text = followed(kernel, [page_life(lost)])
    group, = report["groups"]
    item, = group["items"]
    assert status == LEAKED and item["pfn"] == lost.pfn != kept.pfn
    assert (item["by_audit"], item["by_trace"], item["by_pointers"]) == (False, False, True)
    assert item["detected_by"].startswith("pointers only") and "detected by: pointers only" in text


def test_no_pointer_left_against_the_audit(kernel, followed):
    """A conclusive audit reached it: one of the two is wrong, and that is no leak for certain, nor none."""
    kernel.begin(7)
    page = kernel.write_page(12, 0)
    kernel.machine.audit()
    report, status, text = followed(kernel, [page_life(page)])
    assert status == CANNOT_TELL and report["groups"][0]["items"][0]["by_pointers"]
    assert "no pointer is left to what the audit did not report" in text
    report, status, text = followed(kernel, [])
    assert status == OK and "none is left to 0 of the 0 that leaked" in text


@pytest.mark.parametrize("spoil", [
    lambda text: "lost of 5\nlife page",
    lambda text: text.replace("blind 0", "blind 7"),
    lambda text: text.replace("life page", "life banana"),
    lambda text: text.replace("frame popped", "frame vanished"),
    lambda text: text.replace("lost of 100", "lost of -1"),
    lambda text: text.replace("end 1", "end 2"),
])
def test_leak_points_that_cannot_be_believed(kernel, pagetrail, write, spoil):
    """Nothing of them is: no page of theirs is an item, and nothing says that all were followed."""
    kernel.begin(7)
    page = kernel.write_page(12, 0)
    kernel.machine.audit()
    run = write(kernel.machine)
    (run / "leak-points").write_text(spoil(leak_points([page_life(page)])))
    done = pagetrail("leaks", run)
    assert done.status == CANNOT_TELL and ("leak-points" in done.err or "nothing can be followed" in done.err), done.out + done.err
    assert "were followed" not in done.out and pagetrail("leaks", run, "--json").json()["groups"] == []


def test_leak_points_of_another_machine(kernel, pagetrail, write):
    """run.json knows by its checksum what the plugin of this run wrote."""
    kernel.begin(7)
    page = kernel.write_page(12, 0)
    kernel.machine.audit()
    run, text = write(kernel.machine), leak_points([page_life(page)]).encode()
    (run / "icount").mkdir()
    about = json.loads((run / "run.json").read_text())
    about["manifest"]["leak_points"] = {"bytes": len(text), "crc32": zlib.crc32(text)}
    (run / "run.json").write_text(json.dumps(about))
    for there, believed in ((text, True), (text.replace(b"when 9", b"when 8"), False)):
        (run / "icount/leak-points").write_bytes(there)
        done = pagetrail("leaks", run)
        assert done.status == CANNOT_TELL and ("were followed" in done.out) == believed, done.out + done.err
        assert ("not the file of the machine that ran" in done.err) != believed, done.err


def test_where_the_last_pointer_died_is_evidence(kernel, pagetrail, write):
    """Nothing to compare with: no reference of this type was ever released. What a repetition found names the function."""
    kernel.begin(7)
    page = kernel.machine.alloc("ANON", "PTE", (7, 16), kernel.stack("lookup", "ext2_file_write", "sys_write"))
    kernel.end(7)
    kernel.machine.audit([{"verdict": "UNREACH", "page": page, "holder": (7, 16)}])
    run = write(kernel.machine)
    before, = pagetrail("leaks", run, "--json").json()["groups"]
    assert before["missing_release"]["suspect"] is None
    (run / "why").mkdir()
    lost_at = kernel.sites["ext2_file_write"] + 0xffffffc000000000
    (run / "why/leak-points-of-run").write_text(leak_points([page_life(page)], head="", lost_at=lost_at))
    result = pagetrail("leaks", run, "--json")
    group, = result.json()["groups"]
    missing = group["missing_release"]
    assert result.status == LEAKED and not group["items"][0]["by_pointers"]  # a repetition is no detector: it was asked
    # Measured as it is, it names the suspect where nothing else does (suspect_rules.def).
    assert (missing["suspect"], missing["rule"]) == ("ext2_file_write", "leak-point")
    assert {"rule": "leak-point", "function": "ext2_file_write"} in missing["considered"]
    assert not any(one["rule"] == "leak-point" for one in before["missing_release"]["considered"])


@pytest.mark.parametrize("died_in", ["ext2_file_write", "inode_read_cached"])
def test_why_leads_with_the_suspect_of_leaks(kernel, pagetrail, write, died_in):
    """One verdict: a leak point in another function is told as what it is, under its own words, and blames nobody."""
    pages = fault_5(kernel)
    kernel.machine.audit([{"verdict": "UNREACH", "page": p, "holder": (12, i)} for i, p in enumerate(pages)])
    run = write(kernel.machine)
    (run / "icount").mkdir()
    (run / "icount/leak-points").write_text(leak_points([reference_life(page) for page in pages],
                                                        lost_at=kernel.sites[died_in] + 0xffffffc000000000))
    missing = pagetrail("leaks", run, "--json").json()["groups"][0]["missing_release"]
    done = pagetrail("why", run)
    head = done.out.split("\n\n")[1]
    assert done.status == LEAKED and missing["suspect"], done.out + done.err
    assert head.startswith(f"{missing['suspect']}() ") and " is to blame for 1 group, " in head and len(head.splitlines()) == 1
    if died_in == missing["suspect"]:
        assert f"  to blame      {died_in}" in done.out
    else:
        assert f"  last pointer  {died_in}" in done.out and "not the suspect, and only evidence" in done.out
        assert "to blame      " not in done.out


@pytest.mark.parametrize("born_apart, considered", [(0, False), (8, True)])
def test_a_reference_went_with_its_record(kernel, pagetrail, write, born_apart, considered):
    """The page was stored in the record before the get: no location is the reference's. Who got it last is not to blame for it."""
    kernel.begin(7)
    page = kernel.write_page(12, 0)
    record = kernel.dirty(page, 12, 0)
    kernel.drop(page, 12, 0)
    kernel.end(7)
    kernel.machine.audit([{"verdict": "UNREACH", "page": page, "holder": (12, 0)}, {"verdict": "OBJ", "obj": record, "holder": (12, 0)}])
    run = write(kernel.machine)
    (run / "why").mkdir()
    got, lost, caller = (kernel.sites[name] + 0xffffffc000000000 for name in ("record_alloc", "pagecache_drop", "ext2_file_write"))
    (run / "why/leak-points-of-run").write_text(
        f"life reference {0xffffffc000000000 + page.pfn * 4096:#x} bytes 4096 pfn {page.pfn:#x} ref 4 holder 12 nth 1 heap 0 outside 0 "
        f"frames 0 kept 0\nborn {got:#x} {caller:#x}\nframe popped {got:#x} where 0 when 9 stack {got:#x} {caller:#x}\n"
        f"life object {0xffffffc000000000 + record * 8:#x} bytes 40 pfn 0 ref 0 holder 0 nth 1 heap 0 outside 0 frames 0 kept 8\n"
        f"born {got + 4:#x} {caller + born_apart:#x}\nframe popped {lost:#x} where 0 when 20 stack {lost:#x}\n"
        "end 2 blind 0\n")
    groups = pagetrail("leaks", run, "--json").json()["groups"]
    said = {group["what"]: [one["function"] for one in group["missing_release"]["considered"] if one["rule"] == "leak-point"]
            for group in groups}
    assert said == {"object": ["pagecache_drop"], "page": ["record_alloc"] if considered else []}


def life_text(kind, base, pfn, born=(), stack=(), location=None, given=(), size=4096, kept=5):
    """A life whose last frame was popped: `stack` and `born` are addresses of code; location: of the store that killed the last location."""
    text = (f"life {kind} {base:#x} bytes {size} pfn {pfn:#x} ref 0 holder 0 nth 1 heap 0 outside 0 frames 0 kept {kept}\n"
            f"born {' '.join(f'{address:#x}' for address in born)}\n")
    shown = " ".join(f"{address:#x}" for address in stack)
    if location:
        text += f"location overwritten {location:#x} where 0xffffffc085000000 when 8 stack {shown}\n"
    text += f"frame popped {stack[0]:#x} where 0 when 9 stack {shown}\n"
    for function, back, handled, when in given:
        text += f"given {function:#x} from {back:#x} argument 0 handled {handled} when {when}\n"
    return text


@pytest.fixture
def why(kernel, pagetrail, write):
    """why(lives): the groups of `why` for a machine that lost these pages: functions that take a page, and give what its life says; or pairs
    of a function and the site that allocated the page."""
    def why(*lives):
        lives = [life if isinstance(life, tuple) else (life, "ext2_file_write") for life in lives]
        pages = [kernel.machine.alloc("ANON", "PTE", (7, 16), kernel.stack(site)) for _, site in lives]
        kernel.end(7)
        kernel.machine.audit([{"verdict": "UNREACH", "page": page, "holder": (7, 16)} for page in pages])
        run = write(kernel.machine)
        (run / "why").mkdir()
        text = "".join(life("page", 0xffffffc000000000 + page.pfn * 4096, page.pfn) for page, (life, _) in zip(pages, lives))
        (run / "why/leak-points-of-run").write_text(text + f"end {len(pages)} blind 0\n")
        return pagetrail("why", "--no-repeat", "--json", run).json()["groups"]
    kernel.begin(7)
    return why


def at(kernel, *names):
    return [kernel.sites[name] + 0xffffffc000000000 for name in names]


@pytest.mark.parametrize("stack, blamed", [
    (("slot_set", "sys_write"), "sys_write"),                          # no code says what sys_write told it: it is the caller
    (("slot_set", "slot_swap", "sys_write"), "slot_swap"),             # which loads it itself
    (("slot_set", "slot_pass", "slot_swap"), "slot_swap"),             # which the caller in between does not
    (("slot_set", "slot_own", "sys_write"), "slot_own"),               # which chose the place
    (("slot_set_checked", "sys_write"), "sys_write"),                  # to look at it is not to take it
    (("slot_exchange", "sys_write"), "slot_exchange"),                 # which returns it
    (("slot_clear", "slot_pass", "sys_write"), "slot_clear"),          # nobody told it to store 0
])
def test_a_setter_is_not_to_blame_for_what_it_overwrites(kernel, why, stack, blamed):
    """KNEW-1, KNEW-2"""
    addresses = at(kernel, *stack)
    group, = why(lambda *page: life_text(*page, stack=addresses, location=addresses[0]))
    assert (group["lost_in"]["function"], group["to_blame"]["function"]) == (blamed, blamed)


def test_who_was_given_the_thing_knew_it(kernel, why):
    """A setter that was given what it overwrites, since it was kept last, is none."""
    addresses = at(kernel, "slot_set", "slot_swap")
    group, = why(lambda *page: life_text(*page, stack=addresses, location=addresses[0], given=[(addresses[0] - 2, addresses[1], 1, 8)]))
    assert group["lost_in"]["function"] == "slot_set"


def given_life(kernel, lost_in, function, handled=1, location=False):
    """Lost in a function that called another one last, and gave it the page (1) or the structure that has it (2)."""
    stack, (entry,) = at(kernel, lost_in, "upcall_syscall"), at(kernel, function)
    return lambda *page: life_text(*page, stack=stack, location=location and stack[0], given=[(entry, stack[0], handled, 8)])


@pytest.mark.parametrize("function, blamed", [("page_cross", "page_cross"), ("page_look", "sys_write")])
def test_who_returns_another_for_it_has_it(kernel, why, function, blamed):
    """But not who takes it as const."""
    group, = why(given_life(kernel, "sys_write", function))
    assert group["to_blame"]["function"] == blamed


@pytest.mark.parametrize("callers, blamed, rule", [(("sys_write", "sys_read"), "walk_done", "given by all"),
                                                   (("sys_write", "sys_write"), "sys_write", "lost")])
def test_the_last_that_was_given_the_structure(kernel, why, callers, blamed, rule):
    """Many callers do not all forget the same; one may."""
    group, = why(*(given_life(kernel, caller, "walk_done", handled=2) for caller in callers))
    assert (group["to_blame"]["function"], group["rule"]) == (blamed, rule)


def test_a_release_that_is_inlined(kernel, why):
    group, = why(*(given_life(kernel, caller, "part_close") for caller in ("sys_write", "sys_read")))
    assert (group["to_blame"]["function"], group["last_given"]["function"]) == ("part_free", "part_close")


def test_a_release_that_does_nothing_where_it_is_inlined(kernel, why):
    """Nothing of it is left there. That it is to blame elsewhere says whose mistake it is."""
    there = given_life(kernel, "sys_write", "part_done", location=True)
    alone, = why(there)
    assert alone["to_blame"]["function"] == "part_done"


def test_a_release_that_does_nothing_is_blamed_wherever_it_is(kernel, why):
    groups = why((given_life(kernel, "sys_write", "part_done", location=True), "mm_fork"),
                 (given_life(kernel, "sys_read", "nothing_free"), "ext2_file_write"))
    assert [group["to_blame"]["function"] for group in groups] == ["nothing_free", "nothing_free"]


@pytest.mark.parametrize("site, blamed", [("ext2_file_write", "write_record"), ("mm_fork", "sys_write")])
def test_who_releases_pages_of_another_site_need_not_release_these(kernel, why, site, blamed):
    other = kernel.machine.alloc("ANON", "PTE", (7, 17), kernel.stack(site))
    kernel.machine.put(other, "PTE", (7, 17), kernel.stack("write_record"))
    group, = why(given_life(kernel, "sys_write", "write_record"))
    assert group["to_blame"]["function"] == blamed
