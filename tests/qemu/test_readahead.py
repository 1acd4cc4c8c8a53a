# SPDX-License-Identifier: MIT
"""Read-ahead from a real device: what a program costs in requests, and what the counts of /proc/vmstat say."""
import re

import pytest

FILE = "/bin/usertests"


def counts(console):
    """{name: [value of each time vmstat was shown]}."""
    return {name: [int(value) for value in re.findall(rf"^{name} (\d+)", console, re.M)]
            for name in ("readahead_pages", "readahead_used", "disk_reads", "pagecache_misses")}


def read_cold(boot, **machine):
    guest = boot(run=f"kdebug drop-caches; cat /proc/vmstat; cat {FILE} | wc; cat /proc/vmstat", limit=60, **machine)
    assert guest.wait(60) == 0, guest.console[-2000:]
    nr_pages = -(-int(re.search(r"^ *\d+ +\d+ +(\d+)", guest.console, re.M).group(1)) // 4096)
    assert nr_pages >= 20
    return nr_pages, {name: after - before for name, (before, after) in counts(guest.console).items()}


@pytest.mark.parametrize("mem, smp", [("128M", 1), ("128M", 2), ("128M", 4), ("8M", 2)])
def test_a_sequential_read_takes_few_requests(boot, mem, smp):
    nr_pages, grown = read_cold(boot, mem=mem, smp=smp, virtio=True)
    assert grown["readahead_pages"] >= nr_pages
    assert grown["readahead_used"] >= nr_pages
    # `cat` and `wc` are read from the disk, too; without read-ahead each page is a request.
    assert grown["disk_reads"] <= nr_pages // 2, grown
    assert grown["pagecache_misses"] <= nr_pages // 2, grown


def test_a_ramdisk_is_not_read_ahead(boot):
    nr_pages, grown = read_cold(boot, smp=2)
    assert grown["readahead_pages"] == grown["readahead_used"] == 0
    assert grown["disk_reads"] >= nr_pages
