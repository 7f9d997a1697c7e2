"""Exports of strangers: what a folder may hold, how large, and that every damage is one line."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save
from typer.testing import CliRunner, Result

from amnl_tune.cli.app import app
from amnl_tune.errors import BundleError
from amnl_tune.results.export.bundle import load_bundle, write_bundle
from amnl_tune.results.export.prediction import EnginePredictor
from amnl_tune.results.export.verify import verify
from amnl_tune.rul.networks.amnl import AMNL
from amnl_tune.rul.preparation import prepare
from amnl_tune.rul.sources import FleetSource
from amnl_tune.training.boosting import fit_boosting
from amnl_tune.training.config import RunConfig


@dataclass(frozen=True)
class Exports:
    """A network alone and a mix, and what they were made on."""

    folder: Path
    fleets: Path

    @property
    def file(self) -> Path:
        return self.fleets / "test_SIM1.txt.gz"

    def copied(self, kind: str, to: Path) -> Path:
        shutil.rmtree(to, ignore_errors=True)
        return Path(shutil.copytree(self.folder / kind, to))


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory, fleet_dir: Path, tiny_config: RunConfig) -> Exports:
    folder, source = tmp_path_factory.mktemp("exports"), FleetSource((fleet_dir,))
    fleet = source.training("SIM1")
    data = prepare(fleet, tiny_config)
    weights = {}
    for seed in (42, 123):
        torch.manual_seed(seed)
        model = AMNL(tiny_config)
        model.start_at(60.0)
        weights[seed] = save(model.state_dict())
    for kind in ("network", "mix"):
        mixed = kind == "mix"
        write_bundle(
            folder / kind,
            config=tiny_config,
            weights=weights[42],
            scaling=data.scaling,
            provenance={"data_sha256": fleet.sha256, "condition_distance": 9.0},
            metrics={"exported": {"validation_rmse": 1.0}},
            seeds=weights if mixed else None,
            boosting=fit_boosting(data) if mixed else None,
        )
    return Exports(folder, fleet_dir)


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(*arguments: object) -> str:
    result = invoke(*arguments)
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("Error: ")
    return line


def sign(folder: Path) -> None:
    """Lets `SHA256SUMS` name every file as it is now."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "SHA256SUMS"]
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines))


@pytest.mark.parametrize(
    "name", ["/dev/zero", "../outside", "/etc/passwd", "pipe", "link", "seeds/../../outside", "config.toml/../x"]
)
def test_only_files_inside_the_folder_are_opened(name: str, exports: Exports, tmp_path: Path) -> None:
    folder = exports.copied("network", tmp_path / "w")
    (tmp_path / "outside").write_text("x")
    with (folder / "SHA256SUMS").open("a") as sums:
        sums.write(f"{hashlib.sha256(b'x').hexdigest()}  {name}\n")
    if name == "pipe":
        os.mkfifo(folder / name)
    elif name == "link":
        (folder / name).symlink_to("/dev/zero")
    message = refused("verify", folder, "--data-dir", exports.fleets)
    assert ("plain files alone" if name in {"pipe", "link"} else "must be as they were written") in message


def test_the_list_names_every_file(exports: Exports, tmp_path: Path) -> None:
    folder = exports.copied("network", tmp_path / "w")
    (folder / "seeds").mkdir()
    shutil.copy(folder / "model.safetensors", folder / "seeds" / "1.safetensors")
    assert "must name every file, but not seeds/1.safetensors in" in refused("verify", folder)
    exports.copied("network", folder)
    (folder / "SHA256SUMS").write_text("")
    assert "must name every file, but not README.md, config.toml" in refused("verify", folder)
    (folder / "SHA256SUMS").write_text("what is this\n")
    assert "but line 1 is 'what is this'; export it again" in refused("verify", folder)


def test_a_name_that_a_terminal_would_obey_is_escaped(exports: Exports, tmp_path: Path) -> None:
    folder = exports.copied("network", tmp_path / "w")
    (folder / "\x1b[2Jx").write_text("")
    assert r"but not \x1b[2Jx in" in refused("verify", folder)


