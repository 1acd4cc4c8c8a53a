# SPDX-License-Identifier: MIT
"""Debian's chromium without a window, driven through the pipe of its DevTools protocol: loads a page, presses keys, looks.

https://chromedevtools.github.io/devtools-protocol: messages are JSON, each ended by a zero byte, on descriptors 3 and 4.
"""
import base64
import fcntl
import json
import os
import subprocess
from pathlib import Path

KEYS = {"Tab": 9, "Enter": 13, " ": 32}


class Browser:
    """One page in one browser. Use as a context."""

    def __init__(self, home, width=1440, height=900):
        commands_read, self.commands = os.pipe()
        self.answers, answers_write = os.pipe()
        ours = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (commands_read, answers_write)]
        # The page is our own: no sandbox, which neither root nor a container can have; nor does /dev/shm need to be large.
        program = ["chromium", "--headless", "--disable-gpu", "--no-first-run", "--hide-scrollbars", "--no-sandbox",
                   "--disable-dev-shm-usage", f"--user-data-dir={home}", "--remote-debugging-pipe", "about:blank"]
        self.log = Path(home) / "chromium.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(program, stdin=subprocess.DEVNULL, stdout=log, stderr=log, close_fds=False,
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
        self.process.kill()
        self.process.wait()
        os.close(self.commands)
        os.close(self.answers)

    def _message(self):
        while b"\0" not in self.rest:
            block = os.read(self.answers, 1 << 20)
            if not block:
                raise RuntimeError(f"chromium ended with status {self.process.wait()}:\n{self.log.read_text()[-2000:]}")
            self.rest += block
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **parameters):
        """The answer of a method; what else is said meanwhile goes to `events`."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
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

    def evaluate(self, expression):
        """The value of a JavaScript expression in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def press(self, key):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=KEYS[key],
                      **({"text": "\r"} if key == "Enter" and kind == "keyDown" else {}))

    def requests(self):
        """Addresses that the page asked for since it was loaded."""
        return [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]

    def complaints(self):
        return [e["params"] for e in self.events if e.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown")]

    def screenshot(self, whole=True):
        """PNG of the page, not only of the window."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"])
