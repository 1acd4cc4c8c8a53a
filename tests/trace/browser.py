# SPDX-License-Identifier: MIT
"""Debian's chromium without a window, driven through the pipe of its DevTools protocol: loads a page, presses keys, moves the mouse, looks.

https://chromedevtools.github.io/devtools-protocol: messages are JSON, each ended by a zero byte, on descriptors 3 and 4.
"""
import base64
import fcntl
import json
import os
import select
import signal
import subprocess
from pathlib import Path

KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "PageUp": 33, "PageDown": 34, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowUp": 38,
        "ArrowRight": 39, "ArrowDown": 40}
SHIFT = 8
END_SECONDS = 20  # for a chromium that was asked to end
# Resolves once the condition holds; it is looked at before each frame that is painted.
UNTIL = "new Promise(done => {{ const look = () => ({}) ? done(true) : requestAnimationFrame(look); look(); }})"


class Browser:
    """One page in one browser. Use as a context."""

    def __init__(self, home, width=1440, height=900):
        commands_read, self.commands = os.pipe()
        self.answers, answers_write = os.pipe()
        ours = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (commands_read, answers_write)]
        # The page is our own: no sandbox, which neither root nor a container can have; nor does /dev/shm need to be large.
        program = ["chromium", "--headless", "--disable-gpu", "--no-first-run", "--hide-scrollbars", "--no-sandbox",
                   "--disable-dev-shm-usage", "--disable-breakpad", f"--user-data-dir={home}", "--remote-debugging-pipe", "about:blank"]
        self.log = Path(home) / "chromium.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(program, stdin=subprocess.DEVNULL, stdout=log, stderr=log, close_fds=False, start_new_session=True,
                                            preexec_fn=lambda: [os.dup2(fd, to) for to, fd in enumerate(ours, 3)])
        for fd in (commands_read, answers_write, *ours):
            os.close(fd)
        self.number, self.session, self.events, self.rest = 0, None, [], b""
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(t["targetId"] for t in targets if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.resize(width, height)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Nothing of it lives on: its children write into `home`, which the caller removes next."""
        self.session = None
        try:
            self._send("Browser.close")
            while select.select([self.answers], [], [], END_SECONDS)[0] and os.read(self.answers, 1 << 20):
                pass  # until the end of its pipe
            self.process.wait(END_SECONDS)
        except (OSError, subprocess.TimeoutExpired):
            pass  # it has ended by itself, or does not end: both are seen to below
        while members := self._group():
            for pid in members:
                self._end(pid)
        self.process.wait()
        os.close(self.commands)
        os.close(self.answers)

    @staticmethod
    def _end(pid):
        """Kills a process of chromium's, and returns when it has ended: helpers outlive the browser, by more when it was killed."""
        try:
            process = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            signal.pidfd_send_signal(process, signal.SIGKILL)
            assert select.select([process], [], [], END_SECONDS)[0], f"SIGKILL does not end process {pid}"
        except ProcessLookupError:
            pass
        finally:
            os.close(process)

    def _group(self):
        """Processes of the session that chromium began, and those that left it and have our folder among their words (crash handlers)."""
        members = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _, _, session = stat.read_text().rsplit(")", 1)[1].split()[:4]
                words = stat.with_name("cmdline").read_bytes().split(b"\0")
            except (OSError, ValueError):
                continue  # it ended meanwhile
            ours = int(session) == self.process.pid or any(str(self.log.parent).encode() in word for word in words)
            if ours and b"chrom" in words[0] and state not in "ZX":
                members.append(int(stat.parent.name))
        return members

    def _message(self):
        while b"\0" not in self.rest:
            block = os.read(self.answers, 1 << 20)
            if not block:
                raise RuntimeError(f"chromium ended with status {self.process.wait()}:\n{self.log.read_text()[-2000:]}")
            self.rest += block
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def _send(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")

    def call(self, method, **parameters):
        """The answer of a method; what else is said meanwhile goes to `events`."""
        self._send(method, **parameters)
        while True:
            answer = self._message()
            if answer.get("id") == self.number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self.events.append(answer)

    def resize(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def dark(self, dark=True):
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def load(self, path):
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri())
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self._message())

    def evaluate(self, expression, promise=False):
        """The value of a JavaScript expression in the page; of a promise, what it comes to."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=promise)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def until(self, condition):
        """Waits for a JavaScript condition."""
        assert self.evaluate(UNTIL.format(condition), promise=True)

    # ---- by keyboard ----

    def press(self, key, times=1, shift=False):
        for _ in range(times):
            for kind in ("keyDown", "keyUp"):
                self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=KEYS[key], modifiers=SHIFT if shift else 0,
                          **({"text": {"Enter": "\r", " ": " "}[key]} if key in ("Enter", " ") and kind == "keyDown" else {}))

    def type(self, text):
        self.call("Input.insertText", text=text)

    def focus(self, selector):
        """Gives an element the focus, as the keyboard does."""
        self.evaluate(f"document.querySelector({json.dumps(selector)}).focus({{focusVisible: true}})")

    # ---- by mouse ----

    def mouse(self, kind, x, y, buttons=0):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left" if kind != "mouseMoved" or buttons else "none", buttons=buttons,
                  clickCount=0 if kind == "mouseMoved" else 1)

    def place(self, selector, across=0.5, down=0.5):
        """Where an element is in the window, after it was scrolled there: a part of its width and height."""
        return self.evaluate(f"""(() => {{ const element = document.querySelector({json.dumps(selector)});
            element.scrollIntoView({{block: "center", inline: "nearest"}});
            const box = element.getBoundingClientRect(); return [box.left + box.width * {across}, box.top + box.height * {down}]; }})()""")

    def point(self, selector, across=0.5, down=0.5):
        self.mouse("mouseMoved", *self.place(selector, across, down))

    def click(self, selector, across=0.5, down=0.5):
        at = self.place(selector, across, down)
        self.mouse("mouseMoved", *at)
        self.mouse("mousePressed", *at, 1)
        self.mouse("mouseReleased", *at)

    def drag(self, selector, across, to, down=0.5):
        """Along an element, from a part of its width to another."""
        begin, end = self.place(selector, across, down), self.place(selector, to, down)
        self.mouse("mouseMoved", *begin)
        self.mouse("mousePressed", *begin, 1)
        self.mouse("mouseMoved", (begin[0] + end[0]) / 2, begin[1], 1)
        self.mouse("mouseMoved", *end, 1)
        self.mouse("mouseReleased", *end)

    def requests(self):
        """Addresses that the page asked for since it was loaded."""
        return [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]

    def complaints(self):
        return [e["params"] for e in self.events if e.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown")]

    def screenshot(self, whole=True):
        """PNG of the page, not only of the window."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"])
