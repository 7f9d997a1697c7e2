"""What pip builds: the source distribution has all that its own tests read, the wheel all that its commands name."""

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEFT_OUT = {".ci/run"}
"""Of the repository's own machine."""


def built(kind: str, folder: Path) -> Path:
    """By hatchling, without pip's environment of its own."""
    code = f"import sys; from hatchling.build import build_{kind} as build; print(build(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], cwd=ROOT, capture_output=True, text=True, check=True, timeout=300
    )
    return folder / done.stdout.split()[-1]


def test_the_source_distribution_is_the_whole_repository(tmp_path: Path) -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=900)
    if listed.returncode:
        pytest.skip("not a git checkout: nothing to hold the source distribution against")
    with tarfile.open(built("sdist", tmp_path)) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    tracked = {name for name in listed.stdout.splitlines() if (ROOT / name).exists()}
    assert sorted(tracked - inside - LEFT_OUT) == []


@pytest.mark.slow
def test_the_source_distribution_passes_what_reads_files(tmp_path: Path) -> None:
    with tarfile.open(built("sdist", tmp_path)) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = [path for path in tmp_path.iterdir() if path.is_dir()]
    tests = (
        "deploy/test_compose.py",
        "cli/test_commands.py",
        "database/test_schemas.py",
        "docs",
        "test_installation.py",
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider", *(f"tests/{name}" for name in tests)],
        cwd=unpacked, env=os.environ | {"PYTHONPATH": str(unpacked)}, capture_output=True, text=True, check=False,
        timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


@pytest.mark.slow
def test_a_wheel_brings_migrations_and_studies(tmp_path: Path) -> None:
    site, here = tmp_path / "site", tmp_path / "here"
    here.mkdir()
    with zipfile.ZipFile(built("wheel", tmp_path)) as wheel:
        wheel.extractall(site)
    templates = Path("amnl_tune/dashboard/templates")
    assert {path.name for path in (site / templates).iterdir()} == {path.name for path in (ROOT / templates).iterdir()}

    def ask(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "amnl_tune", *words],
            cwd=here, env=os.environ | {"PYTHONPATH": str(site)}, capture_output=True, text=True, check=False,
            timeout=300,
        )  # fmt: skip

    checked = ask("study", "check", "studies/narrow_fd001.toml")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "study 'narrow_fd001' on FD001" in checked.stdout
    missing = ask("study", "check", "nothing.toml")
    assert f"{site / 'amnl_tune' / '_studies' / 'README.md'} says how to write one" in missing.stderr
    assert ask("db", "upgrade", "--home", str(here)).returncode == 0


@pytest.mark.slow
def test_an_installed_wheel_runs_a_study_away_from_the_repository(tmp_path: Path, tiny_study: str) -> None:
    """In an environment of its own, which has the libraries of this one and not this checkout."""
    here = tmp_path / "here"
    here.mkdir()
    (here / "tiny.toml").write_text(tiny_study.replace("trials = 4", "trials = 2"))
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "new")], check=True, timeout=300)
    bin_folder = tmp_path / "new" / "bin"
    own = next((tmp_path / "new" / "lib").glob("python*/site-packages"))
    # A path in a .pth file adds that folder alone: the .pth files in it, an editable install's among them, are not read.
    (own / "libraries.pth").write_text(sysconfig.get_paths()["purelib"])
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AMNL_TUNE_", "PYTHON"))}

    def ask(program: str, *words: str) -> str:
        done = subprocess.run(
            [str(bin_folder / program), *words],
            cwd=here, env=clean, capture_output=True, text=True, check=False, timeout=900,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout

    ask("python", "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", str(built("wheel", tmp_path)))
    assert ask("python", "-c", "import amnl_tune; print(amnl_tune.__file__)").startswith(str(own))
    home = ("--home", str(here))
    ask("amnl-tune", "db", "upgrade", *home)
    assert "on SIM1" in ask("amnl-tune", "plan", "tiny.toml", *home)
    facts = json.loads(ask("amnl-tune", "run", "tiny.toml", "--json", "--no-tensorboard", *home))
    assert facts["promotion"]["scored"]
    assert (here / facts["export"] / "README.md").is_file()
    ask("amnl-tune", "export", "tiny", "--out", "again", *home)
    assert {file.name for file in (here / "again").iterdir()} >= {"config.toml", "preprocessing.json", "README.md"}
