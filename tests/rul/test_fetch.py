"""The archive, fetched from a real HTTP server on this host."""

import gzip
import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from bounded import join

from amnl_tune.errors import DataNotFoundError, StorageError
from amnl_tune.rul import fetch as archive
from amnl_tune.rul import layouts, reading
from amnl_tune.rul.fetch import FileState, fetch, verify

FILES = {name: f"{name} 1 2 3\n".encode() * 3000 for name in layouts.CHECKSUMS}
NAMES = list(FILES)


def zip_of(files: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return buffer.getvalue()


INNER = zip_of(FILES | {"readme.txt": b"read me", "Damage Propagation Modeling.pdf": b"%PDF"})
NESTED = zip_of({"6. Engine/": b"", "6. Engine/CMAPSSData.zip": INNER, "__MACOSX/._CMAPSSData.zip": b""})


@dataclass
class Served:
    """One path of the server, and what was asked of it."""

    content: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"ETag": '"one"'})
    ranges: bool = True
    cut_after: int | None = None
    content_range: str | None = None  # instead of the right one
    requests: list[dict[str, str]] = field(default_factory=list)
    bytes_sent: int = 0


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.served: dict[str, Served] = {}

    def put(self, path: str, content: bytes, **settings: object) -> tuple[str, Served]:
        self.served[path] = Served(content, **settings)  # type: ignore[arg-type]
        return f"http://127.0.0.1:{self.server_port}{path}", self.served[path]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        served = self.server.served.get(self.path)
        if served is None:
            self.send_error(404)
            return
        served.requests.append(dict(self.headers))
        total = len(served.content)
        first = self.first_byte(served)
        if first is not None and first >= total:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{total}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200 if first is None else 206)
        if first is not None:
            self.send_header("Content-Range", served.content_range or f"bytes {first}-{total - 1}/{total}")
        for name, value in served.headers.items():
            self.send_header(name, value)
        body = served.content[first or 0 :]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        sent = body[: served.cut_after]
        self.wfile.write(sent)
        served.bytes_sent += len(sent)

    def first_byte(self, served: Served) -> int | None:
        """None if all is to be sent: no range asked for or supported, or If-Range names another version."""
        asked, known = self.headers.get("Range"), self.headers.get("If-Range")
        if not asked or not served.ranges or (known and known not in served.headers.values()):
            return None
        return int(asked.removeprefix("bytes=").removesuffix("-"))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        join(thread)


