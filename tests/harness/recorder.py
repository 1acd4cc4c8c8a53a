# SPDX-License-Identifier: MIT
"""Many `pagetrail run` at a time, which end with the command that started them.

    recorder = Recorder()
    for_each(recorder, jobs, one, items)      one(item) calls recorder.run(words, ...)

Each run is a process group of its own, so that a ctrl-C reaches us alone: we end them, and what was running counts for nothing
(Stopped), rather than as a run that failed.
"""
import os
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

from . import paths


class Stopped(Exception):
    """The user ends it; what runs is no result."""


class Recorder:
    """The runs of one command."""

    def __init__(self):
        self.processes, self.stopping, self.lock = set(), False, threading.Lock()
        signal.signal(signal.SIGTERM, signal.default_int_handler)

    def stop(self):
        with self.lock:
            self.stopping = True
            for process in self.processes:
                os.killpg(process.pid, signal.SIGTERM)

    def _start(self, words):
        with self.lock:
            if self.stopping:
                raise Stopped
            process = subprocess.Popen([str(word) for word in (paths.PAGETRAIL, *words)], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
            self.processes.add(process)
        return process

    def run(self, words, limit, meanwhile=lambda process: ""):
        """Runs `pagetrail WORDS` to its end: (status, what it said). meanwhile(process) returns what it has read itself."""
        process = self._start(words)
        try:
            said = meanwhile(process)
            said += process.communicate(timeout=limit)[0].decode(errors="replace")
        except Exception as error:
            if self.stopping:
                raise Stopped from error
            raise
        finally:
            with self.lock:
                self.processes.discard(process)
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if self.stopping:
            raise Stopped
        return process.returncode, said


def for_each(recorder, jobs, function, items):
    """function(item) of all, so many at a time; an exception or a ctrl-C ends the others."""
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            recorder.stop()
            raise
