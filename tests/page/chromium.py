"""A headless Chromium, asked over a pipe by the DevTools protocol; the standard library alone.

https://chromedevtools.github.io/devtools-protocol/ has the methods. With --remote-debugging-pipe
it reads JSON from descriptor 3 and answers on 4, each message ended by a zero byte.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pathlib import Path

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--no-first-run",
)
SECONDS = 30.0
SPAWN = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); "
    "os.execv(sys.argv[3], sys.argv[3:])"
)
SPOKEN = {"Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"}


class Browser:
    """A browser with one tab; a `with` block.

    Attributes:
        console: What the page that is open wrote there, errors and policy violations included.
    """

    def __init__(self, profile: Path) -> None:
        program = next(filter(None, map(shutil.which, PROGRAMS)), None)
        if program is None:
            raise AssertionError("no Chromium here; scripts/debian-packages browser installs it")
        flags = [*FLAGS, f"--user-data-dir={profile}"]
        flags += ["--no-sandbox"] if os.geteuid() == 0 else []
        commands, self._write = os.pipe()
        self._read, answers = os.pipe()
        # Above 3 and 4, which they become in the child.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (commands, answers)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", SPAWN, *map(str, ends), program, *flags, "about:blank"],
            pass_fds=ends,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (commands, answers, *ends):
            os.close(end)
        self._received = b""
        self._number = 0
        self._session = ""
        self._events: list[dict[str, Any]] = []
        self.console: list[str] = []

    def __enter__(self) -> Self:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Log", "Runtime", "Accessibility"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_: object) -> None:
        self._session = ""
        try:
            self.call("Browser.close")
            self._process.wait(SECONDS)
        except (AssertionError, OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._write)
        os.close(self._read)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method and wait for its result; AssertionError for an error."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        body = json.dumps(message).encode() + b"\0"
        while body:
            body = body[os.write(self._write, body) :]
        end = time.monotonic() + SECONDS
        while (answer := self._message(end, method)).get("id") != self._number:
            pass
        assert "error" not in answer, f"{method}: {answer['error']}"
        found: dict[str, Any] = answer["result"]
        return found

    def open(
        self,
        file: Path,
        width: int = 1280,
        height: int = 800,
        scheme: str = "light",
        media: str = "screen",
    ) -> None:
        """Open a page and wait until it is loaded."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if width < 500 else 1,
            mobile=width < 500,
        )
        self.call(
            "Emulation.setEmulatedMedia",
            media=media,
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        self._events.clear()
        self.console.clear()
        self.call("Page.navigate", url=file.as_uri())
        end = time.monotonic() + SECONDS
        while not any(each["method"] == "Page.loadEventFired" for each in self._events):
            self._message(end, "loading")

    def ask(self, expression: str) -> Any:
        """The value of an expression in the page, once a promise is kept; AssertionError if none.

        The page's own policy does not bind it.
        """
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """Press a key and let it go."""
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            more = text if kind == "keyDown" else {}
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                **more,
            )

    def names(self) -> list[tuple[str, str]]:
        """What a screen reader finds: role and name of each node that is not passed over."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [
            (each["role"]["value"], each.get("name", {}).get("value", ""))
            for each in nodes
            if not each["ignored"]
        ]

    def picture(self, file: Path, *, is_long: bool = False) -> None:
        """Keep what is on the screen; is_long: the page to its end."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=is_long)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(shot["data"]))

    def printed(self) -> bytes:
        """The page as it is printed, a PDF."""
        found = self.call("Page.printToPDF", preferCSSPageSize=True)
        return base64.b64decode(found["data"])

    def _message(self, end: float, what: str) -> dict[str, Any]:
        """The next message; events are kept."""
        while b"\0" not in self._received:
            readable, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
            assert readable, f"no answer from Chromium: {what}"
            more = os.read(self._read, 1 << 20)
            assert more, f"Chromium ended: {what}"
            self._received += more
        body, _, self._received = self._received.partition(b"\0")
        message: dict[str, Any] = json.loads(body)
        if "method" in message:
            self._events.append(message)
            if message["method"] in SPOKEN:
                self.console.append(json.dumps(message["params"]))
        return message
