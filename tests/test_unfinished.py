"""What a killed process leaves: told apart from what is being written, and removed by whoever comes next."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bounded import ended, line_of

from amnl_tune.files import replace_folder, require_place, write_content, write_parts
from amnl_tune.unfinished import abandoned, unfinished

WRITES = """
import sys, time
from pathlib import Path
from amnl_tune.files import write_parts

def parts():
    yield b"x" * 100_000
    print("begun", flush=True)
    time.sleep(600)

write_parts(Path(sys.argv[1]), parts())
"""

REPLACES = """
import sys, time
from pathlib import Path
from amnl_tune.files import replace_folder

class Content(dict):
    def items(self):
        yield "a.txt", b"new"
        print("begun", flush=True)
        time.sleep(600)

replace_folder(Path(sys.argv[1]), Content())
"""


@contextmanager
def at_work(program: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process in the middle of writing."""
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert line_of(process) == "begun\n"
            yield process
        finally:
            process.kill()


def unfinished_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.endswith(".unfinished")]


def test_what_is_being_written_stays_and_what_never_will_be_goes(tmp_path: Path) -> None:
    with at_work(WRITES, tmp_path / "a.html") as process:
        assert abandoned(tmp_path) == []
        write_content(tmp_path / "b.html", b"other")
        assert len(unfinished_in(tmp_path)) == 1
        process.send_signal(signal.SIGKILL)
        ended(process)
    assert [path.name[:8] for path in abandoned(tmp_path)] == [".a.html."]
    write_content(tmp_path / "b.html", b"other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.html"]


def test_the_files_beside_it_go_too(tmp_path: Path) -> None:
    name = f".a.db.{'0' * 32}.unfinished"
    for end in ("", "-journal", "-wal", ".lock"):
        (tmp_path / f"{name}{end}").write_bytes(b"x")
    others = (f".a.db.{'0' * 32}", f"a.db.{'0' * 32}.unfinished", ".a.db.00.unfinished", f"{name}~")
    for other in others:
        (tmp_path / other).write_bytes(b"the user's")
    write_content(tmp_path / "b", b"")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, "b"])


def test_a_part_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    def parts() -> Iterator[bytes]:
        yield b"x"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_parts(tmp_path / "a", parts())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_which_the_writer_was_killed(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    replace_folder(folder, {"a.txt": b"old"})
    with at_work(REPLACES, folder) as process:
        process.send_signal(signal.SIGKILL)
        ended(process)
    assert (folder / "a.txt").read_bytes() == b"old"
    folder.rename(tmp_path / f".export.old.{'0' * 32}")  # killed between its two renamings
    (tmp_path / f".exportold.{'0' * 32}").write_text("the user's")
    replace_folder(folder, {"b.txt": b"next"})
    assert [path.name for path in folder.iterdir()] == ["b.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".export.lock", f".exportold.{'0' * 32}", "export"]


def test_a_link_s_file_is_written_and_no_link_replaced(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to("there.csv")
    write_content(tmp_path / "link.csv", b"new")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "there.csv").read_bytes() == b"new"


def test_a_pipe_is_written_and_not_replaced(tmp_path: Path) -> None:
    """As `/dev/stdout`, which a container's root would otherwise lose."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    require_place(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        try:
            write_content(pipe, b"said")
            assert reader.communicate(timeout=60)[0] == b"said"
        finally:
            reader.kill()
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_folder_may_vanish_before_and_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another worker deletes a run's last checkpoint, and its folder, while one that has lost its lease writes there."""
    place = tmp_path / "trial" / "checkpoint.pt"
    place.parent.mkdir()
    monkeypatch.setattr("amnl_tune.unfinished.remove_abandoned", lambda folder: folder.rmdir())
    with unfinished(place) as (temporary, file):
        file.write(b"kept")
        temporary.replace(place)
        place.unlink()
        place.parent.rmdir()
    assert not place.parent.exists()