def test_a_list_with_another_editor_s_line_ends_is_read(exports: Exports, tmp_path: Path) -> None:
    folder = exports.copied("network", tmp_path / "w")
    text = (folder / "SHA256SUMS").read_text()
    (folder / "SHA256SUMS").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert [figure.name for figure in verify(folder, FleetSource((exports.fleets,)))] == ["validation_rmse"]


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _endless(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def _sparse(path: Path) -> None:
    os.truncate(path, 2**40)


@pytest.mark.parametrize("broken", [_pipe, _endless, _sparse])
@pytest.mark.parametrize("name", ["config.toml", "preprocessing.json", "model.safetensors", "metrics.json"])
def test_what_is_no_plain_file_of_its_size_is_not_read(
    broken: Callable[[Path], None], name: str, exports: Exports, tmp_path: Path
) -> None:
    folder = exports.copied("network", tmp_path / "w")
    broken(folder / name)
    with pytest.raises(BundleError, match=r"a link, a pipe or a device|bytes, more than"):
        load_bundle(folder)
    with pytest.raises(BundleError, match=r"a link, a folder, a pipe or a device|bytes, more than"):
        verify(folder, FleetSource((exports.fleets,)))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("preprocessing.json", b"[" * 100_000, "nested deeper than 32 levels"),
        ("metrics.json", b'{"a":' * 5_000, "nested deeper than 32 levels"),
        ("metrics.json", b'{"a": ' + b"9" * 5_000 + b"}", "an integer beyond 64 bits"),
        ("config.toml", b"a = " + b"9" * 5_000, "an integer beyond 64 bits"),
        ("config.toml", b"a = " + b"[" * 5_000, "nested deeper than 32 levels"),
        ("config.toml", b".".join([b"a"] * 600) + b" = 1", "a key of more than 32 parts"),
        ("config.toml", b"run = 3", "config.toml does not: "),
        ("config.toml", b"\xff\xfea\x00", "UTF-16"),
        ("seeds/latest.safetensors", b"", "must be named by their number"),
        ("seeds/1e3.safetensors", b"", "must be named by their number"),
        ("seeds/\u0663.safetensors", b"", "must be named by their number"),
    ],
)
def test_damage_is_one_line(name: str, content: bytes, message: str, exports: Exports, tmp_path: Path) -> None:
    folder = exports.copied("network", tmp_path / "w")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    assert message in refused("predict", folder, exports.file)
    sign(folder)
    assert message in refused("verify", folder, "--data-dir", exports.fleets)


@pytest.mark.parametrize("told", [None, [], {}, {"validation_rmse": "x"}, {"validation_rmse": []}, {"test_rmse": 1.0}])
def test_metrics_of_other_types(told: Any, exports: Exports, tmp_path: Path) -> None:
    folder = exports.copied("network", tmp_path / "w")
    (folder / "metrics.json").write_text(json.dumps({"exported": told}))
    sign(folder)
    assert "must hold `exported` with validation_rmse" in refused("verify", folder, "--data-dir", exports.fleets)


def test_a_network_that_the_file_cannot_fill_is_not_made(exports: Exports, tmp_path: Path) -> None:
    folder = exports.copied("network", tmp_path / "w")
    config = (folder / "config.toml").read_text()
    config = re.sub(r"hidden_size = \d+", "hidden_size = 8192", config)  # 200 GB
    (folder / "config.toml").write_text(re.sub(r"num_layers = \d+", "num_layers = 32", config))
    assert "its weights are of another network than config.toml's" in refused("predict", folder, exports.file)
    (folder / "config.toml").write_text(config.replace("hidden_size = 8192", "hidden_size = 999999999"))
    assert "less than or equal to 8192" in refused("predict", folder, exports.file)


JUNK = (b"", b"\0" * 50, b"[" * 3_000, b"null", b"{}", b"[]", b'"x"', b"\xff\xfe\0", b"provenance = 3\n[run]\n", b"NaN")


@st.composite
def damages(draw: st.DrawFn) -> tuple[str, str, Callable[[bytes], bytes], bool]:
    """Kind of an export, one of its files, what becomes of its content, and whether the checksums follow."""
    kind = draw(st.sampled_from(["network", "mix"]))
    names = ["config.toml", "preprocessing.json", "metrics.json", "model.safetensors", "SHA256SUMS", "manifest.json"]
    name = draw(st.sampled_from([*names, "boosting.onnx", "seeds/42.safetensors"] if kind == "mix" else names))
    where, byte = draw(st.integers(0, 2_000)), draw(st.integers(0, 255))
    change = draw(
        st.sampled_from([
            lambda content: content[: where % (len(content) + 1)],
            lambda content: content[:where] + bytes([byte]) + content[where + 1 :],
            lambda content: content[:where] + content[where + 1 + byte :],
            lambda content: JUNK[byte % len(JUNK)],
        ])
    )  # fmt: skip
    return kind, name, change, draw(st.booleans())


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(damage=damages())
def test_a_damaged_export_works_or_is_refused_in_one_line(
    damage: tuple[str, str, Callable[[bytes], bytes], bool], exports: Exports
) -> None:
    kind, name, change, signed = damage
    folder = exports.copied(kind, exports.folder / "damaged")
    (folder / name).write_bytes(change((folder / name).read_bytes()))
    if signed:
        sign(folder)
    works = (
        lambda: list(EnginePredictor(load_bundle(folder)).stream(exports.file)),
        lambda: verify(folder, FleetSource((exports.fleets,))),
    )
    for work in works:
        try:
            work()
        except BundleError as error:
            assert "\n" not in str(error)
            assert len(str(error)) < 1_000
