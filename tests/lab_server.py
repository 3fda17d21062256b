"""A JupyterLab of its own for one folder: no settings, history or extensions of whoever starts it."""

import contextlib
import json
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(1, str(ROOT))

import course  # noqa: E402

SETTINGS = {
    # No question whether news may be fetched: it covers a corner of the page, and the answer goes to the network.
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    # Every cell is in the page at all times, and the page ends where the last cell ends.
    "notebook-extension/tracker": {"windowingMode": "none", "scrollPastEnd": False},
}
# The extra `class` adds a menu and buttons to JupyterLab, which a reader does not have.
FOR_TEACHERS = ["@jupyter/nbgrader", "@jupyter-notebook/lab-extension"]


class Failure(AssertionError):
    """JupyterLab or a notebook did not do what a reader needs."""


def wait_for(condition, what, seconds, pause=time.sleep):
    """The first true value of condition().  Failure if there is none within so many seconds."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise Failure(f"After {seconds} seconds there was still no {what}.")
        pause(0.1)
    return value


def end_all(process):
    """End a process and all that it started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)  # it ends its kernels
        for child in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
    process.kill()
    process.wait()


def write_json(path, contents):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(contents), encoding="utf-8")


def folders(work):
    """The environment variables that keep JupyterLab's files in the folder `work`, with its settings written there."""
    for name, values in SETTINGS.items():
        write_json(work / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings", values)
    disabled = dict.fromkeys(FOR_TEACHERS, True)
    write_json(work / "config" / "labconfig" / "page_config.json", {"disabledExtensions": disabled})
    return {
        "JUPYTER_CONFIG_DIR": str(work / "config"),
        "JUPYTER_DATA_DIR": str(work / "data"),
        "JUPYTER_RUNTIME_DIR": str(work / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(work / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(work / "workspaces"),
        "IPYTHONDIR": str(work / "ipython"),
    }


@contextlib.contextmanager
def server(root, work):
    """JupyterLab on a free port of this machine, serving the folder `root`: its address and its token.

    All that it writes goes into the folder `work`; its log is work/server.log.  Failure if it does not start.
    """
    inherited = course.surroundings(sys.executable, repeatable=True)
    env = {name: value for name, value in inherited.items() if not name.startswith("JUPYTER")} | folders(work)
    env["JUPYTER_TOKEN"] = token = secrets.token_hex(16)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]  # if somebody takes it in the meantime, JupyterLab tries others
    words = ["--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", f"--ServerApp.root_dir={root}"]
    words += ["--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None"]
    words += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    # Should this process be killed, the server and its kernels end by themselves.
    words += ["--ServerApp.shutdown_no_activity_timeout=600", "--MappingKernelManager.cull_idle_timeout=600"]
    with (work / "server.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *words],
            cwd=root,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Control-C reaches this process alone, which then ends the server
        )

    def address():
        if process.poll() is not None:
            raise Failure(f"JupyterLab ended at once, with {process.returncode}.")
        for note in (work / "runtime").glob("jpserver-*.json"):
            with contextlib.suppress(OSError, ValueError):  # half written, or not yet listening
                found = f"http://127.0.0.1:{json.loads(note.read_text(encoding='utf-8'))['port']}"
                urllib.request.urlopen(f"{found}/api/status?token={token}", timeout=5).close()
                return found
        return None

    try:
        yield wait_for(address, "answer of JupyterLab", 120), token
    finally:
        end_all(process)
