"""Somebody else's function, run so that it harms nobody: timed, silenced, and its errors made into a sentence."""

import builtins
import contextlib
import dataclasses
import inspect
import io
import linecache
import os
import signal
import sys
import threading
import time
import warnings

import numpy as np

from .alarm import Timeout, make_alarm
from .sink import Sink, shorten

SECONDS = 3.0  # a function that is asked about arrays of a few dozen numbers
OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Asked(Exception):
    """The function called input()."""


class Unfit(Exception):
    """What was returned is not what was asked for; raised by us, in a sentence, while the guard is up."""


@dataclasses.dataclass(frozen=True)
class Trouble:
    """Why there is no value: what happened in one line without place (kind), and as a sentence for its author."""

    kind: str
    says: str

    @property
    def unwritten(self):
        """Whether the function said that it is not written yet."""
        return self.kind == "todo"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a call: its value, or the trouble; and how long it took, in seconds."""

    value: object = None
    trouble: Trouble | None = None
    seconds: float = 0.0


def call(function, *arguments, seconds=SECONDS, sink=None, author=None, **options):
    """The Outcome of function(*arguments, **options).  Raises nothing but the KeyboardInterrupt of a real Ctrl-C.

    Exceptions, SystemExit and a time limit in seconds become a Trouble; what is printed goes into `sink`; input() is
    refused; NumPy's error state, warnings, streams and signal handlers are afterwards what they were.
    """
    start = time.perf_counter()
    elapsed = lambda: time.perf_counter() - start
    with quiet(Sink() if sink is None else sink), interrupts() as interrupted:
        alarm = make_alarm(seconds)
        try:
            try:
                alarm.start()
                value = function(*arguments, **options)
            finally:
                alarm.armed = False
            outcome = Outcome(value, None, elapsed())
        except BaseException as error:  # whatever it raises, SystemExit too; of a real Ctrl-C `interrupted` knows
            alarm.armed = False
            outcome = Outcome(None, trouble(error, function if author is None else author, seconds), elapsed())
        finally:
            alarm.stop()
    if interrupted:
        raise KeyboardInterrupt
    return outcome


@contextlib.contextmanager
def quiet(sink):
    """Everything that is printed goes into the sink, nothing is asked, and no warning is shown."""
    before = sys.stdout, sys.stderr, sys.stdin, builtins.input, builtins.print
    try:
        sys.stdout, sys.stderr, sys.stdin, builtins.input = sink, sink, io.StringIO(), refuse
        sink.counter.hurry()
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.stdout, sys.stderr, sys.stdin, builtins.input, builtins.print = before


def refuse(*prompt):
    """What input() is while a function is graded."""
    raise Asked


@contextlib.contextmanager
def interrupts():
    """A list that holds something once a real Ctrl-C has come, even if the function swallowed it."""
    came = []
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield came
        return

    def note(number, frame):
        came.append(number)
        before(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, before)


def trouble(error, author, seconds):
    """What went wrong, in one sentence, with the line of the function's own file where it did."""
    where = place(error.__traceback__, author)
    if isinstance(error, Timeout):
        return Trouble("timeout", f"was stopped after {seconds:.2g} seconds{where}")
    if isinstance(error, Asked):
        return Trouble("input", f"asked for input(), which nobody answers here{where}")
    if isinstance(error, Unfit):
        return Trouble(str(error), str(error))
    name, message = type(error).__name__, text_of(error)
    if isinstance(error, NotImplementedError):
        return Trouble("todo", "not written yet" + (f": {message}" if message else ""))
    said = f"{name}: {message}" if message else name
    return Trouble(said, f"raised {said}{where}")


def text_of(error):
    """An exception's message, on one line and not long, whatever its author made of it."""
    try:
        return shorten(str(error), 160)
    except Exception:
        return ""


def place(traceback, function):
    """ ", in line 4: y = x @ w", the innermost line of the function's own file; "" if it is not known."""
    frames = []
    while traceback is not None:
        frames.append((traceback.tb_frame.f_code.co_filename, traceback.tb_lineno))
        traceback = traceback.tb_next
    code = code_of(function)
    own = [at for at in frames if code is not None and at[0] == code.co_filename]
    theirs = own or [at for at in frames if not os.path.abspath(at[0]).startswith(OURS)]
    if not theirs:
        return ""
    file, number = theirs[-1]
    line = shorten(linecache.getline(file, number), 60)
    return f", in line {number}" + (f": {line}" if line else "")


def code_of(function):
    """The code object of a function, whatever it is wrapped in; None for what has none, or raises when it is asked."""
    try:
        return inspect.unwrap(function).__code__
    except BaseException:  # an object may raise what it likes when it is looked at
        return None


def noting(codes, function):
    """The function, which now adds the code of all Python functions that run while it does to the set `codes`."""

    def watched():
        before = sys.getprofile()
        sys.setprofile(lambda frame, event, argument: codes.add(frame.f_code))
        try:
            return function()
        finally:
            sys.setprofile(before)

    return watched
