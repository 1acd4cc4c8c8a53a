# SPDX-License-Identifier: MIT
"""The fuzzer itself: what it once found stays mended, a short run finds nothing, and a planted fault is found."""
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from harness import paths

HERE = Path(__file__).resolve().parent
FUZZ = paths.BUILD / "fuzz"
# Runs of `make test`: some seconds each on a machine that does nothing else.
RUNS = {"trace": 20_000, "model": 400, "image": 1_000, "lives": 20_000}
LIMITS = ["-rss_limit_mb=1024", "-malloc_limit_mb=512", "-timeout=60", "-max_len=65536"]


@pytest.fixture(scope="session", autouse=True)
def programs():
    paths.make("fuzz-programs", build=paths.BUILD_NAME)


@pytest.fixture(scope="session")
def seeds(tmp_path_factory):
    """seeds(target): a folder of small whole inputs."""
    def seeds(target):
        folder = tmp_path_factory.getbasetemp() / f"seeds-{target}"
        if not folder.exists():
            subprocess.run([sys.executable, HERE / "seeds.py", target, folder], check=True)
        return folder
    return seeds


def replay(target, one):
    return subprocess.run([FUZZ / f"gcc/replay_{target}", one], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=60)


def fuzz(target, folder, seeds, runs):
    """The seed of chance is fixed: the same inputs each time, as long as the code is the same."""
    corpus = folder / "corpus"
    corpus.mkdir()
    return subprocess.run([FUZZ / f"clang/fuzz_{target}", *LIMITS, f"-runs={runs}", "-seed=1", "-print_final_stats=1",
                           f"-artifact_prefix={folder}/found-", corpus, seeds], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", timeout=300)


@pytest.mark.parametrize("target", RUNS)
def test_regressions(target, seeds):
    """Without clang. The seeds, too: a target without regressions is not passed over."""
    for one in [*sorted((HERE / "regressions" / target).glob("*")), *sorted(seeds(target).glob("*"))]:
        done = replay(target, one)
        assert done.returncode == 0, f"{one.name}\n{done.stdout[-3000:]}"


@pytest.mark.parametrize("target", RUNS)
def test_short_run(target, seeds, tmp_path):
    done = fuzz(target, tmp_path, seeds(target), RUNS[target])
    assert done.returncode == 0, done.stdout[-4000:]
    assert int(re.search(r"number_of_executed_units: (\d+)", done.stdout).group(1)) >= RUNS[target]


def test_a_planted_fault_is_found(seeds, tmp_path):
    done = fuzz("canary", tmp_path, seeds("trace"), 100_000)
    found = list(tmp_path.glob("found-crash-*"))
    assert done.returncode != 0 and "deadly signal" in done.stdout and len(found) == 1, done.stdout[-2000:]
    assert replay("canary", found[0]).returncode == -signal.SIGABRT
    assert all(replay("canary", seed).returncode == 0 for seed in seeds("trace").glob("*"))
