# SPDX-License-Identifier: MIT
"""Fixtures: small kernels compiled on the spot, and the programs that read them, under ASan and UBSan."""
import subprocess
import sys
from pathlib import Path

import pytest

from harness import paths

sys.path.insert(0, str(Path(__file__).resolve().parent))

from sanitized import FLAGS, HERE, SANITIZE, run_sanitized  # noqa: E402  (found through the line above)

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


@pytest.fixture(scope="session")
def probe(sanitized_build):
    """Runs types_probe; its lines."""
    program = sanitized_build / "types_probe"
    subprocess.run(["gcc", "-g", "-O1", "-D_GNU_SOURCE", *SANITIZE.split(), f"-I{paths.ROOT}/trace-tools", "-o", program,
                    HERE / "types_probe.c", sanitized_build / "libpagetrail.a", "-ldw", "-lelf", "-lsqlite3", "-lz", "-lm"],
                   check=True)
    return lambda *words, statuses=(0,): run_sanitized(program, *words, statuses=statuses)
