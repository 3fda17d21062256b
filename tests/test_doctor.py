"""doctor.py: what it says about a machine, also about one that lacks something."""

import collections
import errno
import itertools
import shutil
import socket
import subprocess
import sys
import tempfile

import pytest

from minillm import backend, corpus, doctor, machine


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("the doctor reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def empty_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("MINILLM_CACHE", str(tmp_path / "cache"))


def test_this_machine_can_run_the_course(tmp_path, capsys, empty_cache):
    assert doctor.main(tmp_path / "runs") == 0
    out = capsys.readouterr().out
    for name in ("Python", "NumPy", "packages", "cores", "speed", "memory", "GPU", "text", "disk", "JupyterLab"):
        assert f" {name} " in out
    assert sys.executable in out.replace("\n" + " " * 21, "")
    assert out.splitlines()[-1].startswith("Ready. Worth a look: ")
    assert not (tmp_path / "runs").exists() and not (tmp_path / "cache").exists()  # it looks, and touches nothing


def test_every_row_that_is_not_ok_says_what_to_do_below_it():
    rows = [
        doctor.Row("Python", "ok", "3.12"),
        doctor.Row("JupyterLab", "warn", "not installed " * 9, "install it " * 9),
        doctor.Row("NumPy", "missing", "not installed", "do this"),
    ]
    lines = doctor.table(rows, width=60).splitlines()
    assert lines[0] == "ok       Python" + " " * 6 + "3.12"
    assert all(len(line) <= 60 for line in lines)
    assert lines[-2:] == ["missing  NumPy" + " " * 7 + "not installed", " " * 21 + "-> do this"]
    column = lines[0].index("3.12")
    starts = [len(line) - len(line.lstrip(" ")) for line in lines if line.split()[0] not in ("ok", "warn", "missing")]
    assert set(starts) == {column, column + 3}
    assert [line.lstrip()[:10] for line in lines if "->" in line] == ["-> install", "-> do this"]


def test_the_verdict_names_what_is_missing_before_what_is_only_worth_a_look():
    ok, warn, missing = (doctor.Row(status, status, "") for status in ("ok", "warn", "missing"))
    assert doctor.verdict([ok]) == "Ready."
    assert doctor.verdict([ok, warn]) == "Ready. Worth a look: warn."
    assert doctor.verdict([ok, warn, missing]).startswith("Not ready: missing.")


def test_a_missing_package_is_named_and_the_exit_code_says_so(monkeypatch, capsys, tmp_path):
    version = doctor.version
    monkeypatch.setattr(doctor, "version", lambda package: "" if package in ("tqdm", "pyyaml") else version(package))
    assert doctor.main(tmp_path) == 1
    out = capsys.readouterr().out
    assert "missing  packages" in out and "pyyaml, tqdm" in out and "python course.py setup" in out


def test_it_reports_even_where_there_is_no_numpy(tmp_path):
    code = (
        "import sys; sys.modules['numpy'] = sys.modules['threadpoolctl'] = None; from minillm import doctor;"
        f"sys.exit(doctor.main({str(tmp_path)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert done.returncode == 1, done.stderr
    assert "missing  NumPy       not installed" in done.stdout
    assert "ok       Python" in done.stdout


def test_an_old_python_and_an_old_numpy_are_missing(monkeypatch):
    numpy = pytest.importorskip("numpy")
    monkeypatch.setattr(numpy, "__version__", "1.26.4")
    assert doctor.numpy_and_blas()[0] == "missing"
    monkeypatch.setattr(numpy, "__version__", "2.0.0rc1")
    assert doctor.numpy_and_blas()[0] == "ok"
    monkeypatch.setattr(sys, "version_info", (3, 10, 9))
    assert doctor.python()[0] == "missing"


def test_a_check_that_fails_is_a_row_and_not_a_traceback(monkeypatch):
    monkeypatch.setattr(doctor, "memory", lambda: 1 / 0)
    row = next(row for row in doctor.rows() if row.name == "memory")
    assert row.status == "warn" and "ZeroDivisionError" in row.found


def test_blas_is_what_threadpoolctl_sees_or_else_what_numpy_was_built_with(monkeypatch):
    import threadpoolctl

    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        name, kernel, threads = doctor.blas()
    pools = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    if pools:
        assert threads == 1
        assert kernel in [pool.get("architecture", "") for pool in pools]
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    assert doctor.blas()[0] and doctor.blas()[1:] == ("", 0)


def test_more_threads_than_cores_is_worth_a_look(monkeypatch):
    monkeypatch.setattr(machine, "usable_cores", lambda: 1.5)
    monkeypatch.setattr(doctor, "blas", lambda: ("OpenBLAS", "", 8))
    status, found, advice = doctor.cores()
    assert status == "warn" and "1.5 for this process" in found and "8 threads" in found and "to 1." in advice
    monkeypatch.setattr(doctor, "blas", lambda: ("OpenBLAS", "", 1))
    assert doctor.cores()[0] == "ok"
    monkeypatch.setattr(doctor, "blas", lambda: ("Accelerate", "", 0))
    assert doctor.cores()[0] == "ok"


@pytest.mark.parametrize("tick, words, status", [(1e-5, "26,844 billion", "ok"), (0.1, "3 billion", "warn")])
def test_the_speed_is_two_operations_for_each_of_n_cubed(monkeypatch, tick, words, status):
    ticks = itertools.count(0, tick)
    monkeypatch.setattr(doctor.time, "perf_counter", lambda: next(ticks))
    assert doctor.speed(seconds=10 * tick)[:2] == (
        status,
        f"{words} float32 operations a second (products of 512 x 512 matrices)",
    )


def test_memory_is_what_the_system_says():
    total, free = doctor.installed_memory()
    assert 2**28 < total < 2**50 and 0 <= free <= total
    if sys.platform == "linux":
        with open("/proc/meminfo", encoding="ascii") as f:
            assert total <= int(f.readline().split()[1]) * 1024
        assert free > 0


def test_little_memory_is_worth_a_look(monkeypatch):
    monkeypatch.setattr(doctor, "installed_memory", lambda: (16e9, 1e9))
    assert doctor.memory()[:2] == ("warn", "16.0 GB, 1.0 GB free")
    monkeypatch.setattr(doctor, "installed_memory", lambda: (16e9, 0))
    assert doctor.memory() == ("ok", "16.0 GB")
    monkeypatch.setattr(doctor, "installed_memory", lambda: (0, 0))
    assert doctor.memory()[0] == "ok"


@pytest.mark.parametrize(
    "wheels, driver, status, words",
    [
        ([], None, "ok", "none; NumPy"),
        ([], "/usr/bin/nvidia-smi", "warn", "no CuPy"),
        (["cupy-cuda13x"], "/usr/bin/nvidia-smi", "ok", "sees no device"),
        (["cupy-cuda12x", "cupy-cuda13x"], None, "warn", "both installed"),
    ],
)
def test_what_it_says_about_a_gpu(monkeypatch, wheels, driver, status, words):
    monkeypatch.setattr(doctor, "version", lambda package: "14.0" if package in wheels else "")
    monkeypatch.setattr(shutil, "which", lambda name: driver)
    monkeypatch.setattr(backend, "gpu_available", lambda: False)
    found = doctor.gpu()
    assert found[0] == status and words in found[1]
    assert len(found) == (3 if status == "warn" else 2)


@pytest.mark.gpu
def test_a_gpu_is_called_by_its_name():
    if not backend.gpu_available():
        pytest.skip("there is no GPU")
    assert "--device gpu" in doctor.gpu()[1]


def test_a_text_that_is_not_here_yet_is_worth_a_look(monkeypatch, empty_cache, tmp_path):
    status, found, advice = doctor.text()
    assert status == "warn" and str(tmp_path) in found and "course.py setup" in advice and "pydocs" in advice
    monkeypatch.setattr(corpus, "cached", lambda name: tmp_path / f"{name}.tar.gz")
    assert doctor.text() == ("ok", f"Shakespeare is here: {tmp_path / 'shakespeare.tar.gz'}")


def test_a_disk_that_is_full_or_cannot_be_written_to(monkeypatch, tmp_path):
    assert doctor.disk(tmp_path / "a" / "b")[0] == "ok" and not (tmp_path / "a").exists()
    usage = collections.namedtuple("usage", "free")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda place: usage(5e8))
        status, found, advice = doctor.disk(tmp_path)
        assert (status, found) == ("warn", f"0.5 GB free for {tmp_path}") and "--folder" in advice

    def refuse(dir):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    status, found, advice = doctor.disk(tmp_path)
    assert status == "missing" and "Read-only file system" in found and "--folder" in advice


def test_jupyterlab_is_only_for_the_notebooks(monkeypatch):
    monkeypatch.setattr(doctor, "version", lambda package: "")
    assert doctor.jupyterlab()[0] == "warn"
    monkeypatch.setattr(doctor, "version", lambda package: "4.5")
    assert doctor.jupyterlab() == ("ok", "4.5")


def test_it_imports_nothing_slow(tmp_path):
    code = (
        f"import sys; from minillm import doctor; doctor.rows({str(tmp_path)!r});"
        "slow = {'scipy', 'matplotlib', 'jupyterlab', 'torch'} & sys.modules.keys(); assert not slow, slow"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
