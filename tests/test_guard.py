"""Whatever somebody else's function does, it ends, it says so in one sentence, and nothing of it is left behind."""

import builtins
import contextlib
import logging
import os
import signal
import sys
import threading
import time
import warnings

import numpy as np
import pytest

from minillm.grader import alarm, guard
from minillm.grader.sink import FLOOD, Sink, shorten

SIGNALS = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="there are no alarm signals here")


def world():
    """All that a function must not leave changed."""
    handlers = [signal.getsignal(s) for s in (signal.SIGINT, getattr(signal, "SIGALRM", signal.SIGINT))]
    timer = signal.getitimer(signal.ITIMER_REAL) if hasattr(signal, "getitimer") else None
    streams = sys.stdout, sys.stderr, sys.stdin, builtins.input, builtins.print
    hooks = sys.gettrace(), sys.getprofile(), sys.exc_info()
    return [*handlers, timer, *streams, *hooks, np.geterr(), list(warnings.filters), threading.active_count()]


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    before = world()
    yield
    assert world() == before


@pytest.fixture(params=["signal", "thread"])
def limited(request):
    """guard.call with a short limit, in the main thread and in another one: the two alarms."""
    if request.param == "signal":
        if not hasattr(signal, "SIGALRM"):
            pytest.skip("there are no alarm signals here")
        return lambda f, seconds=0.2: guard.call(f, seconds=seconds)

    def in_a_thread(f, seconds=0.2):
        outcomes = []
        thread = threading.Thread(target=lambda: outcomes.append(guard.call(f, seconds=seconds)))
        thread.start()
        thread.join(20)
        assert outcomes, "it was never stopped"
        return outcomes[0]

    return in_a_thread


def test_a_value_comes_back_and_arguments_go_in():
    outcome = guard.call(lambda a, *, b: (a, b), 1, b=2)
    assert outcome.value == (1, 2) and outcome.trouble is None and 0 <= outcome.seconds < 30


def bad_index():
    x = [1, 2]
    return x[5]


def test_an_exception_is_one_sentence_with_the_line_of_the_function_itself():
    trouble = guard.call(bad_index).trouble
    line = bad_index.__code__.co_firstlineno + 2
    assert trouble.kind == "IndexError: list index out of range"
    assert trouble.says == f"raised IndexError: list index out of range, in line {line}: return x[5]"


def test_the_line_is_the_functions_own_even_if_the_error_is_deep_inside_numpy():
    def wrong_shapes():
        x = np.ones((2, 3))
        return np.linalg.inv(x)

    assert guard.call(wrong_shapes).trouble.says.endswith(": return np.linalg.inv(x)")


@pytest.mark.parametrize(
    "error, kind",
    [
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (GeneratorExit(), "GeneratorExit"),
        (MemoryError(), "MemoryError"),
        (BaseExceptionGroup("two", [SystemExit(), ValueError()]), "BaseExceptionGroup: two (2 sub-exceptions)"),
        (ValueError("a\n  b\tc"), "ValueError: a b c"),
        (StopIteration(7), "StopIteration: 7"),
    ],
)
def test_whatever_is_raised_becomes_a_sentence(error, kind):
    def f():
        raise error

    assert guard.call(f).trouble.kind == kind


def test_endless_recursion_and_more_memory_than_there_is_are_sentences_too():
    def deeper():
        return deeper()

    assert guard.call(deeper).trouble.kind.startswith("RecursionError: maximum recursion depth")
    assert guard.call(lambda: np.zeros(2**50)).trouble.kind.startswith("MemoryError: Unable to allocate")


def test_a_message_that_is_long_or_cannot_be_printed_does_no_harm():
    class Rude(Exception):
        def __str__(self):
            raise SystemError

    def f(error):
        raise error

    assert len(guard.call(f, ValueError("word " * 1000)).trouble.kind) < 200
    assert guard.call(f, Rude()).trouble.kind == "Rude"


def test_not_written_yet_is_no_error():
    def stub():
        raise NotImplementedError("your turn: dx")

    trouble = guard.call(stub).trouble
    assert trouble.unwritten and trouble.says == "not written yet: your turn: dx"


def endless():
    while True:
        pass


def swallowing_exceptions():
    while True:
        with contextlib.suppress(Exception):
            sum(range(100))


def swallowing_everything():
    while True:
        try:
            sum(range(100))
        except:  # noqa: E722
            pass


@pytest.mark.parametrize("f", [endless, swallowing_exceptions, swallowing_everything])
def test_an_endless_loop_is_stopped_and_its_line_named(limited, f):
    start = time.perf_counter()
    trouble = limited(f).trouble
    assert trouble.kind == "timeout" and trouble.says.startswith("was stopped after 0.2 seconds")
    assert ", in line " in trouble.says
    assert time.perf_counter() - start < 60  # it ended; how soon depends on how busy the machine is


def asleep_under_two_covers():
    while True:
        try:
            try:
                time.sleep(1)
            except:  # noqa: E722
                pass
        except BaseException:
            continue


def never_finally_done():
    while True:
        try:
            time.sleep(1)
        finally:
            continue  # noqa: B012


def suppressing_everything():
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(1)


def asleep_in_the_except_clause():
    while True:
        try:
            time.sleep(1)
        except:  # noqa: E722
            time.sleep(90)


TOLD_AGAIN = [asleep_under_two_covers, never_finally_done, suppressing_everything, asleep_in_the_except_clause]


