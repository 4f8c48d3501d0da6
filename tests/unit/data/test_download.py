"""Downloads from a loopback server: whole, resumed, cut off, damaged; and archives that try to escape."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.unit.data.makers import cifar10, pictures
from tinyml.cli import main
from tinyml.data import catalog
from tinyml.data.catalog import REMOTE_DATASETS, RemoteDataset, RemoteFile, find_remote
from tinyml.data.download import fetch, get_dataset, unpack
from tinyml.errors import UsageError

CONTENT = bytes(range(256)) * 4_000


class Server(ThreadingHTTPServer):
    """Serves ``files``; ``cut`` ends every answer after so many bytes; ``ranges`` says whether it knows Range."""

    files: dict[str, bytes]
    cut: int | None = None
    ranges: bool = True
    seen: list[str | None]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.seen.append(wanted)
        data = self.server.files.get(self.path)
        if data is None:
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.server.ranges else 0
        if start >= len(data) and start:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        part = data[start:]
        self.wfile.write(part if self.server.cut is None else part[: self.server.cut])
        self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), Handler)
    made.files, made.seen = {"/set.bin": CONTENT}, []
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def remote(server: Server, name: str = "set.bin", content: bytes = CONTENT, *, unpack: bool = False) -> RemoteFile:
    checksum = "md5:" + hashlib.md5(content).hexdigest()
    return RemoteFile(f"http://127.0.0.1:{server.server_port}/{name}", len(content), checksum, unpack)


def quiet(what: str, done: int, total: int) -> None:
    return


def test_whole_file_with_progress(server: Server, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    path = fetch(remote(server), tmp_path, lambda *step: steps.append(step))
    assert path.read_bytes() == CONTENT and not list(tmp_path.glob("*.part"))
    assert steps[-1] == ("getting set.bin", len(CONTENT), len(CONTENT)) and len(steps) > 1
    fetch(remote(server), tmp_path, quiet)
    assert len(server.seen) == 1, "a whole file is not fetched again"


def test_goes_on_where_it_was_cut_off(server: Server, tmp_path: Path) -> None:
    server.cut = 300_000
    for have in (300_000, 600_000, 900_000):
        with pytest.raises(UsageError, match=f"{have:,} bytes are kept") as error:
            fetch(remote(server), tmp_path, quiet)
        assert "run the same command again" in (error.value.hint or "")
        assert not (tmp_path / "set.bin").exists()
    assert fetch(remote(server), tmp_path, quiet).read_bytes() == CONTENT
    assert server.seen == [None, "bytes=300000-", "bytes=600000-", "bytes=900000-"]


def test_a_server_without_ranges_starts_over(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "set.bin.part").write_bytes(b"x" * 1_000)
    assert fetch(remote(server), tmp_path, quiet).read_bytes() == CONTENT


def test_a_complete_part_needs_no_server(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set.bin.part").write_bytes(CONTENT)
    assert fetch(remote(server), tmp_path, quiet).read_bytes() == CONTENT
    assert server.seen == []


def test_without_a_published_size_a_complete_part_is_recognised(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set.bin.part").write_bytes(CONTENT)
    file = RemoteFile(remote(server).url, 0, "", False)
    assert fetch(file, tmp_path, quiet).read_bytes() == CONTENT


def test_damage_is_found_and_thrown_away(server: Server, tmp_path: Path) -> None:
    server.files["/set.bin"] = CONTENT[:-1] + b"\0"
    with pytest.raises(UsageError, match="is damaged"):
        fetch(remote(server), tmp_path, quiet)
    assert list(tmp_path.iterdir()) == []


def test_absent_file_and_absent_server(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Not Found"):
        fetch(remote(server, "other.bin"), tmp_path, quiet)
    with pytest.raises(UsageError, match="cannot get"):
        fetch(RemoteFile("http://127.0.0.1:9/set.bin", 0, "", False), tmp_path, quiet)


def tar_of(folder: Path) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, path.name)
    return file.getvalue()


def test_get_from_the_command_line(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = tar_of(cifar10(tmp_path / "made", 20, 10))
    server.files["/cifar.tar.gz"] = content
    file = remote(server, "cifar.tar.gz", content, unpack=True)
    dataset = RemoteDataset("cifar10", "pictures", "cifar10", "none", "a test", "cifar-10-batches-py", (file,))
    monkeypatch.setattr(catalog, "REMOTE_DATASETS", (dataset,))
    output = tmp_path / "out"
    assert main(["data", "get", "cifar10", "--output", str(output), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == {"name": "cifar10", "folder": str(output / "cifar-10-batches-py"), "licence": "none"}
    assert main(["data", "info", answer["folder"], "--json", "--check"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info["layout"] == "cifar10" and info["damaged"] == [] and info["splits"]["test"]["cat"] == 1
    assert main(["data", "get", "cifar10", "--output", str(output)]) == 0
    assert capsys.readouterr().out == f"{output / 'cifar-10-batches-py'}\n"
    assert len(server.seen) == 1, "what is unpacked is not fetched again"


def test_info_and_list_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = pictures(tmp_path, {"train/cat": 4, "train/dog": 4, "val/cat": 1, "val/dog": 1, "test/cat": 2})
    (folder / "test/cat/picture000.png").write_bytes(b"nothing")
    assert main(["data", "info", str(folder), "--check"]) == 0
    text = capsys.readouterr().out
    assert "image_folder (image), 2 classes" in text and "1 damaged samples" in text
    assert main(["data", "list"]) == 0
    assert "speech_commands" in capsys.readouterr().out
    assert main(["data", "list", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["datasets"]) == len(REMOTE_DATASETS)


def test_usage_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "get", "imagenet"]) == 2
    assert "there is no data set 'imagenet'" in capsys.readouterr().err
    assert main(["data", "info", str(tmp_path)]) == 2
    assert "no layout" in capsys.readouterr().err
    assert find_remote("vww").name == "visual_wake_words"
    assert find_remote("Speech-Commands").name == "speech_commands"


def bad_tar(name: str, *, link: str = "") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        good = tarfile.TarInfo("good.txt")
        good.size = 1
        archive.addfile(good, io.BytesIO(b"x"))
        member = tarfile.TarInfo(name)
        if link:
            member.type, member.linkname = tarfile.SYMTYPE, link
            archive.addfile(member)
        else:
            member.size = 1
            archive.addfile(member, io.BytesIO(b"x"))
    return file.getvalue()


@pytest.mark.parametrize("name", ["../out.txt", "a/../../out.txt", "/tmp_out.txt", "C:/out.txt", "..\\out.txt"])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_archives_cannot_write_outside(tmp_path: Path, name: str, kind: str) -> None:
    archive = tmp_path / f"bad.{kind}"
    if kind == "tar":
        archive.write_bytes(bad_tar(name))
    else:
        with zipfile.ZipFile(archive, "w") as opened:
            opened.writestr("good.txt", "x")
            opened.writestr(name, "x")
    inside = tmp_path / "deep" / "inside"
    inside.mkdir(parents=True)
    with pytest.raises(UsageError, match="would write outside"):
        unpack(archive, inside, quiet)
    assert sorted(path.name for path in tmp_path.rglob("*")) == [f"bad.{kind}", "deep", "inside"]


def test_links_out_and_damaged_archives(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    archive = tmp_path / "bad.tar"
    archive.write_bytes(bad_tar("link", link="../../secret"))
    with pytest.raises(UsageError, match="cannot unpack"):
        unpack(archive, inside, quiet)
    assert not (inside / "link").is_symlink()
    whole = tar_of(pictures(tmp_path / "set", {"cat": 5}))
    for data in (whole[: len(whole) // 2], b"no archive at all"):
        archive.write_bytes(data)
        with pytest.raises(UsageError, match="cannot unpack"):
            unpack(archive, inside, quiet)


def test_too_large_archives_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinyml.data.download.MAX_UNPACKED_BYTES", 1)
    archive = tmp_path / "large.tar"
    archive.write_bytes(bad_tar("second.txt"))
    with pytest.raises(UsageError, match="would unpack to 2 bytes"):
        unpack(archive, tmp_path, quiet)


def test_an_interrupted_unpacking_is_done_again(server: Server, tmp_path: Path) -> None:
    content = tar_of(cifar10(tmp_path / "made", 20, 10))
    server.files["/cifar.tar.gz"] = content
    file = remote(server, "cifar.tar.gz", content, unpack=True)
    dataset = RemoteDataset("cifar10", "pictures", "cifar10", "none", "a test", ".", (file,))

    def stop(what: str, done: int, total: int) -> None:
        if what.startswith("unpacking"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get_dataset(dataset, tmp_path / "out", stop)
    get_dataset(dataset, tmp_path / "out")
    assert len(server.seen) == 1
    assert not (tmp_path / "out" / "cifar.tar.gz").exists()
