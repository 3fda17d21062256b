"""Downloads: one file, checked against its SHA-256 before anything else, kept in the user's cache."""

import ast
import functools
import hashlib
import html.parser
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import urllib.parse
import urllib.request

TIMEOUT = 30  # seconds without a single byte
ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.5, text/html;q=0.1"


class WrongHash(ValueError):
    """What was downloaded is not what was asked for."""


def cache_folder():
    """The folder for what is downloaded: $MINILLM_CACHE if it is set, else the user's cache folder for minillm."""
    if os.environ.get("MINILLM_CACHE"):
        return pathlib.Path(os.environ["MINILLM_CACHE"]).expanduser().resolve()
    import platformdirs

    return platformdirs.user_cache_path("minillm", appauthor=False)


def sha256_of(path):
    """The SHA-256 of a file, as 64 hexadecimal digits."""
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def fetch(url, sha256, *, name=None):
    """The path of a file in the cache that has this SHA-256, downloaded once from url (http, https or file).

    WrongHash (a ValueError) if what comes has another hash: it is kept aside, named `.wrong`, and not used.
    OSError if nothing comes, or less than was promised.  Two processes may fetch the same file at the same time.
    """
    import pooch

    sha256 = sha256.strip().lower()
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise ValueError(f"{sha256!r} is no SHA-256: that is 64 hexadecimal digits; `sha256sum FILE` prints it.")
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https", "file"):
        raise ValueError(f"{public(url)!r} is no address that can be fetched: it must begin with http, https or file.")
    name = name or pathlib.PurePosixPath(urllib.parse.unquote(parts.path)).name or "download"
    folder = cache_folder()
    path = folder / name
    if path.is_file() and sha256_of(path) == sha256:
        return path
    part = f"{name}.{os.getpid()}-{threading.get_ident()}.part"
    pooch.get_logger().setLevel("WARNING")
    try:
        pooch.retrieve(url, sha256, fname=part, path=folder, downloader=_checked(sha256, folder / f"{name}.wrong"))
        os.replace(folder / part, path)
    except WrongHash:
        raise
    except (OSError, ValueError) as error:  # what requests raises is one or the other
        raise OSError(f"{public(url)} could not be downloaded to {folder}: {_reason(error)}.") from error
    return path


def _checked(sha256, aside):
    """A downloader for pooch, which would delete what does not match: it is kept aside first."""

    def download(url, output_file, pooch_object):
        import pooch

        if url.lower().startswith("file:"):
            shutil.copyfile(local_path(url), output_file)
        else:
            headers = {"User-Agent": "minillm", "Accept-Encoding": "identity"}
            fetcher = pooch.HTTPDownloader(timeout=TIMEOUT, headers=headers, **_connection())
            fetcher(url, output_file, pooch_object)
        found = sha256_of(output_file)
        if found != sha256:
            size = os.path.getsize(output_file)
            shutil.copyfile(output_file, aside)
            raise WrongHash(
                f"what {public(url)} sent ({size:,} bytes) has the SHA-256 {found}, not {sha256}: "
                f"it is not used, and was kept as {aside} for you to look at."
            )

    return download


def from_index(package, filename, sha256):
    """The path in the cache of one file of a package, from the indexes that pip is set up to use.

    Reads each index's page for the package (PEP 503 in HTML, PEP 691 in JSON) and downloads that one file; pip itself
    downloads and runs nothing.  OSError, with what was tried, if no index gives the file.
    """
    path = cache_folder() / filename
    if path.is_file() and sha256_of(path) == sha256:
        return path
    tried = []
    for page in _pages(package):
        try:
            offers = links(page)
        except (OSError, ValueError) as error:
            tried.append(f"{public(page)}: {_reason(error)}")
            continue
        for name, url, promised in offers:
            if name == filename and promised in (None, sha256):
                try:
                    return fetch(url, sha256, name=filename)
                except (OSError, WrongHash) as error:
                    tried.append(_reason(error))
                    break
        else:
            tried.append(f"{public(page)}: no {filename} with the right hash is listed")
    why = "; ".join(tried) or "pip is told to use no index"
    raise OSError(
        f"{filename} could not be had from pip's package index ({why}). You can put the file at {path} yourself."
    )


@functools.cache
def pip_settings():
    """pip's own settings as a dict, such as {"index-url": "https://...", "find-links": "..."}; {} without pip.

    pip is asked, so that its configuration files and PIP_* variables count exactly as they do for pip.
    """
    try:
        listed = _ask_pip("config", "list", "--disable-pip-version-check")
    except (OSError, subprocess.SubprocessError):  # made without pip: what the variables say still counts
        names = {name: name[4:].lower().replace("_", "-") for name in os.environ if name.startswith("PIP_")}
        return {setting: os.environ[name] for name, setting in names.items()}
    settings = {}
    for section in ("global.", "download.", ":env:."):  # later ones win, as in pip
        for line in listed.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(section):
                settings[name.removeprefix(section)] = str(ast.literal_eval(value))
    return settings


