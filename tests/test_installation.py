"""Offers and remedies name commands and files that exist where the user is."""

import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest

from amnl_tune import installation
from amnl_tune.cli.run import OFFERS
from amnl_tune.studies.study_file import load_study_spec

ROOT = Path(installation.__file__).parents[1]
EXTRAS = sorted(set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]) - {"dev"})


def test_what_is_typed_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert installation.program() == "amnl-tune"
    for name in ("python", "amnl-tune"):
        (tmp_path / "my env" / "bin").mkdir(parents=True, exist_ok=True)
        (tmp_path / "my env" / "bin" / name).touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "my env" / "bin" / "python"))
    assert installation.program() == shlex.quote(str(tmp_path / "my env/bin/amnl-tune")), "another one is on the PATH"
    monkeypatch.chdir(tmp_path)
    assert installation.program() == "'my env/bin/amnl-tune'"
    said = installation.as_typed_here("run `amnl-tune db upgrade`, not `amnl-tunes`, of amnl-tune")
    assert said == "run `'my env/bin/amnl-tune' db upgrade`, not `amnl-tunes`, of amnl-tune"
    (tmp_path / "my env" / "bin" / "amnl-tune").unlink()
    monkeypatch.setenv("PATH", "")
    assert installation.program() == "'my env/bin/python' -m amnl_tune"


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_s_remedy_installs_it(extra: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a checkout the checkout with the extra; elsewhere the packages themselves, since no index knows our name."""
    monkeypatch.chdir(tmp_path)
    assert installation.install_extra(extra).endswith(f' -m pip install -e "{ROOT}[{extra}]"')
    monkeypatch.chdir(ROOT)
    assert installation.install_extra(extra).endswith(f' -m pip install -e ".[{extra}]"')
    monkeypatch.setattr(installation, "CHECKOUT", None)
    line = f'some-package>=2,<3; extra == "{extra}"'
    monkeypatch.setattr(installation.metadata, "requires", lambda name: ["torch>=2", line, 'x; extra == "other"'])
    assert installation.install_extra(extra).endswith(' -m pip install "some-package>=2,<3"')


def test_what_is_offered_next_exists_and_takes_as_long_as_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    told = (ROOT / "studies" / "README.md").read_text()
    for name, command, meaning in OFFERS:
        assert load_study_spec(Path(command.split()[1])).name == name
        duration = re.search(r"about \d+ \w+ on two CPU cores", meaning)
        assert duration
        (row,) = [line for line in told.splitlines() if line.startswith(f"| `{name}.toml`")]
        assert duration[0] in row


def test_no_text_of_the_package_names_what_an_index_does_not_have() -> None:
    texts = {
        path: path.read_text()
        for path in [
            *ROOT.glob("amnl_tune/**/*.py"),
            *ROOT.glob("*.md"),
            *ROOT.glob("docs/*.md"),
            *ROOT.glob("studies/*.md"),
        ]
    }
    assert [str(path) for path, text in texts.items() if re.search(r"pip install \"?amnl-tune", text)] == []
    named = {
        name for text in texts.values() for name in re.findall(r"(?<!--write )studies/([\w.]+\.(?:toml|md|png))", text)
    }
    assert sorted(name for name in named if not (ROOT / "studies" / name).exists()) == []


def test_a_shipped_study_is_found_from_anywhere_and_an_own_one_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_study_spec(Path("studies/quickstart.toml")).name == "quickstart"
    (tmp_path / "studies").mkdir()
    text = (ROOT / "studies" / "quickstart.toml").read_text()
    (tmp_path / "studies" / "quickstart.toml").write_text(f'name = "mine"\n{text}')
    assert load_study_spec(Path("studies/quickstart.toml")).name == "mine"
