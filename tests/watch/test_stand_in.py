# SPDX-License-Identifier: MIT
"""The stand-in for QEMU: what it passes through, what it refuses, where the runs go.

Verified here: WATCH-1 (a call that is not traced runs as without us), WATCH-2 (what is in the folder before the machine).
"""
import gzip
import json
import os
import re
import shutil
import signal
import subprocess

import pytest
from harness import paths
from harness.tool import CANNOT_TELL, OK, pagetrail, read_until, run_tool
from watching import QEMU, described, fake_qemu, finish, kernel, kernels, shell_words, start_watch, watch

NO_MACHINE = "the command started no qemu-system-riscv64 that boots a kernel"
SHOW = 'printf "<%s>\\n" "$@"; cat; exit 7\n'


def test_other_calls_pass_unchanged(tmp_path):
    """Words with blanks and quotes, the input and the status: as without us."""
    env = fake_qemu(tmp_path / "bin", SHOW)
    script = f"echo typed | {QEMU} --version 'two words' '\"' -device 'a,b=c' ''; echo status $?"
    plain = subprocess.run(["sh", "-c", script], env={"PATH": env["PATH"]}, capture_output=True, text=True)
    done = watch("--out", tmp_path / "run", "sh", "-c", script, env=env)
    assert plain.stdout in done.out and "<two words>" in plain.stdout and "typed" in plain.stdout
    assert "status 7" in done.out and done.status == CANNOT_TELL
    assert NO_MACHINE in done.err and not (tmp_path / "run").exists()


def test_traced_call_keeps_its_words(tmp_path):
    env = fake_qemu(tmp_path / "bin", SHOW)
    words = kernel("small-plain", more=["-name", "two words"])
    done = watch("--out", tmp_path / "run", *words, env=env)
    said = re.findall("^<(.*)>$", done.out, re.M)
    assert said[:len(words) - 1] == words[1:] and said[len(words) - 1] == "-plugin" and len(said) == len(words) + 1
    assert f"out={tmp_path}/run,hooks={tmp_path}/run/kernel/hooks" in said[-1]
    start = json.loads((tmp_path / "run/watch.json").read_text())
    assert start["qemu"][1:] == words[1:] and start["qemu_program"] == str(tmp_path / "bin" / QEMU)
    assert (tmp_path / "run/kernel/kernel.elf").read_bytes() == kernels.elf("small-plain").read_bytes()
    # It did not start the plugin, so it is no QEMU that we can use.
    assert done.status == CANNOT_TELL and "did not start the plugin" in done.err and "qemu-system-misc" in done.err


def test_qemu_without_plugins_is_refused(tmp_path):
    env = fake_qemu(tmp_path / "bin", 'echo "qemu: -plugin: invalid option" >&2; exit 1\n')
    done = watch("--out", tmp_path / "run", *kernel("small-plain"), env=env)
    assert done.status == CANNOT_TELL and "QEMU with plugins" in done.err and "Debian's is one" in done.err


def test_no_qemu_at_all(tmp_path):
    (tmp_path / "bin").mkdir()
    for program in ("sh", "env"):
        (tmp_path / "bin" / program).symlink_to(shutil.which(program))
    done = watch("--out", tmp_path / "run", "sh", "-c", shell_words(kernel("small-plain")), env={"PATH": str(tmp_path / "bin")})
    assert done.status == CANNOT_TELL and "is not in PATH" in done.err and "qemu-system-misc" in done.err


def test_qemu_named_by_its_path(tmp_path):
    done = watch("--out", tmp_path / "run", shutil.which(QEMU), "--version")
    assert done.status == CANNOT_TELL and NO_MACHINE in done.err and "must be found through PATH" in done.err


def test_command_that_fails_or_is_none(tmp_path):
    done = watch("--out", tmp_path / "run", "sh", "-c", "exit 3")
    assert done.status == CANNOT_TELL and "ended with status 3\n" in done.err and NO_MACHINE in done.err
    assert done.err.index("ended with status 3") < done.err.index(NO_MACHINE)
    done = watch("--out", tmp_path / "run", "no-such-command")
    assert done.status == CANNOT_TELL and "no-such-command: No such file" in done.err
    assert watch().status == CANNOT_TELL


