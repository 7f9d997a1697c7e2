"""The artifact location: folders, and an object store behind a real S3 server."""

from pathlib import Path

import pytest

from amnl_tune.artifacts import (
    WEIGHTS,
    Artifacts,
    ArtifactStore,
    RunKey,
    checkpoint_name,
    is_checkpoint,
    is_kept,
    kept_name,
    run_of,
)
from amnl_tune.database.models import RunRow
from amnl_tune.errors import StorageError


def test_files_come_back_as_they_were_put(store: ArtifactStore) -> None:
    store.require_writable()
    assert store.names("tiny/trial-00001") == []
    assert store.read("tiny/trial-00001/checkpoint-000001.pt") is None
    for fence, content in ((1, b"one"), (2, b"two"), (2, b"two again")):
        store.write(f"tiny/trial-00001/checkpoint-{fence:06d}.pt", content)
    assert store.names("tiny/trial-00001") == ["checkpoint-000001.pt", "checkpoint-000002.pt"]
    assert store.names("tiny") == ["trial-00001"]
    assert store.read("tiny/trial-00001/checkpoint-000002.pt") == b"two again"
    assert store.size("tiny/trial-00001/checkpoint-000002.pt") == len(b"two again")
    for fence in (1, 2, 3):
        store.delete(f"tiny/trial-00001/checkpoint-{fence:06d}.pt")
    assert store.names("tiny") == [], "an empty folder is gone too"


def test_another_machine_s_files_are_seen_at_once(store: ArtifactStore) -> None:
    other = ArtifactStore(store.url)
    assert other.names("tiny") == []
    store.write("tiny/a", b"1")
    assert other.names("tiny") == ["a"]
    assert other.read("tiny/a") == b"1"


def test_an_unknown_protocol_and_a_missing_package_are_one_line() -> None:
    with pytest.raises(
        StorageError, match=r"must have a protocol that fsspec knows, but got 'nonsense://x'.*use a folder"
    ):
        ArtifactStore("nonsense://x")
    with pytest.raises(
        StorageError, match=r"must be installed, but 'gs' is not; run `.*-m pip install -e \".*\[gcs\]\"`"
    ):
        ArtifactStore("gs://bucket/folder")


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="must be writable, but: Not a directory"):
        ArtifactStore(str(tmp_path / "file" / "artifacts")).require_writable()


@pytest.mark.slow
def test_a_bucket_that_is_not_there_is_one_line(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "me")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with pytest.raises(StorageError, match=r"artifact location s3://nobody/x must answer, but: .*set --artifacts"):
        ArtifactStore("s3://nobody/x").require_writable()


def test_what_is_written_under_a_name_is_known_by_it(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    for promotion, number in ((0, 7), (0, 123456), (1, 2), (1000, 100)):
        run = RunRow(study="tiny", promotion=promotion, slot=number, trial_number=number)
        study, _, folder = artifacts.folder(run).partition("/")
        assert run_of(study, folder) == RunKey("tiny", promotion, number)
    assert artifacts.folder(RunRow(study="tiny", promotion=0, slot=0, trial_number=7)) == "tiny/trial-00007"
    assert artifacts.folder(RunRow(study="tiny", promotion=3, slot=1)) == "tiny/promotion-003-run-01"
    assert run_of("tiny", "trial-7") is run_of("tiny", "promotion-001") is run_of("tiny", "left") is None
    assert (checkpoint_name(3), kept_name(10), kept_name(None)) == ("checkpoint-000003.pt", "epoch-00010.pt", "last.pt")
    for name in (checkpoint_name(3), "checkpoint.pt", f".{checkpoint_name(3)}.{'0' * 32}.unfinished"):
        assert is_checkpoint(name)
        assert not is_kept(name)
    for name in (kept_name(10), kept_name(None)):
        assert is_kept(name)
        assert not is_checkpoint(name)
        assert is_checkpoint(f".{name}.{'0' * 32}.unfinished"), "what a process that was killed left of it"
    assert not is_kept(WEIGHTS)
    assert not is_checkpoint(WEIGHTS)
