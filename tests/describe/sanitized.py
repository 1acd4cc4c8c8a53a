# SPDX-License-Identifier: MIT
"""How the tests compile small kernels, and how they run what is built under ASan and UBSan."""
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent

SANITIZE = "-fsanitize=address,undefined -fno-sanitize-recover=all"
FLAGS = ["-march=rv64gc", "-mabi=lp64", "-mcmodel=medany", "-g", "-ffreestanding", "-fno-common", "-nostdlib", "-static",
         "-fno-omit-frame-pointer", "-mno-relax", "-fno-builtin", "-w", "-Wl,-Ttext=0x80000000", "-Wl,--no-warn-rwx-segments",
         "-Wl,--defsym=etext=0x80008000", "-Wl,--defsym=end=0x80350400"]


def run_sanitized(program, *words, statuses=(0,)):
    """Runs it; the CompletedProcess. A status that is none of these, as of a sanitizer's report, is a failure."""
    env = {"ASAN_OPTIONS": "exitcode=99", "UBSAN_OPTIONS": "print_stacktrace=1:exitcode=99", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([str(program), *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          errors="replace", timeout=120, env=env)
    assert done.returncode in statuses, f"{words}: status {done.returncode}\n{done.stdout[-500:]}{done.stderr[-3000:]}"
    return done