@pytest.fixture(autouse=True)
def small_files(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve small files stand for NASA's."""
    if not request.node.get_closest_marker("realdata"):
        checksums = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
        monkeypatch.setattr(archive, "CHECKSUMS", checksums)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def holds_all(store: Path) -> bool:
    return all((store / name).read_bytes() == content for name, content in FILES.items())


@pytest.mark.parametrize("content", [NESTED, INNER, zip_of({"a.ZIP": NESTED})], ids=["nested", "inner", "twice nested"])
def test_every_form_of_the_archive_is_unpacked(server: Server, store: Path, content: bytes) -> None:
    url, _ = server.put("/a.zip", content)
    seen: list[tuple[int, int | None]] = []
    assert fetch(store, urls=[url], progress=lambda done, total: seen.append((done, total))) == NAMES
    assert holds_all(store)
    assert seen[0] == (0, len(content))
    assert seen[-1] == (len(content), len(content))
    assert sorted(path.name for path in store.iterdir()) == sorted([*NAMES, ".fetch.lock"])


def test_files_that_are_right_are_kept_and_nothing_is_downloaded(server: Server, store: Path) -> None:
    url, served = server.put("/a.zip", NESTED)
    fetch(store, urls=[url])
    before = {path.name: path.stat().st_mtime_ns for path in store.glob("*.txt")}
    assert fetch(store, urls=[url]) == []
    assert len(served.requests) == 1
    (store / NAMES[3]).write_bytes(b"damaged")
    (store / NAMES[5]).unlink()
    assert fetch(store, urls=[url]) == [NAMES[3], NAMES[5]]
    assert holds_all(store)
    assert (store / NAMES[0]).stat().st_mtime_ns == before[NAMES[0]]


def test_packed_files_count_as_there(store: Path) -> None:
    store.mkdir()
    for name, content in FILES.items():
        (store / f"{name}.gz").write_bytes(gzip.compress(content))
    assert fetch(store, urls=[]) == []


def test_a_cut_connection_keeps_its_part_and_goes_on_there(server: Server, store: Path) -> None:
    url, served = server.put("/a.zip", NESTED, cut_after=200_000)
    with pytest.raises(DataNotFoundError, match=f"cut after 200000 of {len(NESTED)} bytes"):
        fetch(store, urls=[url])
    assert not list(store.glob("*.txt"))
    served.cut_after = None
    seen: list[int] = []
    fetch(store, urls=[url], progress=lambda done, total: seen.append(done))
    assert holds_all(store)
    assert seen[0] == 200_000
    assert served.requests[1]["Range"] == "bytes=200000-"
    assert served.requests[1]["If-Range"] == '"one"'
    assert served.bytes_sent == len(NESTED)  # not one byte twice


def test_a_part_that_is_whole_is_not_downloaded_again(
    server: Server, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, served = server.put("/a.zip", NESTED)
    with monkeypatch.context() as killed:
        killed.setattr(archive, "_unpack", lambda part: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            fetch(store, urls=[url])
    fetch(store, urls=[url])
    assert holds_all(store)
    assert served.bytes_sent == len(NESTED)


@pytest.mark.parametrize(
    "changes",
    [
        {"ranges": False},
        {"headers": {"ETag": '"two"'}},
        {"content_range": "bytes 5-9/10"},
        {"content_range": "nonsense"},
    ],
    ids=["Range ignored", "another version", "another range", "no range"],
)
def test_a_part_that_does_not_fit_starts_again(server: Server, store: Path, changes: dict[str, object]) -> None:
    url, served = server.put("/a.zip", b"x" * 100_000, cut_after=70_000)
    with pytest.raises(DataNotFoundError, match="cut after 70000"):
        fetch(store, urls=[url])
    served.cut_after, served.content = None, NESTED
    for name, value in changes.items():
        setattr(served, name, value)
    fetch(store, urls=[url])
    assert holds_all(store)
    assert served.bytes_sent >= 70_000 + len(NESTED)


def test_another_version_is_noticed_where_the_server_ignores_if_range(server: Server, store: Path) -> None:
    url, served = server.put("/a.zip", b"x" * 100_000, cut_after=70_000, headers={"Last-Modified": "Mon"})
    with pytest.raises(DataNotFoundError):
        fetch(store, urls=[url])
    served.cut_after, served.content, served.headers = None, NESTED, {"Last-Modified": "Tue", "X-Old": "Mon"}
    fetch(store, urls=[url])
    assert served.requests[1]["If-Range"] == "Mon"
    assert holds_all(store)


def test_a_part_longer_than_the_file_starts_again(server: Server, store: Path) -> None:
    url, served = server.put("/a.zip", b"x" * 3_000_000, cut_after=2_000_000, headers={})
    with pytest.raises(DataNotFoundError):
        fetch(store, urls=[url])
    served.cut_after, served.content = None, NESTED
    assert len(NESTED) < 2_000_000
    fetch(store, urls=[url])
    assert holds_all(store)
    assert "If-Range" not in served.requests[1]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<html>blocked</html>", "not a readable zip archive"),
        (zip_of({name: FILES[name] for name in NAMES[:11]}), f"the archive lacks {NAMES[11]}"),
        (zip_of(FILES | {NAMES[0]: b"other"}), f"{NAMES[0]} in the archive must have SHA-256 \\w+, but has \\w+"),
        (NESTED[:300] + b"\0" * 50 + NESTED[350:], "not a readable zip archive"),
    ],
    ids=["a web page", "a file lacks", "a wrong file", "damaged bytes"],
)
def test_wrong_bytes_leave_nothing_and_the_second_source_is_asked(
    server: Server, store: Path, content: bytes, reason: str
) -> None:
    url, served = server.put("/wrong.zip", content)
    with pytest.raises(DataNotFoundError, match=f"wrong.zip: {reason}"):
        fetch(store, urls=[url])
    assert not list(store.glob("*.txt"))
    good, _ = server.put("/good.zip", INNER)
    assert fetch(store, urls=[url, good]) == NAMES
    assert holds_all(store)
    assert served.bytes_sent == 2 * len(content)  # what was wrong is not gone on with


def test_a_source_that_does_not_answer_is_passed_over(server: Server, store: Path) -> None:
    good, _ = server.put("/good.zip", NESTED)
    absent = good.replace("good", "absent")
    assert fetch(store, urls=[absent, "http://127.0.0.1:9/a.zip", "no-url", good]) == NAMES


def test_all_sources_failing_names_each_reason_and_the_remedy(server: Server, store: Path) -> None:
    good, _ = server.put("/good.zip", NESTED)
    with pytest.raises(DataNotFoundError) as caught:
        fetch(store, urls=[good.replace("good", "absent"), "no-url"])
    message = str(caught.value)
    assert "\n" not in message
    assert "absent.zip: HTTP status 404 Not Found; no-url: unknown url type" in message
    assert "amnl-tune data fetch" in message


def test_a_time_out_is_a_reason(store: Path) -> None:
    def never(*args: object, **options: object) -> object:
        assert options["timeout"]
        raise TimeoutError("timed out")

    with pytest.raises(DataNotFoundError, match="slow: timed out"):
        fetch(store, urls=["http://slow"], opener=never)  # type: ignore[arg-type]


def test_a_file_url_works(store: Path, tmp_path: Path) -> None:
    (tmp_path / "here.zip").write_bytes(NESTED)
    assert fetch(store, urls=[(tmp_path / "here.zip").as_uri()]) == NAMES


def test_paths_inside_an_archive_lead_nowhere(server: Server, store: Path, tmp_path: Path) -> None:
    hostile = {f"../../{name}": content for name, content in FILES.items()}
    url, _ = server.put("/a.zip", zip_of(hostile | {"../evil.txt": b"x", "/etc/evil.txt": b"x", "..\\evil.txt": b"x"}))
    assert fetch(store, urls=[url]) == NAMES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]
    assert sorted(path.name for path in store.glob("*.txt")) == sorted(NAMES)


