"""A stream for what somebody else's function prints: the first lines are kept, the others counted."""

import builtins
import io
import itertools
import textwrap

KEPT = 3  # lines
FLOOD = 10_000  # lines


def shorten(text, width):
    """The text on one line of at most so many characters."""
    return textwrap.shorten(text, width, placeholder=" ...") or text.strip()[:width]


class Counter(io.RawIOBase):
    """Bytes are written to it: it keeps the first and counts the lines."""

    def __init__(self):
        self.head, self.lines, self.floods = b"", 0, None

    def writable(self):
        """Yes."""
        return True

    def write(self, chunk):
        """Keep the first hundreds of bytes, count the lines of all."""
        chunk = bytes(chunk)
        self.head += chunk[: max(0, 1000 - len(self.head))]
        self.lines += chunk.count(b"\n")
        if self.lines > FLOOD and self.floods is None:
            self.floods = itertools.count()
            self.hurry()
        return len(chunk)

    def hurry(self):
        """In a flood, print() counts and does nothing else, which is ten times as fast; quiet() puts it back."""
        if self.floods is not None:
            builtins.print = self.tick

    def tick(self, *words, **options):
        """What print() is in a flood."""
        next(self.floods)

    def total(self):
        """How many lines were printed."""
        if self.floods is None:
            return self.lines
        more = next(self.floods)
        self.floods = itertools.count(more)
        return self.lines + more


class Sink(io.TextIOWrapper):
    """A stream that keeps the first lines and counts the others: a million of them are fast and cost no memory."""

    def __init__(self):
        self.counter = Counter()
        super().__init__(io.BufferedWriter(self.counter, 2**16), "utf-8", "backslashreplace", newline="\n")

    def close(self):
        """Nothing: a function that closes what is not its own changes nothing."""

    def says(self):
        """One sentence about what was printed, or None."""
        self.flush()
        printed = [line for line in self.counter.head.decode("utf-8", "replace").splitlines() if line.strip()]
        if not printed:
            return None
        n = max(self.counter.total(), len(printed))
        first = "; ".join(shorten(line, 60) for line in printed[:KEPT])
        return f"It printed {n:,} line{'s' * (n > 1)}{'; the first' * (n > KEPT)}: {first}"
