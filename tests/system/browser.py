"""A headless Chromium with any number of pages, driven by its own protocol over two pipes: scripts
are run in a page, keys pressed, pictures taken. Every wait has a deadline."""

import base64
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading

from host import SECONDS_MAX, environment, until

CHROMIUM = shutil.which("chromium")
START_SECONDS_MAX = 4 * SECONDS_MAX


class Page:
    """One tab. Pages of a browser share what it keeps."""

    def __init__(self, browser, target, session):
        self.browser, self.target, self.session = browser, target, session

    def ask(self, method, **parameters):
        return self.browser.ask(method, self.session, **parameters)

    def run(self, script):
        """The value of an expression, promises awaited."""
        done = self.ask("Runtime.evaluate", expression=script, returnByValue=True,
                        awaitPromise=True)
        if "exceptionDetails" in done:
            raise AssertionError(f"{script}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def until(self, script, what):
        return until(lambda: self.run(script), what)

    def open(self, url):
        """Loads a page, and returns when its scripts have run."""
        self.run("window.leaving = true")
        self.ask("Page.navigate", url=url)
        self.loaded(url)

    def reload(self):
        self.run("window.leaving = true")
        self.ask("Page.reload")
        self.loaded("the page again")

    def loaded(self, what):
        self.until("!window.leaving && document.readyState === 'complete'", what)

    def type(self, selector, text):
        """As a person: a click into the field, and the text."""
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        self.ask("Input.insertText", text=text)

    def press_enter(self):
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r",
                     windowsVirtualKeyCode=13)

    def size(self, width, height, mobile=False):
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=2 if mobile else 1, mobile=mobile)

    def picture(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.ask("Page.captureScreenshot")["data"]))


class Browser:
    """As a context manager it is ended with the block."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="weft-browser-")
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()

        def place():  # Where --remote-debugging-pipe has them.
            first, second = os.dup(commands), os.dup(answers)
            os.dup2(first, 3)
            os.dup2(second, 4)

        self.process = subprocess.Popen(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             f"--user-data-dir={self.folder}/data", "--no-first-run", "--hide-scrollbars",
             "--disable-background-networking", "--remote-debugging-pipe", "about:blank"],
            env={**environment(self.folder), "HOME": self.folder}, preexec_fn=place,
            close_fds=False, start_new_session=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(commands)
        os.close(answers)
        self._number, self._done, self._news = 0, {}, threading.Condition()
        self._over = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        rest = b""
        while data := os.read(self._answers, 1 << 16):
            *whole, rest = (rest + data).split(b"\0")
            with self._news:
                for each in map(json.loads, whole):
                    if "id" in each:  # The others are events, which nobody asked for.
                        self._done[each["id"]] = each
                self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()

    def ask(self, method, session=None, **parameters):
        with self._news:
            self._number += 1
            number = self._number
            message = {"id": number, "method": method, "params": parameters}
            if session:
                message["sessionId"] = session
            os.write(self._commands, json.dumps(message).encode() + b"\0")
            self._news.wait_for(lambda: number in self._done or self._over, START_SECONDS_MAX)
            answer = self._done.pop(number, None)
        if answer is None or "error" in answer:
            raise AssertionError(f"{method}: {answer and answer['error']}")
        return answer["result"]

    def page(self, url):
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, target, session)
        page.open(url)
        return page

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Its group has nobody but what it started itself.
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(SECONDS_MAX)
        os.close(self._commands)
        shutil.rmtree(self.folder, ignore_errors=True)
