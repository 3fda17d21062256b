"""A fresh process for a file that somebody else has written: started, asked, and ended with all that it started.

    with Child(task, timeout=60) as child:
        child.hear()                       what it tells next, a dict
        child.ask(...)                     the answer to a question

It runs submission.serve(), in an empty folder.  What it tells comes through a pipe, behind a key that is drawn anew and
that the file's code is not told; other lines are passed over.
"""

import base64
import contextlib
import json
import os
import pickle
import queue
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time

from ..workers import THREADS
from . import parcel, submission

STARTING = 60.0  # seconds until it says that it is ready: imports, on a machine that is busy
POLL = 0.05  # seconds between two looks at whether it still lives
LONGEST = 2**26  # bytes of one line
ENVIRONMENT = {
    **dict.fromkeys(THREADS, "1"),
    "MINILLM_HEADLESS": "1",  # grade and its like do nothing there
    "MINILLM_PROGRESS": "off",
    "MPLBACKEND": "Agg",
    "PIP_NO_INDEX": "1",  # a cell with %pip install changes nothing here
}
SECRET = ("MINILLM_CHECKS",)  # where the teacher's own checks are


class Gone(Exception):
    """There is no more to hear: the message says why, as the end of a sentence."""


class Child:
    """The process.  Leave `with`, or close it, and it is gone, and so is its folder.

    task: what submission.serve() is to do.  timeout: seconds that we wait for it in all, once it is ready.
    OSError if no process can be started.
    """

    def __init__(self, task, timeout):
        self.timeout = self.left = timeout
        self.began, self.end = False, None
        self.key = secrets.token_hex(16)
        self.heard = queue.SimpleQueue()
        self.folder = tempfile.TemporaryDirectory(prefix="minillm-", ignore_cleanup_errors=True)
        self.complaints = tempfile.TemporaryFile()
        code = f"import sys; sys.path[:] = {sys.path!r}; from minillm.grader import submission; submission.serve()"
        environment = {name: value for name, value in os.environ.items() if name not in SECRET}
        group = {"creationflags": subprocess.CREATE_NO_WINDOW} if os.name == "nt" else {"start_new_session": True}
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.complaints,
            cwd=self.folder.name,
            env=environment | ENVIRONMENT | {"IPYTHONDIR": os.path.join(self.folder.name, ".ipython")},
            **group,
        )
        threading.Thread(target=self._listen, daemon=True).start()
        self._write({**task, "key": self.key})

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def hear(self):
        """What it tells next, a dict.  Gone if it has ended, or if its time is over, which ends it.

        OSError if it has never been ready.
        """
        if self.end:
            raise Gone(self.end)
        if not self.began:
            self._begin()
        start = time.monotonic()
        try:
            return self._next(start + self.left)
        except Gone as gone:
            self.end = str(gone)
            self.kill()
            raise
        finally:
            self.left -= time.monotonic() - start

    def ask(self, exercise, method, *arguments):
        """What submission.reply() gives there.  Gone as in hear(); submission.Absent if there is no such answer.

        ValueError if it fails there, or gives something else than parcel knows.
        """
        words = base64.b64encode(pickle.dumps(arguments)).decode()  # made here and read there, never the other way
        self._write({"exercise": exercise, "method": method, "arguments": words})
        message = self.hear()
        if "absent" in message:
            raise submission.Absent(parcel.plain(message["absent"]))
        if "failed" in message:
            raise ValueError(parcel.plain(message["failed"]))
        return parcel.unpack(message.get("value"))

    def _begin(self):
        try:
            self._next(time.monotonic() + STARTING)
            self.began = True
        except Gone:
            self.complaints.seek(0)
            lines = self.complaints.read().decode(errors="replace").strip().splitlines()
            raise OSError(f"the process for the file did not start{': ' + lines[-1] if lines else ''}.") from None

    def kill(self):
        """End it, and all processes that it has started and that have not left its group."""
        if os.name == "nt":
            subprocess.run(["taskkill", "/F", "/T", "/PID", str(self.process.pid)], capture_output=True)
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()

    def close(self):
        """End it and remove its folder."""
        self.kill()
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self.complaints.close()
        self.folder.cleanup()

    def _write(self, message):
        with contextlib.suppress(OSError):  # that it has died will be heard
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    def _listen(self):
        """Sort its lines: those behind the key are messages; None is the end."""
        with self.process.stdout as pipe:
            while line := pipe.readline(LONGEST):
                key, _, words = line.partition(b" ")
                if key == self.key.encode():
                    with contextlib.suppress(ValueError, RecursionError):
                        message = json.loads(words)
                        self.heard.put(message if isinstance(message, dict) else {})
        self.heard.put(None)

    def _next(self, deadline):
        while True:
            try:
                message = self.heard.get(timeout=POLL)
            except queue.Empty:
                if time.monotonic() >= deadline:
                    raise Gone(f"stopped after {self.timeout:g} seconds") from None
                if self.process.poll() is None:
                    continue
                message = self._last()
            if message is None:
                raise Gone(self._why())
            return message

    def _last(self):
        """What it told just before it ended, or None: at once, unless another process holds its end of the pipe."""
        with contextlib.suppress(queue.Empty):
            return self.heard.get(timeout=1)

    def _why(self):
        """How it ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1)
        code = self.process.poll()
        if code is None:
            return "its process has closed what it answers through"
        if code >= 0:
            return f"its process ended itself, with exit code {code}"
        name = signal.Signals(-code).name
        causes = {"SIGKILL": ", as systems do when memory runs out", "SIGSEGV": ", a crash in compiled code"}
        return f"its process was killed by {name}{causes.get(name, '')}"