def test_sizes_are_bounded(server: Server, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "LARGEST_FILE", 10_000)
    url, _ = server.put("/bomb.zip", zip_of({NAMES[0]: b"0" * 10_001}, zipfile.ZIP_DEFLATED))
    with pytest.raises(DataNotFoundError, match="has more than 10000 bytes"):
        fetch(store, urls=[url])
    monkeypatch.setattr("amnl_tune.rul.fetch.LARGEST_ARCHIVE", 50)
    with pytest.raises(DataNotFoundError, match="more than 50 bytes"):
        fetch(store, urls=[url])


def test_nesting_is_bounded(server: Server, store: Path) -> None:
    deep = INNER
    for _ in range(3):
        deep = zip_of({"deeper.zip": deep})
    url, _ = server.put("/deep.zip", deep)
    with pytest.raises(DataNotFoundError, match="lacks"):
        fetch(store, urls=[url])


def test_two_fetches_at_once_download_once(server: Server, store: Path) -> None:
    url, served = server.put("/a.zip", NESTED)
    results: list[list[str]] = []
    threads = [threading.Thread(target=lambda: results.append(fetch(store, urls=[url]))) for _ in range(3)]
    for thread in threads:
        thread.start()
    join(*threads)
    assert sorted(results) == [[], [], NAMES]
    assert holds_all(store)
    assert served.bytes_sent == len(NESTED)


def test_a_full_disk_is_a_storage_error_and_a_later_fetch_goes_on(
    server: Server, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, served = server.put("/a.zip", NESTED)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(StorageError, match="No space left on device; free space"):
            fetch(store, urls=[url])
    assert not list(store.glob("*.txt"))
    assert fetch(store, urls=[url]) == NAMES
    assert served.bytes_sent == len(NESTED)


def test_a_store_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="must be writable"):
        fetch(tmp_path / "file" / "store", urls=[])


def test_verify_tells_the_state_of_each_file(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    (first / NAMES[0]).write_bytes(FILES[NAMES[0]])
    (second / f"{NAMES[1]}.gz").write_bytes(gzip.compress(FILES[NAMES[1]]))
    (first / NAMES[2]).write_bytes(b"wrong")
    (second / NAMES[2]).write_bytes(FILES[NAMES[2]])
    (first / f"{NAMES[3]}.gz").write_bytes(b"no gzip")
    checks = verify([first, second])
    assert [check.file_name for check in checks] == NAMES
    assert [(check.path, check.state) for check in checks[:5]] == [
        (first / NAMES[0], FileState.OK),
        (second / f"{NAMES[1]}.gz", FileState.OK),
        (first / NAMES[2], FileState.WRONG_CHECKSUM),  # what a data set would get, though a right one lies behind it
        (first / f"{NAMES[3]}.gz", FileState.UNREADABLE),
        (None, FileState.MISSING),
    ]


@pytest.mark.realdata
def test_the_real_files_pass_through_an_archive(server: Server, store: Path, cmapss_dir: Path) -> None:
    real = {name: reading.content_of(path) for name, path, _ in verify([cmapss_dir]) if path}
    url, _ = server.put("/a.zip", zip_of({"folder/CMAPSSData.zip": zip_of(real)}))
    assert fetch(store, urls=[url]) == NAMES
    assert all(check.state is FileState.OK for check in verify([store]))
