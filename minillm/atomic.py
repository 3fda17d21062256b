"""Files that are complete or absent: written beside their place, and moved there when they are safely on disk."""

import contextlib
import os
import pathlib


@contextlib.contextmanager
def writing(path, mode="wb"):
    """A file to write in:  with atomic.writing(path) as f: ...   It appears at path when the block ends well.

    Whatever goes wrong inside, what was at path before is still there, whole.  mode is "wb", or "w" for UTF-8 text.
    """
    path = pathlib.Path(path)
    aside = path.with_name(f"{path.name}.{os.getpid()}.part")
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    try:
        with open(aside, mode, **text) as f:
            yield f
            f.flush()
            os.fsync(f.fileno())
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
