# SPDX-License-Identifier: MIT
"""`pagetrail describe` on the foreign kernels: what is found in each build by itself, and what a description by hand needs.

The builds differ in just those things that a description says, so the flags of a build tell what must be found.
"""
import re
import subprocess

import kernels
import pytest

from harness import paths, tool

SMALL = [variant for variant in kernels.variants() if variant.folder == "small"]
HIGHER = [variant for variant in kernels.variants() if variant.folder == "higher"]


def describe(name, *words):
    """(status, {verb: [the rest of each such line, without its reason]})."""
    done = tool.pagetrail("describe", kernels.elf(name), *words)
    found = {}
    for line in done.out.splitlines():
        item = re.sub(r"\s+# .*", "", line)
        if item and not item.startswith("#"):
            verb, _, rest = item.partition(" ")
            found.setdefault(verb, []).append(rest)
    return done.status, found


def first_counted_page(variant):
    """The page whose count is element 0, by the option COUNT_INDEX."""
    index = kernels.options(variant).get("COUNT_INDEX", "COUNT_FROM_BASE")
    if index != "COUNT_FROM_END":
        return {"COUNT_FROM_BASE": 0x80000000, "COUNT_ABSOLUTE": 0}[index]
    out = subprocess.run([paths.CROSS + "nm", kernels.elf(variant.name)], check=True, capture_output=True, text=True)
    end = int(re.search(r"^(\w+) \w end$", out.stdout, re.M).group(1), 16)
    return (end + 4095) // 4096 * 4096


def words_of(item):
    """{key: value} of an item's key=value words; the subject is under ""."""
    words = item.split()
    found = dict(word.split("=", 1) for word in words if "=" in word)
    return {"": words[0] if "=" not in words[0] else None, **found}


@pytest.mark.parametrize("variant", SMALL, ids=lambda variant: variant.name)
def test_small(variant):
    status, found = describe(variant.name)
    asked = kernels.options(variant)
    assert status == 0
    assert [words_of(item)[""] for item in found["alloc"]] == ["kalloc"]
    assert [words_of(item)[""] for item in found["free"]] == ["kfree"]
    lists = [words_of(item)[""] for item in found["list"]]
    assert lists == (["kmem[].freelist"] if "PERCPU" in asked else ["kmem.freelist"])
    assert found["root"] == ["kernel_pagetable"]
    assert words_of(found["maybe"][0])["va"] == words_of(found["maybe"][0])["pa"] == "0x80000000"
    procs = words_of(found["procs"][0])
    assert procs[""] == "proc[]" and procs["unused"] == "UNUSED" and procs["zombie"] == "ZOMBIE"
    tables = ["pagetable"] + ([asked.get("KPT_NAME", "kpagetable")] if "KPT" in asked else [])
    assert procs["tables"].split(",") == tables
    assert words_of(found["table"][0])[""] == "ftable.file[]"
    assert found["pid"] == ["at=cpus[hart].proc->pid"]
    assert words_of(found["console"][0])["uart"] == "0x10000000"


@pytest.mark.parametrize("variant", SMALL, ids=lambda variant: variant.name)
def test_small_counts(variant):
    asked = kernels.options(variant)
    _, found = describe(variant.name)
    if "COW" not in asked:
        assert "count" not in found
        return
    count, = map(words_of, found["count"])
    place = {"COUNT_IN_STRUCT": "page_counts.count", "COUNT_OF_STRUCT": "page_refs[].count"}
    assert count[""] == place.get(asked.get("COUNT_SHAPE"), "page_count")
    first = first_counted_page(variant)
    assert eval(count["page"], {"i": 0}) == first
    assert eval(count["page"], {"i": 5}) == first + 5 * 4096
    functions = set(count["funcs"].split(","))
    if "COUNT_INLINE" in asked:
        assert {"kalloc", "kfree", "uvmcopy"} <= functions
    else:
        assert {"count_set", "count_get", "count_put"} <= functions


@pytest.mark.parametrize("variant", HIGHER, ids=lambda variant: variant.name)
def test_higher_needs_a_description(variant, tmp_path):
    status, found = describe(variant.name)
    assert status == 2 and "alloc" not in found
    status, found = describe(variant.name, *kernels.description(variant.name, tmp_path))
    assert status == 0
    assert [words_of(item)[""] for item in found["alloc"]] == ["buddy_take"]
    assert [words_of(item)[""] for item in found["put"]] == ["page_put"]
