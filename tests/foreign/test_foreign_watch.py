# SPDX-License-Identifier: MIT
"""`pagetrail watch` and `pagetrail audit` on the foreign kernels: nothing is found in clean builds, and each mistake is found.

The kernel itself says what is true: a mistake prints each page that it loses or spoils and the function that did it, and
every kernel prints at its end how many pages are free. What is found from outside must be exactly that.
"""
import json
import re

import kernels
import pytest

from harness import tool

CLEAN = [variant.name for variant in kernels.variants() if variant.name != "small-prompt"]


class Watched:
    """One run of a kernel under `pagetrail watch`: its console, what the plugin counted, what the audit says."""

    def __init__(self, folder, name, smp=2, options=()):
        self.run = folder / "run"
        words = kernels.description(name, folder)
        qemu = ["qemu-system-riscv64", *kernels.qemu_command(name, smp)[1:]]
        done = tool.pagetrail("watch", "--out", self.run, *words, *options, "--", *qemu, timeout=120)
        self.status = done.status
        self.console = kernels.Console(done.out)
        self.report = done.out + done.err
        assert (self.run / "plugin.json").exists(), self.report[-3000:]
        self.plugin = json.loads((self.run / "plugin.json").read_text())
        self.audit_status = tool.pagetrail("audit", self.run).status
        self.audit = tool.pagetrail_json("audit", self.run)

    def pages(self, verdict):
        """Addresses of the pages that the audit calls so."""
        return {page["pa"] for page in self.audit["pages"] if page["verdict"] == verdict}

    def leaked(self):
        return self.pages("leaked")

    def found(self, fault):
        return {finding["pa"] for finding in self.audit["findings"] if finding["fault"] == fault}

    def anomalies(self):
        """{kind: addresses} of what the plugin saw contradict the description, or itself."""
        return {kind: {example["pa"] for example in seen["examples"]}
                for kind, seen in self.plugin["anomalies"].items() if seen["count"]}

    def last_life(self, address):
        """What happened to a page since it was allocated last, with stacks."""
        return tool.pagetrail("page", self.run, f"{address:#x}", "--last", "1", "--resolve").out


def free_pages_at_the_end(console):
    return int(re.search(r"^power off.* (\d+) pages free$", console.text, re.M).group(1))


def check_trace(watched):
    """The trace knows every page that the kernel says is free, and nothing was missed on the way."""
    assert watched.plugin["pages"]["free"] == free_pages_at_the_end(watched.console)
    assert watched.plugin["without_hits"] == []
    assert all(call["misses"] == call["unmatched"] == 0 for call in watched.plugin["calls"])
    assert watched.plugin["ended"] and watched.plugin["discarded"] == 0


@pytest.mark.parametrize("name", CLEAN)
def test_clean(name, tmp_path):
    watched = Watched(tmp_path, name, smp=3, options=["--check", "writes"])
    assert "ALL TESTS PASSED" in watched.console.text
    check_trace(watched)
    assert not watched.anomalies() and watched.plugin["writes_to_free_pages"] == 0
    assert watched.status == watched.audit_status == 0 and watched.audit["free_checked"]
    assert not watched.leaked() and not watched.audit["findings"] and watched.audit["uncertain"] == 0
    assert watched.audit["free"] == free_pages_at_the_end(watched.console)


def check_leak(mistake, watched, pages):
    check_trace(watched)
    assert watched.leaked() == pages and not watched.audit["findings"]
    assert watched.status == watched.audit_status == 1
    for address in sorted(pages)[:3]:
        assert re.search(rf"\b({mistake.named})\b", watched.last_life(address)), watched.last_life(address)


def check_write(mistake, watched, pages):
    check_trace(watched)
    assert watched.plugin["writes_to_free_pages"] >= len(pages)
    written = [watched.last_life(address) for address in pages]
    assert any("page_write" in life and mistake.named in life for life in written), written[0]
    assert not watched.leaked() and not watched.audit["findings"]


def check_twice(mistake, watched, pages):
    assert set().union(*watched.anomalies().values()) == pages
    assert watched.status != 0


def check_mapped(mistake, watched, pages):
    check_trace(watched)
    assert watched.found("mapped-free") == pages
    assert not watched.leaked() and watched.status != 0 and watched.audit_status == 1


def check_dropped(mistake, watched, pages):
    """Free for the trace, and not for the kernel: not every one is listed as a finding, but each has no certain verdict."""
    assert watched.plugin["pages"]["free"] == free_pages_at_the_end(watched.console) + len(pages)
    assert watched.pages("uncertain") == pages
    assert watched.audit["faults"] == {"lost-from-list": len(pages)}
    assert not watched.leaked() and watched.status != 0 and watched.audit_status == 1


def check_object(mistake, watched, pages):
    """Their pages are in use, by a cache: no page has leaked."""
    check_trace(watched)
    assert not watched.leaked() and not watched.audit["findings"]


CHECKS = {"leak": check_leak, "write": check_write, "twice": check_twice, "object": check_object,
          "mapped": check_mapped, "dropped": check_dropped}


def test_a_leak_is_within_its_test(tmp_path):
    """The console says in which test the kernel lost each page; in the trace the page's last event is between the same test's marks."""
    watched = Watched(tmp_path, "small-cow-u8-sole_owner_leaks")
    tests = {test["name"]: test for test in tool.pagetrail_json("summary", watched.run, "--tests")["tests"]}
    nr = 0
    for name, said in re.findall(r"^test (\w+): (.*?)(?:OK|FAILED)$", watched.console.text, re.M | re.S):
        for address in re.findall(r"truth: leak (0x[0-9a-f]+)", said):
            last = tool.pagetrail_json("page", watched.run, address, "--last", "1")["entries"][-1]["time"]
            assert tests[name]["begin"] < last < tests[name]["end"], (name, address)
            nr += 1
    assert nr > 50 and {"fork", "parallel", "orphan"} <= tests.keys()


@pytest.mark.parametrize("mistake", kernels.mistakes(), ids=lambda mistake: mistake.name)
def test_mistake(mistake, tmp_path):
    watched = Watched(tmp_path, mistake.name, options=["--check", "writes"] if mistake.what == "write" else [])
    CHECKS[mistake.what](mistake, watched, {truth.address for truth in watched.console.truths()})
