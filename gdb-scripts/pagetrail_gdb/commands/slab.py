# SPDX-License-Identifier: MIT
"""slab-print."""

from ..model.errors import CommandError
from ..model.slab import caches_of
from ..model.trace import Depot
from .base import Command, expect, plural

_FRAMES_OF_OBJECT = 3


class SlabPrint(Command):
    """Print slab caches: slab-print [-p] [CACHE]

Without CACHE a table: id, name, object size, objects per slab, live objects, slabs, allocations, frees. With
CACHE its live objects, each with the pid and the innermost callers that allocated it. Lists, bitmaps and counts
are checked; -p also checks that free objects still hold their poison."""

    name = "slab-print"

    def words(self, kernel):
        return [cache.name for cache in caches_of(kernel, [])]

    def run(self, kernel, arguments, findings):
        poison = "-p" in arguments
        arguments = [argument for argument in arguments if argument != "-p"]
        expect(arguments, 0, 1, "slab-print [-p] [CACHE]")
        caches = caches_of(kernel, findings)
        if poison:
            for cache in caches:
                cache.check_poison()
        if arguments:
            self._print_objects(kernel, caches, arguments[0])
            return
        print(f"{'id':>3} {'cache':<12} {'bytes':>6} {'/slab':>6} {'live':>7} {'slabs':>6} {'allocs':>9} {'frees':>9}")
        for cache in caches:
            print(f"{cache.id:>3} {cache.name:<12} {cache.object_bytes:>6} {cache.per_slab:>6} {cache.nr_live:>7} "
                  f"{len(cache.slabs):>6} {cache.nr_allocs:>9} {cache.nr_frees:>9}")

    @staticmethod
    def _print_objects(kernel, caches, name):
        cache = next((cache for cache in caches if name in (cache.name, str(cache.id))), None)
        if cache is None:
            raise CommandError(f"no cache {name}; there are {', '.join(cache.name for cache in caches)}")
        depot = Depot(kernel)
        for found in cache.live_objects():
            frames = depot.frames(found.stack)
            callers = " < ".join(kernel.describe_frame(frame) for frame in frames[:_FRAMES_OF_OBJECT])
            print(f"{found.va:#x} pid {found.pid:<5} stack {found.stack:<4} {callers}")
        print(f"{plural(cache.nr_live, 'live object')} of {cache.object_bytes} bytes in {plural(len(cache.slabs), 'slab')}")
