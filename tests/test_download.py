"""Downloads from a server that the test starts: good, corrupted, cut off, absent; and indexes as pip knows them."""

import hashlib
import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import threading

import pytest

from minillm import download

DATA = b"To be, or not to be, that is the question.\n" * 400
SHA256 = hashlib.sha256(DATA).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Accept", "")))
        kind, body, promised = self.server.answers.get(self.path, (None, b"", 0))
        self.send_response(200 if kind else 404)
        self.send_header("Content-Type", kind or "text/plain")
        self.send_header("Content-Length", str(promised))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.answers = [], {}
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def gives(self, path, body, kind="application/octet-stream", promised=None):
        self.answers[path] = (kind, body, len(body) if promised is None else promised)
        return self.url + path


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, and a pip that knows no index but what the test says."""
    monkeypatch.setenv("MINILLM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "pip_settings", lambda: {"no-index": "1"})
    return tmp_path / "cache"


def use(monkeypatch, **settings):
    settings = {name.replace("_", "-"): value for name, value in settings.items()}
    monkeypatch.setattr(download, "pip_settings", lambda: settings)


def test_a_good_file_is_downloaded_once_and_then_found_in_the_cache(server, cache):
    url = server.gives("/text.txt", DATA)
    path = download.fetch(url, SHA256.upper())
    assert path == cache / "text.txt" and path.read_bytes() == DATA
    assert download.fetch(url, SHA256) == path
    assert len(server.asked) == 1
    assert [file.name for file in cache.iterdir()] == ["text.txt"]


def test_a_file_with_another_hash_is_kept_aside_and_not_used(server, cache):
    url = server.gives("/text.txt", DATA[:-1] + b"?")
    with pytest.raises(ValueError, match=r"17,200 bytes\).*not used, and was kept as .*text\.txt\.wrong") as error:
        download.fetch(url, SHA256)
    assert SHA256 in str(error.value) and "\n" not in str(error.value)
    assert [file.name for file in cache.iterdir()] == ["text.txt.wrong"]
    assert (cache / "text.txt.wrong").read_bytes() == DATA[:-1] + b"?"


def test_a_connection_that_is_cut_leaves_nothing_in_the_cache(server, cache):
    url = server.gives("/text.txt", DATA[:5000], promised=len(DATA))
    with pytest.raises((OSError, ValueError), match=r"could not be downloaded|not used") as error:
        download.fetch(url, SHA256)
    assert "\n" not in str(error.value)
    assert not (cache / "text.txt").exists()
    server.gives("/text.txt", DATA)
    assert download.fetch(url, SHA256).read_bytes() == DATA


def test_no_server_and_no_such_file_are_one_sentence_each(server, cache):
    with pytest.raises(OSError, match=r"^http://127.0.0.1:9/text.txt could not be downloaded to .*refused\.$"):
        download.fetch("http://127.0.0.1:9/text.txt", SHA256)
    with pytest.raises(OSError, match=r"could not be downloaded to .*404"):
        download.fetch(server.url + "/nothing.txt", SHA256)
    assert not list(cache.glob("*"))


def test_a_damaged_file_in_the_cache_is_downloaded_again(server, cache):
    url = server.gives("/text.txt", DATA)
    path = download.fetch(url, SHA256)
    path.write_bytes(DATA[:100])
    assert download.fetch(url, SHA256).read_bytes() == DATA
    assert len(server.asked) == 2


def test_a_file_address_is_copied_and_checked(tmp_path, cache):
    (tmp_path / "my text.txt").write_bytes(DATA)
    assert download.fetch((tmp_path / "my text.txt").as_uri(), SHA256) == cache / "my text.txt"
    with pytest.raises(OSError, match="No such file"):
        download.fetch((tmp_path / "other.txt").as_uri(), SHA256)


@pytest.mark.parametrize(
    ("url", "sha256", "sentence"),
    [
        ("http://127.0.0.1/a", "abc", "'abc' is no SHA-256: that is 64 hexadecimal digits"),
        ("ftp://127.0.0.1/a", SHA256, "must begin with http, https or file"),
        ("text.txt", SHA256, "must begin with http, https or file"),
    ],
)
def test_a_bad_hash_or_address_is_refused_before_anything_is_fetched(url, sha256, sentence):
    with pytest.raises(ValueError, match=sentence):
        download.fetch(url, sha256)


def test_a_file_is_found_on_an_html_page_of_an_index(server, monkeypatch):
    server.gives("/files/a%20b-1.tar.gz", DATA)
    page = f'<html><base href="/files/"><a>none</a><a href="a%20b-1.tar.gz#sha256={SHA256}">a b-1.tar.gz</a></html>'
    server.gives("/simple/a/", page.encode(), "text/html; charset=utf-8")
    use(monkeypatch, index_url=server.url + "/simple")
    assert download.from_index("a", "a b-1.tar.gz", SHA256).read_bytes() == DATA
    assert "application/vnd.pypi.simple.v1+json" in server.asked[0][1] and "text/html" in server.asked[0][1]


def test_a_file_is_found_on_a_json_page_of_an_index(server, monkeypatch):
    server.gives("/files/a-1.tar.gz", DATA)
    files = [{"filename": "a-1.tar.gz", "url": "../../files/a-1.tar.gz", "hashes": {"sha256": SHA256}}]
    page = json.dumps({"meta": {"api-version": "1.0"}, "name": "a", "files": files}).encode()
    server.gives("/simple/a/", page, "application/vnd.pypi.simple.v1+json")
    use(monkeypatch, index_url=server.url + "/simple/")
    assert download.from_index("a", "a-1.tar.gz", SHA256).read_bytes() == DATA


def test_the_next_index_is_asked_when_one_fails_lies_or_has_another_file(server, monkeypatch, tmp_path):
    server.gives("/corrupt/a-1.tar.gz", DATA[1:])
    server.gives("/other/a/", f'<a href="/x/a-1.tar.gz#sha256={"0" * 64}">'.encode(), "text/html")
    server.gives("/corrupt/a/", b'<a href="../a-1.tar.gz">', "text/html")
    folder = tmp_path / "index" / "a"
    folder.mkdir(parents=True)
    (folder / "index.html").write_text('<a href="../../files/a-1.tar.gz">a</a>', encoding="utf-8")
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a-1.tar.gz").write_bytes(DATA)
    extra = f"{server.url}/other {server.url}/corrupt"
    use(monkeypatch, index_url="http://127.0.0.1:9/simple", extra_index_url=extra, find_links=str(tmp_path / "none"))
    with pytest.raises(OSError) as error:
        download.from_index("a", "a-1.tar.gz", SHA256)
    for part in ("No such file", "refused", "/other/a/: no a-1.tar.gz with the right hash", "kept as", "yourself"):
        assert part in str(error.value)
    assert "\n" not in str(error.value) and "/x/a-1.tar.gz" not in [path for path, _ in server.asked]

    use(monkeypatch, index_url="http://127.0.0.1:9", extra_index_url=f"{extra} {(tmp_path / 'index').as_uri()}")
    assert download.from_index("a", "a-1.tar.gz", SHA256).read_bytes() == DATA


def test_a_folder_of_find_links_is_enough_without_any_index(monkeypatch, tmp_path):
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "a-1.tar.gz").write_bytes(DATA)
    use(monkeypatch, no_index="true", find_links=str(tmp_path / "wheels"))
    assert download.from_index("a", "a-1.tar.gz", SHA256).read_bytes() == DATA


def test_a_file_put_into_the_cache_by_hand_is_enough(cache):
    cache.mkdir()
    (cache / "a-1.tar.gz").write_bytes(DATA)
    assert download.from_index("a", "a-1.tar.gz", SHA256) == cache / "a-1.tar.gz"


def test_passwords_in_an_address_are_never_printed(monkeypatch):
    use(monkeypatch, index_url="http://somebody:secret@127.0.0.1:9/simple")
    with pytest.raises(OSError) as error:
        download.from_index("a", "a-1.tar.gz", SHA256)
    assert "http://127.0.0.1:9/simple/a/" in str(error.value) and "secret" not in str(error.value)
    with pytest.raises(OSError) as error:
        download.fetch("http://somebody:secret@127.0.0.1:9/a", SHA256)
    assert "secret" not in str(error.value)


def test_pips_proxy_is_used_and_its_certificates_are_trusted(server, monkeypatch):
    server.gives("http://elsewhere.invalid/text.txt", DATA)  # what a proxy is asked for is a whole address
    use(monkeypatch, proxy=server.url, cert="pip.pem")
    assert download.fetch("http://elsewhere.invalid/text.txt", SHA256).read_bytes() == DATA
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    assert download._connection()["verify"] == "pip.pem"


def test_pip_is_asked_and_its_variables_win_over_its_file(monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/variable")
    monkeypatch.setenv("PIP_PROXY", "http://127.0.0.1:9/variable")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = http://127.0.0.1:9/file\nextra-index-url =\n    http://127.0.0.1:9/b\n    file:///c\n"
        "find-links = one\n[download]\nfind-links = two=2\nproxy = http://127.0.0.1:9/file\n",
        encoding="utf-8",
    )
    download.pip_settings.cache_clear()
    try:
        settings = download.pip_settings()
        assert settings["index-url"] == "http://127.0.0.1:9/variable"
        assert settings["proxy"] == "http://127.0.0.1:9/variable"
        assert settings["extra-index-url"].split() == ["http://127.0.0.1:9/b", "file:///c"]
        assert settings["find-links"] == "two=2"
        pages = download._pages("a")
        assert pages[0] == pathlib.Path("two=2").resolve().as_uri()
        assert pages[1:] == ["http://127.0.0.1:9/variable/a/", "http://127.0.0.1:9/b/a/", "file:///c/a/"]
    finally:
        download.pip_settings.cache_clear()


def test_without_pip_its_variables_still_count(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "http://127.0.0.1:9/extra")
    monkeypatch.setattr(sys, "executable", "no-such-python")
    download.pip_settings.cache_clear()
    try:
        assert download.pip_settings()["extra-index-url"] == "http://127.0.0.1:9/extra"
    finally:
        download.pip_settings.cache_clear()


def test_without_a_choice_of_index_pip_is_asked_for_its_own(monkeypatch):
    monkeypatch.setattr(download, "pip_settings", lambda: {})
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    download.default_index.cache_clear()
    try:
        assert re.fullmatch(r"https://\S+/simple", download.default_index())
        assert download._pages("thing") == [download.default_index() + "/thing/"]
        monkeypatch.setattr(sys, "executable", "no-such-python")
        download.default_index.cache_clear()
        assert download.default_index() == "" and download._pages("thing") == []
    finally:
        download.default_index.cache_clear()


def test_the_cache_is_where_the_variable_says_or_else_the_users_own(monkeypatch, tmp_path):
    assert download.cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("MINILLM_CACHE")
    assert download.cache_folder().name == "minillm" and download.cache_folder() != tmp_path / "cache"


def test_processes_that_fetch_the_same_file_at_once_all_get_it(server, cache):
    url = server.gives("/text.txt", DATA * 500)
    sha256 = hashlib.sha256(DATA * 500).hexdigest()
    program = f"from minillm import download; print(download.fetch({url!r}, {sha256!r}).stat().st_size)"
    options = {"cwd": pathlib.Path(__file__).parents[1], "stdout": subprocess.PIPE, "text": True}
    runs = [subprocess.Popen([sys.executable, "-c", program], **options) for _ in range(3)]
    assert [run.communicate()[0].strip() for run in runs] == [str(500 * len(DATA))] * 3
    assert [file.name for file in cache.iterdir()] == ["text.txt"]