@SIGNALS
@pytest.mark.parametrize("f", TOLD_AGAIN)
def test_it_is_told_again_and_again_and_somewhere_else_each_time(f):
    start = time.perf_counter()
    assert guard.call(f, seconds=0.1).trouble.kind == "timeout"
    assert time.perf_counter() - start < 60  # it ended; how soon depends on how busy the machine is


def test_what_ends_in_time_is_not_stopped_later(limited):
    assert limited(lambda: 5).value == 5
    end = time.perf_counter() + 0.3
    while time.perf_counter() < end:  # an alarm that was left would ring here
        pass


def test_a_function_that_ends_just_when_the_time_is_over_does_no_harm():
    for n in range(100):
        f = lambda n=n: sum(range(100 * n))
        outcome = guard.call(f, seconds=1e-4)
        assert outcome.value == sum(range(100 * n)) or outcome.trouble.kind == "timeout"


@SIGNALS
def test_somebody_elses_timer_goes_on():
    rang = []
    before = signal.signal(signal.SIGALRM, lambda *_: rang.append(True))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        assert guard.call(lambda: time.sleep(0.01)).trouble is None
        time.sleep(0.2)
        assert rang == [True]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@SIGNALS
def test_a_debugger_that_was_tracing_goes_on_tracing():
    before, tracer = sys.gettrace(), lambda *_: None
    sys.settrace(tracer)
    try:
        guard.call(endless, seconds=0.05)
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(before)


@pytest.mark.skipif(os.name == "nt", reason="a Ctrl-C cannot be sent to oneself alone there")
@pytest.mark.parametrize("swallow", [False, True])
def test_a_real_ctrl_c_still_stops_the_grading(swallow):
    def f():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)

    def swallowing():
        try:
            f()
        except KeyboardInterrupt:
            return "I go on"

    with pytest.raises(KeyboardInterrupt):
        guard.call(swallowing if swallow else f)


def test_input_is_refused_in_a_sentence():
    def asks():
        return input("your name? ")

    trouble = guard.call(asks).trouble
    assert trouble.kind == "input" and "asked for input(), which nobody answers here, in line" in trouble.says
    assert guard.call(sys.stdin.__class__.readline, sys.stdin).trouble  # pytest's own; nothing hangs
    assert guard.call(lambda: sys.stdin.read()).value == ""


def test_what_is_printed_is_kept_back_and_counted(capfd):
    def talks():
        print("one")
        print("two", file=sys.stderr)
        logging.getLogger("x").error("three")
        sys.stdout.write("four\n" * 10)
        sys.stdout.flush()
        sys.stdout.buffer.write(b"bytes\n")
        print("\ud800 is no letter, and", "é" * 500)
        sys.stdout.close()
        print("after closing")

    sink = Sink()
    assert guard.call(talks, sink=sink).trouble is None
    assert capfd.readouterr() == ("", "")
    assert sink.says().startswith("It printed 15 lines; the first: one; two; ")


@pytest.mark.parametrize(
    "text, says",
    [
        ("", None),
        ("\n \n", None),
        ("x", "It printed 1 line: x"),
        ("x\ny\n", "It printed 2 lines: x; y"),
        ("1\n2\n3\n4\n", "It printed 4 lines; the first: 1; 2; 3"),
        ("w " * 100, f"It printed 1 line: {shorten('w ' * 100, 60)}"),
    ],
)
def test_what_is_said_about_what_was_printed(text, says):
    sink = Sink()
    sink.write(text)
    assert sink.says() == says


def test_a_million_lines_are_counted_fast_and_cost_no_memory():
    def floods():
        for i in range(1_000_000):
            print("line", i)
        return "done"

    sink = Sink()
    outcome = guard.call(floods, sink=sink, seconds=30)
    assert outcome.value == "done"
    assert sink.says() == "It printed 1,000,000 lines; the first: line 0; line 1; line 2"
    assert len(sink.counter.head) <= 1000
    again = guard.call(floods, sink=sink, seconds=30)
    assert again.seconds < 30 and builtins.print is not sink.counter.tick
    assert sink.counter.total() == sink.counter.total() == 2_000_000 > FLOOD


def test_numpy_complains_neither_inside_nor_less_afterwards():
    def divides():
        np.seterr(all="ignore")
        return np.zeros(1) / np.zeros(1)

    assert np.isnan(guard.call(divides).value).all()
    with pytest.raises(RuntimeWarning):
        np.zeros(1) / np.zeros(1)


def test_it_works_inside_itself():
    inner = lambda: guard.call(endless, seconds=0.05)
    outcome = guard.call(inner, seconds=5)
    assert outcome.value.trouble.kind == "timeout"


def test_the_code_that_ran_is_noted_and_a_profiler_goes_on():
    def inner():
        return 1

    def outer():
        return inner() + 1

    codes, before, profiler = set(), sys.getprofile(), lambda *_: None
    sys.setprofile(profiler)
    try:
        assert guard.call(guard.noting(codes, outer)).value == 2
        assert sys.getprofile() is profiler
    finally:
        sys.setprofile(before)
    assert {inner.__code__, outer.__code__} <= codes and endless.__code__ not in codes


def test_the_signal_is_used_where_it_can_be():
    made = []
    thread = threading.Thread(target=lambda: made.append(alarm.make_alarm(1)))
    thread.start()
    thread.join()
    assert type(made[0]) is alarm.ThreadAlarm
    assert type(alarm.make_alarm(1)) is (alarm.SignalAlarm if hasattr(signal, "SIGALRM") else alarm.ThreadAlarm)
