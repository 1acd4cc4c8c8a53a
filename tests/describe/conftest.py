# SPDX-License-Identifier: MIT
"""Fixtures: small kernels compiled on the spot, and the programs that read them, under ASan and UBSan."""
import subprocess
import sys
from pathlib import Path

import pytest

from harness import paths

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

SANITIZE = "-fsanitize=address,undefined -fno-sanitize-recover=all"
FLAGS = ["-march=rv64gc", "-mabi=lp64", "-mcmodel=medany", "-g", "-ffreestanding", "-fno-common", "-nostdlib", "-static",
         "-fno-omit-frame-pointer", "-mno-relax", "-fno-builtin", "-w", "-Wl,-Ttext=0x80000000", "-Wl,--no-warn-rwx-segments",
         "-Wl,--defsym=etext=0x80008000", "-Wl,--defsym=end=0x80350400"]


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    """compiled(source text, *flags): path of an ELF with it at 0x80000000, made once for each text and flags."""
    made = {}

    def make(text, *flags, name="kernel"):
        key = (text, flags)
        if key not in made:
            folder = tmp_path_factory.mktemp("elf")
            (folder / "kernel.c").write_text(text)
            made[key] = folder / name
            subprocess.run([paths.CROSS + "gcc", *FLAGS, *(flags or ("-O1",)), "-o", made[key], folder / "kernel.c"],
                           check=True)
        return made[key]
    return make


@pytest.fixture(scope="session")
def sanitized_build():
    """The folder of the tools built under ASan and UBSan."""
    build = paths.BUILD / "trace-tools-asan"
    make = ["make", "-s", "-C", paths.ROOT, "SETUP=no", f"BUILD={paths.BUILD_NAME}", f"TOOLS_BUILD={build}",
            f"TOOLS_SANITIZE={SANITIZE}", f"{build}/pagetrail"]
    done = subprocess.run(make, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    assert done.returncode == 0, done.stdout
    return build


def run_sanitized(program, *words, statuses=(0,)):
    """Runs it; the CompletedProcess. A status that is none of these, as of a sanitizer's report, is a failure."""
    env = {"ASAN_OPTIONS": "exitcode=99", "UBSAN_OPTIONS": "print_stacktrace=1:exitcode=99", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([str(program), *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          errors="replace", timeout=120, env=env)
    assert done.returncode in statuses, f"{words}: status {done.returncode}\n{done.stdout[-500:]}{done.stderr[-3000:]}"
    return done


@pytest.fixture(scope="session")
def probe(sanitized_build):
    """Runs types_probe; its lines."""
    program = sanitized_build / "types_probe"
    subprocess.run(["gcc", "-g", "-O1", "-D_GNU_SOURCE", *SANITIZE.split(), f"-I{paths.ROOT}/trace-tools", "-o", program,
                    HERE / "types_probe.c", sanitized_build / "libpagetrail.a", "-ldw", "-lelf", "-lsqlite3", "-lz", "-lm"],
                   check=True)
    return lambda *words, statuses=(0,): run_sanitized(program, *words, statuses=statuses)
