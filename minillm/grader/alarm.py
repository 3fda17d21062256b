"""A time limit for somebody else's function: Timeout is raised inside it until it is heard."""

import opcode
import signal
import sys
import threading
import time

AGAIN = 0.02  # seconds until a function that swallowed the time limit is told again
ENTER_EXCEPT = opcode.opmap.get("PUSH_EXC_INFO")


class Timeout(BaseException):
    """The time is over.  A BaseException, so that `except Exception` does not hold it back."""


def make_alarm(seconds):
    """The alarm that works here: a signal in the main thread of a system that has them, else a second thread."""
    main = threading.current_thread() is threading.main_thread()
    return SignalAlarm(seconds) if main and hasattr(signal, "SIGALRM") else ThreadAlarm(seconds)


class SignalAlarm:
    """Raises Timeout in the main thread, again and again until it is heard.

    A bare `except:` in a loop would swallow every one that comes while its `try:` is at work.  So each time we also
    raise it some lines later, and each time one line later than the last: sooner or later that is outside every `try:`.
    """

    def __init__(self, seconds):
        self.seconds, self.armed, self.rings, self.other = seconds, False, 0, (0.0, 0.0)

    def start(self):
        """Let the time run."""
        self.home = sys._getframe(1)  # of call(): an alarm that finds us there comes too late
        self.trace, self.handled = sys.gettrace(), sys.exc_info()[1]
        self.handler = signal.signal(signal.SIGALRM, self.ring)
        self.armed, self.began = True, time.perf_counter()
        self.other = signal.setitimer(signal.ITIMER_REAL, self.seconds, AGAIN)

    def ring(self, number, frame):
        """What the signal does."""
        if not self.armed or frame is self.home:
            return
        self.rings += 1
        self.lines_left = self.rings
        while frame is not None and frame is not self.home:
            frame.f_trace = self.line
            frame = frame.f_back
        sys.settrace(self.line)
        raise Timeout

    def line(self, frame, event, argument):
        """Called at each line of the function, once it has been told."""
        # Not in an except clause, nor at its door: CPython 3.11 would from then on believe that it never left it.
        entering = frame.f_code.co_code[frame.f_lasti] == ENTER_EXCEPT
        if self.armed and event == "line" and not entering and sys.exc_info()[1] is self.handled:
            self.lines_left -= 1
            if self.lines_left <= 0:
                raise Timeout
        return self.line

    def stop(self):
        """Put back what was there: handler, timer and tracer."""
        self.armed = False
        if not hasattr(self, "began"):
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self.handler)
        left, interval = self.other
        if left:  # somebody else's timer goes on
            signal.setitimer(signal.ITIMER_REAL, max(1e-3, left - (time.perf_counter() - self.began)), interval)
        if self.rings:
            sys.settrace(self.trace)


class ThreadAlarm:
    """The same from a second thread, where there are no signals; it cannot end a call that waits inside C."""

    def __init__(self, seconds):
        self.seconds, self.armed = seconds, False
        self.ident, self.over = threading.get_ident(), threading.Event()
        self.thread = threading.Thread(target=self.wait, daemon=True)

    def start(self):
        """Let the time run."""
        self.armed = True
        self.thread.start()

    def wait(self):
        """What the second thread does."""
        patience, rings = self.seconds, 0
        while not self.over.wait(patience):
            if self.armed:
                self.set()
            patience = AGAIN * (1 + rings % 7 / 7)  # not in step with a loop
            rings += 1

    def set(self):
        """Have Timeout raised in the thread that we watch."""
        import ctypes

        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident), ctypes.py_object(Timeout))

    def stop(self):
        """End the second thread, and wait for what it set in the last moment."""
        while True:
            try:
                self.armed = False
                self.over.set()
                if self.thread.ident:
                    self.thread.join()
                for _ in range(100):  # it is raised here, at the latest.  To take it back, with NULL, would leave
                    pass  # Python 3.11 looking for it at every step, and hang it when a tracer comes
                return
            except Timeout:  # it came while we stopped: once more
                continue