def test_a_tree_that_does_not_build(tmp_path):
    """Its status first, then its first error, and for what newer compilers refuse the cure."""
    script = "echo cc -c user/sh.c; echo 'user/sh.c:58:1: error: infinite recursion detected'; echo 'make: *** [sh.o] Error 1'; exit 2"
    done = watch("--out", tmp_path / "run", "--timeout", 60, "sh", "-c", script)
    assert done.status == CANNOT_TELL and NO_MACHINE in done.err
    said = [done.err.index(text) for text in ("ended with status 2", "the first error: user/sh.c:58:1: error: infinite recursion",
                                              "-Wno-error=infinite-recursion")]
    assert said == sorted(said) and "found through PATH" not in done.err
    done = watch("--out", tmp_path / "run", "--timeout", 60, "sh", "-c", "echo 'a.c:1: error: no such thing'; exit 2")
    assert "the first error: a.c:1: error: no such thing" in done.err and "-Wno-error" not in done.err


@pytest.mark.parametrize("options", [(), ("--timeout", 100)])
def test_a_kernel_that_never_begins(tmp_path, options):
    """It is said while it is waited for, and not only at the end."""
    env = fake_qemu(tmp_path / "bin", "exec sleep 1000\n")
    process = start_watch("--out", tmp_path / "run", *options, *kernel("small-plain"), env=env)
    try:
        said = read_until(process, "pmp=false")
        assert "said and recorded nothing for 20 seconds; it is still waited for" in said and process.poll() is None
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        finish(process)


def test_machine_that_is_refused_beside_one_that_runs(tmp_path):
    """No leaks in one of two machines says nothing of the other."""
    (tmp_path / "no-elf").write_text("no ELF file")
    script = f"{QEMU} -kernel {tmp_path}/no-elf; {shell_words(kernel('small-plain'))}"
    done = watch("--out", tmp_path / "run", "sh", "-c", script)
    assert "no leaks" in done.out and "1 of the 2 machines that the command started could not be watched" in done.err
    assert done.status == CANNOT_TELL


def test_status_of_the_command_is_said(tmp_path):
    """A grade script that fails has a status that is not the verdict's."""
    done = watch("--out", tmp_path / "run", "sh", "-c", shell_words(kernel("small-plain")) + "; exit 3")
    assert done.status == OK and "the command ended with status 3\n" in done.err
    done = watch("--out", tmp_path / "run", "sh", "-c", shell_words(kernel("small-plain")) + "; kill -9 $$")
    assert done.status == OK and "the command was ended by signal 9\n" in done.err


def test_watch_inside_a_watch(tmp_path):
    """Two stand-ins are in PATH, and neither takes the other for QEMU: the inner watch has the run."""
    env = fake_qemu(tmp_path / "bin", SHOW)
    inner = f"{paths.PAGETRAIL} watch --out {tmp_path}/inner {shell_words(kernel('small-plain'))}"
    done = watch("--out", tmp_path / "outer", "sh", "-c", inner, env=env, limit=20)
    assert done.out.count("<-plugin>") == 1 and done.status == CANNOT_TELL
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin", "inner"]


def test_nothing_stays_of_a_watch_that_could_not_begin(tmp_path):
    (tmp_path / "temporary").mkdir()
    (tmp_path / "pagetrail-runs").write_text("no folder")
    for words in (["--until", "[", "true"], ["--type", "x", "--prompt", "(", "true"], ["true"], ["--timeout", 5, "no-such-command"]):
        done = watch(*words, cwd=tmp_path, env={"TMPDIR": str(tmp_path / "temporary")})
        assert done.status == CANNOT_TELL and not list((tmp_path / "temporary").iterdir()), (words, done.err)


def test_plugin_is_missing(tmp_path):
    tool = tmp_path / "pagetrail"
    shutil.copy2(paths.PAGETRAIL, tool)
    done = run_tool(tool, "watch", "--out", tmp_path / "run", *kernel("small-plain"))
    assert done.status == CANNOT_TELL and "pagetrail-plugin.so is not beside this program" in done.err
    assert not (tmp_path / "run").exists()


def strip(folder, *options):
    path = folder / "stripped.elf"
    subprocess.run([paths.CROSS + "objcopy", *options, str(kernels.elf("small-plain")), str(path)], check=True)
    return path


