"""Memory that several processes see."""

import mmap
import os
import secrets
import sys
import tempfile

import numpy as np

WINDOWS = sys.platform == "win32"


class Memory:
    """An array of zeros (size,) that other processes can open by its handle, .array.

    It has no name on disk and goes with the last process that sees it, kill -9 included.
    (multiprocessing.shared_memory leaves that to a process of its own, and in a container ends at the 64 MB that
    /dev/shm has there.)  `with` closes the handle when everybody has opened it; the array stays.
    """

    def __init__(self, size, dtype):
        self.size, self.dtype = size, str(np.dtype(dtype))
        if WINDOWS:
            self.handle = f"minillm-{secrets.token_hex(16)}"  # a name that only Windows itself knows
        elif hasattr(os, "memfd_create"):
            self.handle = os.memfd_create("minillm")
        else:
            with tempfile.TemporaryFile() as file:
                self.handle = os.dup(file.fileno())
        if not WINDOWS:
            os.ftruncate(self.handle, size * np.dtype(dtype).itemsize)
        self.array = attach(*self.address())

    def address(self):
        """What another process needs to attach(): plain values."""
        return self.handle, self.size, self.dtype

    def descriptors(self):
        """The open files that a process must inherit to attach()."""
        return () if WINDOWS else (self.handle,)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for file in self.descriptors():
            os.close(file)


def attach(handle, size, dtype, write=True):
    """The array (size,) in a Memory; one that cannot be written to, unless `write`."""
    access = mmap.ACCESS_WRITE if write else mmap.ACCESS_READ
    n_bytes = size * np.dtype(dtype).itemsize
    block = (
        mmap.mmap(-1, n_bytes, tagname=handle, access=access) if WINDOWS else mmap.mmap(handle, n_bytes, access=access)
    )
    return np.frombuffer(block, dtype)
