# SPDX-License-Identifier: MIT
"""Fixtures of the trace tools' tests: the program, the metadata, a kernel with known symbols, traces on demand."""
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness import elf, paths
from harness.tool import run_tool

HERE = Path(__file__).resolve().parent
TOOLS = paths.BUILD / "trace-tools"
sys.path[:0] = [str(HERE), str(TOOLS)]


@pytest.fixture(scope="session")
def pagetrail():
    """Runs `pagetrail WORDS...`; a signal is a failure."""
    return lambda *words, **more: run_tool(paths.PAGETRAIL, *words, **more)


@pytest.fixture(scope="session")
def metadata():
    return TOOLS / "metadata"


@pytest.fixture(scope="session")
def sanitized():
    """The same program under ASan and UBSan."""
    build = paths.BUILD / "trace-tools-asan"
    make = ["make", "-s", "-C", paths.ROOT, "SETUP=no", f"BUILD={paths.BUILD_NAME}", f"TOOLS_BUILD={build}",
            "TOOLS_SANITIZE=-fsanitize=address,undefined -fno-sanitize-recover=all", f"{build}/pagetrail"]
    done = subprocess.run(make, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    assert done.returncode == 0, done.stdout
    env = {"ASAN_OPTIONS": "detect_leaks=0:exitcode=99", "UBSAN_OPTIONS": "print_stacktrace=1:exitcode=99"}

    def run(*words, more_env=None, **more):
        result = run_tool(build / "pagetrail", *words, env={**env, **(more_env or {})}, **more)
        assert result.status in (0, 1, 2), f"{words}: status {result.status}\n{result.err[-4000:]}"
        return result
    return run


def build_kernel(out, *flags):
    """tests/trace/fixture.c as an ELF linked where the kernel is; returns its path."""
    subprocess.run([paths.CROSS + "gcc", "-march=rv64imac_zicsr_zifencei", "-mabi=lp64", "-mcmodel=medany", "-O2", "-g",
                    "-gdwarf-4", "-ffreestanding", "-nostdlib", "-static", "-Wl,-Ttext=0xffffffc080200000",
                    "-Wl,-e,page_get", "-Wl,--build-id=sha1", "-Wl,--no-warn-rwx-segments", f"-ffile-prefix-map={HERE}/=", *flags, "-o", out,
                    HERE / "fixture.c"], check=True)
    return out


def sites_of(elf):
    """Addresses behind the calls of fixture.c, minus PHYS_OFFSET, by the name of the SITE."""
    import pagetrail_tables as tables
    out = subprocess.run([paths.CROSS + "nm", elf], check=True, stdout=subprocess.PIPE, text=True).stdout
    return {name[5:]: int(value, 16) - tables.PHYS_OFFSET
            for value, _, name in map(str.split, out.splitlines()) if name.startswith("site_")}


@pytest.fixture(scope="session")
def kernel_elf(tmp_path_factory):
    return build_kernel(tmp_path_factory.mktemp("elf") / "pagetrail.elf")


@pytest.fixture(scope="session")
def sites(kernel_elf):
    return sites_of(kernel_elf)


@pytest.fixture(scope="session")
def rebuilt_elf(tmp_path_factory):
    """The same kernel, rebuilt after a change: see fixture.c."""
    return build_kernel(tmp_path_factory.mktemp("rebuilt") / "pagetrail.elf", "-DREBUILT")


@pytest.fixture(scope="session")
def rebuilt_sites(rebuilt_elf):
    return sites_of(rebuilt_elf)


@pytest.fixture(scope="session")
def forgetting_elf(tmp_path_factory):
    """The same kernel, in which block_drop() does not call page_put()."""
    return build_kernel(tmp_path_factory.mktemp("forgetting") / "pagetrail.elf", "-DFORGETS")


@pytest.fixture(scope="session")
def defining_elf(tmp_path_factory):
    """defining_elf("SWAPS"): the same kernel with this macro, which fixture.c explains; made once."""
    made = {}

    def make(macro):
        if macro not in made:
            made[macro] = build_kernel(tmp_path_factory.mktemp("defining") / "pagetrail.elf", f"-D{macro}")
        return made[macro]
    return make


@pytest.fixture(scope="session")
def skipping_elf(tmp_path_factory):
    """skipping_elf("block_drop", ...): the same kernel, in which these functions have a branch more; made once."""
    made = {}

    def make(*functions):
        if functions not in made:
            made[functions] = build_kernel(tmp_path_factory.mktemp("skipping") / "pagetrail.elf",
                                           *(f"-DSKIPS_{function}" for function in functions))
        return made[functions]
    return make


@pytest.fixture
def write(tmp_path, metadata, kernel_elf):
    """write(machine, name="run") leaves a run folder with the fixture kernel (or another) in it and returns its path."""
    def write(machine, name="run", kernel=True, other_kernel=None, **more):
        folder, ran = tmp_path / name, other_kernel or kernel_elf
        if kernel:
            (folder / "kernel").mkdir(parents=True)
            shutil.copy(ran, folder / "kernel/pagetrail.elf")
        machine.write(str(folder), str(metadata), build_id=elf.build_id(ran), **more)
        return folder
    return write