def _ask_pip(*words):
    """What pip prints.  OSError or SubprocessError if there is no pip, or if it fails."""
    command, wide = [sys.executable, "-m", "pip", *words], {**os.environ, "COLUMNS": "500"}
    options = {"capture_output": True, "encoding": "utf-8", "errors": "replace", "timeout": 60, "check": True}
    return subprocess.run(command, env=wide, **options).stdout


@functools.cache
def default_index():
    """The index that pip uses when nobody has chosen one: pip knows it, and its help says it.  "" without pip."""
    try:
        said = re.search(r"--index-url\b.*?\(default (\S+?)\)", _ask_pip("help", "download"), re.DOTALL)
    except (OSError, subprocess.SubprocessError):
        return ""
    return said[1] if said else ""


def _pages(package):
    """The addresses where the files of a package may be listed: folders and pages to find links in, then indexes."""
    settings = pip_settings()
    pages = settings.get("find-links", "").split()
    if settings.get("no-index", "").lower() not in ("1", "true", "yes", "on"):
        indexes = [settings.get("index-url") or default_index(), *settings.get("extra-index-url", "").split()]
        pages += [f"{index.rstrip('/')}/{package}/" for index in indexes if index]
    return [page if "://" in page else pathlib.Path(page).expanduser().resolve().as_uri() for page in pages]


def links(page):
    """What a page of an index, or a folder, offers: a list of (file name, address, SHA-256 or None)."""
    if page.lower().startswith("file:"):
        path = local_path(page)
        if path.is_dir() and not (path / "index.html").is_file():
            return [(file.name, file.as_uri(), None) for file in sorted(path.iterdir())]
        path = path / "index.html" if path.is_dir() else path
        base, kind, body = path.as_uri(), "text/html", path.read_bytes()
    else:
        import requests

        headers = {"Accept": ACCEPT, "User-Agent": "minillm"}
        answer = requests.get(page, headers=headers, timeout=TIMEOUT, **_connection())
        answer.raise_for_status()
        base, kind, body = answer.url, answer.headers.get("Content-Type", ""), answer.content
    if "json" in kind:
        files = json.loads(body)["files"]
        return [(f["filename"], urllib.parse.urljoin(base, f["url"]), f.get("hashes", {}).get("sha256")) for f in files]
    anchors = Anchors(base)
    anchors.feed(body.decode("utf-8", errors="replace"))
    return anchors.links


class Anchors(html.parser.HTMLParser):
    """The links of an HTML page, as links() lists them: .links after .feed(text)."""

    def __init__(self, base):
        super().__init__()
        self.base, self.links = base, []

    def handle_starttag(self, tag, attributes):
        href = dict(attributes).get("href")
        if tag == "base" and href:
            self.base = urllib.parse.urljoin(self.base, href)
        elif tag == "a" and href:
            url, _, fragment = urllib.parse.urljoin(self.base, href).partition("#")
            name = urllib.parse.unquote(urllib.parse.urlsplit(url).path.rsplit("/", 1)[-1])
            self.links.append((name, url, dict(urllib.parse.parse_qsl(fragment)).get("sha256")))


def local_path(url):
    """The path that a file: address names."""
    parts = urllib.parse.urlsplit(url)
    host = "" if parts.netloc in ("", "localhost") else f"//{parts.netloc}"
    return pathlib.Path(urllib.request.url2pathname(host + parts.path))


def public(url):
    """An address without the name and password that may stand in it."""
    parts = urllib.parse.urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _connection():
    """The certificates and the proxy that pip is told to use, as options for requests."""
    settings, options = pip_settings(), {}
    if settings.get("cert") and "REQUESTS_CA_BUNDLE" not in os.environ:
        options["verify"] = settings["cert"]
    if settings.get("proxy"):
        options["proxies"] = {"http": settings["proxy"], "https": settings["proxy"]}
    return options


def _reason(error):
    """What went wrong, in one line and without passwords."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    inner = getattr(error.args[0], "reason", error) if error.args else error  # requests wraps what urllib3 says
    text = re.sub(r"^(<.*?>|\w+\(host=.*?\)): ", "", " ".join(str(inner).split())) or type(error).__name__
    words = [public(word) if "://" in word and "@" in word else word for word in text.split(" ")]
    return " ".join(words).rstrip(".")