def with_kernel(path):
    words = kernel("small-plain")
    words[words.index("-kernel") + 1] = str(path)
    return words


def test_kernels_that_cannot_be_described(tmp_path):
    """Nothing runs untraced: who then saw no leak would believe it."""
    image = tmp_path / "image.bin"
    image.write_bytes(b"\x13\0\0\0" * 4096)
    for path, says in ((image, "--elf FILE names the kernel"), (tmp_path / "none", "none: "),
                       (strip(tmp_path, "--strip-all"), "nothing can be traced")):
        done = watch("--out", tmp_path / f"run-{path.name}", *with_kernel(path))
        assert done.status == CANNOT_TELL and says in done.err and NO_MACHINE not in done.err, (path, done.err)
        assert "test fork" not in done.out


def test_kernel_without_debug_information(tmp_path):
    done = watch("--out", tmp_path / "run", *with_kernel(strip(tmp_path, "--strip-debug")))
    assert done.status == CANNOT_TELL and "Was the kernel built with -g?" in done.err
    assert "--kernel-description FILE" in done.err and "no debug information" in done.err  # what was found so far


def test_elf_beside_what_qemu_boots(tmp_path):
    """QEMU boots a form of the kernel without symbols; --elf names the one with them."""
    done = watch("--out", tmp_path / "run", "--elf", kernels.elf("small-plain"), "--kernel-description",
                 described(tmp_path, "small-plain"), *with_kernel(strip(tmp_path, "--strip-all")))
    assert done.status == OK, done.out + done.err


def test_elf_of_another_kernel(tmp_path):
    """Its names would be wrong ones: a function nobody called would be the suspect."""
    done = watch("--out", tmp_path / "run", "--elf", kernels.elf("small-plain"), *kernel("small-plain-shrink_keeps"))
    assert done.status == CANNOT_TELL and "is not the kernel that QEMU boots" in done.err, done.out + done.err
    assert "LEAKED" not in done.out and "test fork" not in done.out


def test_elf_beside_a_raw_image(tmp_path):
    image = tmp_path / "image.bin"
    subprocess.run([f"{paths.CROSS}objcopy", "-O", "binary", kernels.elf("small-plain"), image], check=True)
    done = watch("--out", tmp_path / "run", "--elf", kernels.elf("small-plain"), *with_kernel(image))
    assert done.status == OK and done.err == "", done.out + done.err
    done = watch("--out", tmp_path / "other", "--elf", kernels.elf("small-plain-shrink_keeps"), *with_kernel(image))
    assert done.status == CANNOT_TELL and "was made of another build" in done.err and "test fork" not in done.out, done.err
    image.write_bytes(gzip.compress(image.read_bytes()))
    done = watch("--out", tmp_path / "packed", "--elf", kernels.elf("small-plain"), "--timeout", 5, *with_kernel(image))
    assert done.status == CANNOT_TELL and "does not stand in it" in done.out + done.err, done.out + done.err


@pytest.mark.parametrize("bad", ["a,b"])
def test_folder_that_qemu_would_misread(tmp_path, bad):
    done = watch("--out", tmp_path / bad, *kernel("small-plain"))
    assert done.status == CANNOT_TELL and "name another folder" in done.err and "test fork" not in done.out


def test_names_of_run_folders(tmp_path):
    """Without --out: a folder of the time in pagetrail-runs/, which version control does not see."""
    assert watch(*kernel("small-plain"), cwd=tmp_path).status in (OK, CANNOT_TELL, 1)
    runs = sorted(path.name for path in (tmp_path / "pagetrail-runs").iterdir())
    assert runs[0] == ".gitignore" and (tmp_path / "pagetrail-runs/.gitignore").read_text() == "*\n"
    assert len(runs) == 2 and re.fullmatch(r"\d{8}-\d{6}", runs[1])
    assert list(tmp_path.iterdir()) == [tmp_path / "pagetrail-runs"]


def test_what_nobody_may_overwrite(tmp_path):
    """A folder that is there is left alone: the run goes beside it."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run/mine").write_text("mine")
    watch("--out", tmp_path / "run", *kernel("small-plain"))
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine"]
    assert (tmp_path / "run-2/run.json").exists()
    assert pagetrail("summary", tmp_path / "run-2").status == OK
