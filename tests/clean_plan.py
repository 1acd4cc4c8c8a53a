# SPDX-License-Identifier: MIT
"""What `make clean-runs` runs: 200 boots on which nothing may be found, the same ones every time.

Each line of one_pass is a program, or a way to use the machine, and how many boots it gets; its boots take the six shapes
(1, 2, 4 harts; 128 MiB and 8 MiB) in turn. Programs with many tests are cut into pieces, and every piece runs on each shape: so
all tests of usertests run on all six. The order is shuffled, so that a smaller N is a sample, and a seed decides it. A larger N
begins again with other pieces and other seeds of grind.

How a run ends decides what must be said of it:

    COMMAND   init runs the words and powers off: status 0, "no leaks"
    TYPED     they are typed at the prompt, a line each: likewise
    KILLED    QEMU is killed while they run: status 2, "cannot tell", and nothing found
"""
import random
from collections import Counter
from dataclasses import dataclass

from harness.machine import needs_virtio

COMMAND, TYPED, KILLED = "command", "typed", "killed"
SHAPES = [(harts, mem) for mem in ("128M", "8M") for harts in (1, 2, 4)]
TESTERS = ("kalloctest", "cowtest", "lazytest", "mmaptest")
LISTED = ("usertests", "failsweep")  # run in pieces
PIECES = {"usertests": 8, "failsweep": 4}
XV6 = ("xv6check now", "xv6labs", "xv6mmap", "xv6memory", "xv6limits")
SMALL_PROGRAMS = (
    "echo one > /tmp/a; cp /tmp/a /tmp/b; ln /tmp/a /tmp/c; cat /tmp/a /tmp/b /tmp/c | grep one | wc; mkdir /tmp/d; "
    "touch /tmp/d/e; ls -l /tmp/d; stat /tmp/d/e; hexdump /tmp/a; rm /tmp/d/e; rmdir /tmp/d; false || true; sync",
    "ps; free -s; cat /proc/meminfo /proc/slabinfo /proc/audit /proc/checks > /tmp/p; cat /proc/1/maps | wc; "
    "ktrace ls /bin; bench run ls /bin; kdebug drop-caches; kdebug audit; kill 31999; sleep 1",
    "fill /tmp/f 300000; cp /tmp/f /tmp/g; cat /tmp/f /tmp/g | wc; rm /tmp/f; hexdump /tmp/g > /tmp/h; rm /tmp/g /tmp/h; "
    "leakdemo 3; leakdemo 2 objects 3; no-such-program; cat /no/such/file; (exit 7); echo $?",
)
BACKGROUND = (
    "stressfs & forktest 40 & cat /bin/usertests > /tmp/a & sleep 1; wait",
    "(fill /tmp/a 200000; cp /tmp/a /tmp/b; rm /tmp/a) & (ls /bin | grep t | wc) & forktest 30 & wait",
    "stressfs 2 3 & stressfs 2 3 & sleep 100000 & sleep 100000 & mmaptest mmap-private mmap-shared",
    "forktest 20 & (sleep 1; cat /README) & usertests pipe-chain cow-sharing & ps; wait",
)
# What is to be killed, or to run when the machine ends.
BUSY = (
    "grind 60 & usertests race-append race-truncate race-directories & forktest 60 & sleep 100000 & ",
    "stressfs 4 200 & usertests memory-all memory-cow mmap-pressure & failsweep fork exec mmap-file-private & ",
    "mmaptest & cowtest & lazytest & (cat /bin/usertests | wc) & ",
    "kalloctest & (grind 60; grind 60) & (fill /tmp/a 2000000; cp /tmp/a /tmp/b) & ",
)


@dataclass(frozen=True)
class Run:
    """One boot."""
    number: int
    program: str
    words: tuple  # one command, or the lines that are typed
    smp: int
    mem: str
    end: str = COMMAND
    xv6: bool = False
    virtio: bool = False
    after: float = 0  # KILLED: seconds from its first events

    def shape(self):
        return f"{self.smp} x {self.mem}{' virtio' if self.virtio and not needs_virtio(self.mem) else ''}"


def pieces(names, nr, dice):
    """All names, shuffled, in so many pieces."""
    names = list(names)
    dice.shuffle(names)
    return [names[i::nr] for i in range(nr)]


def kill_storm(dice):
    """Jobs, and kills of whatever has these numbers; the shell itself has number 4."""
    storm = "; ".join("sleep 1; kill " + " ".join(map(str, sorted(dice.sample(range(6, 60), 16)))) for _ in range(3))
    return f"{dice.choice(BUSY)}{storm}; exit 0"


def typed(dice):
    """Lines of a session; the last ends it. None waits for jobs, as some of them sleep for good."""
    lines = [dice.choice(SMALL_PROGRAMS), "sleep 100000 &", dice.choice(BUSY).strip(), "ps",
             "kill " + " ".join(map(str, range(7, 15))), "cd /tmp", "ls", dice.choice(BACKGROUND).removesuffix("wait")]
    lines[1:-1] = dice.sample(lines[1:-1], len(lines) - 2)
    return tuple([*lines, dice.choice(("exit 0", "poweroff"))])


def one_pass(tests, dice):
    """(program, words, how it ends, how many boots): of 200 boots."""
    for program in LISTED:
        yield from ((program, f"{program} {' '.join(piece)}", COMMAND, 6) for piece in pieces(tests[program], PIECES[program], dice))
    yield from ((program, program, COMMAND, 6) for program in ("usertests", *TESTERS, "forktest", "stressfs"))
    yield from (("grind", f"grind {rounds}r {dice.randrange(1, 10**6)}", COMMAND, 6) for rounds in (1, 2, 5))
    yield from (("small programs", words + "; exit 0", COMMAND, 4) for words in SMALL_PROGRAMS)
    yield from (("background jobs", words + "; exit 0", COMMAND, 3) for words in BACKGROUND)
    yield from (("xv6 programs", f"cd / && /{words}", COMMAND, 2) for words in XV6)
    yield from (("kills", kill_storm(dice), COMMAND, 1) for _ in range(10))
    yield from (("shell session", typed(dice), TYPED, 1) for _ in range(8))
    yield from (("power-off at work", f"{BUSY[i % len(BUSY)]}sleep {1 + i // len(BUSY)}; poweroff", COMMAND, 1) for i in range(8))
    yield from (("QEMU killed", BUSY[i % len(BUSY)] + "sleep 100000", KILLED, 1) for i in range(8))


def plan(tests, seed, number):
    """The first `number` runs. tests: {program of LISTED: names of its tests}."""
    runs, dice = [], random.Random(seed)
    while len(runs) < number:
        one, boots = [], Counter()
        for program, words, end, times in one_pass(tests, dice):
            xv6 = program == "xv6 programs"
            for _ in range(times):
                smp, mem = SHAPES[boots[program] % (3 if xv6 else len(SHAPES))]  # they count on 128 MiB
                boots[program] += 1
                one.append({"program": program, "words": words if isinstance(words, tuple) else (words,), "smp": smp, "mem": mem,
                            "end": end, "xv6": xv6, "virtio": needs_virtio(mem) or dice.random() < 0.2,
                            "after": dice.uniform(0.2, 4)})
        dice.shuffle(one)
        runs += [Run(number=len(runs) + i, **fields) for i, fields in enumerate(one, 1)]
    return runs[:number]
