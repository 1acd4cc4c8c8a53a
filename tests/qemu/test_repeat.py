# SPDX-License-Identifier: MIT
"""`make repeat`: runs that are the same are called so, and of one that is not it is said where; see tests/repeat.py."""
import repeat

COMMAND = ["forktest", "20"]


def test_the_same(tmp_path, capsys):
    assert repeat.repeat(tmp_path / "runs", COMMAND, 3, 2, 1)
    assert "3 runs of forktest 20: 1 different hashes of RAM, 1 of the trace; 0 failed" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["1"]


def test_one_that_differs(tmp_path, capsys):
    """The third has another boot argument, which the kernel keeps in memory; its trace is later by that."""
    changes = lambda number: ["--append", "quiet"] if number == 3 else ()  # noqa: E731
    assert not repeat.repeat(tmp_path / "runs", COMMAND, 3, 2, 0, changes)
    said = capsys.readouterr().out
    assert "2 different hashes of RAM" in said and "ram differs from byte" in said and "   2  " in said
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["1", "3"]


def test_one_that_fails(tmp_path, capsys):
    assert not repeat.repeat(tmp_path / "runs", ["exit", "3"], 1, 1, 0)
    assert "status 1" in capsys.readouterr().out
