"""The examples of the Python interface, in docstrings and on the pages, run as they are written."""

import gzip
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pages import PAGES, blocks, name_of

import amnl_tune
from amnl_tune import api
from amnl_tune.errors import StudyError

EXAMPLES = ("run_study", "promote", "export", "load_checkpoint", "study_data")


def example(name: str) -> str:
    """The code of a docstring's example."""
    lines = re.findall(r"^\s*>>> (.*)$", getattr(api, name).__doc__, flags=re.MULTILINE)
    assert lines, name
    return "\n".join(lines)


@pytest.mark.slow
def test_every_example_runs(
    tiny_study: str,
    fleet_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "quickstart.toml").write_text(tiny_study)
    monkeypatch.setenv("AMNL_TUNE_DATA", str(fleet_dir))
    monkeypatch.chdir(tmp_path)
    told = []
    for name in EXAMPLES:
        exec(compile(example(name), name, "exec"), {})
        told.append(capsys.readouterr().out)
    assert "fewer than 3 seeds" in told[0], "one seed establishes nothing"
    assert str(Path("exports") / "quickstart") in told[0]
    assert (tmp_path / "exports" / "quickstart" / "model.onnx").exists()
    assert (tmp_path / "reports" / "quickstart.html").exists()
    assert "cycles" in told[1] or "published defaults" in told[1]
    spec = amnl_tune.load_study_spec(tmp_path / "studies" / "quickstart.toml")
    outcome = amnl_tune.run_study(spec)
    assert outcome.facts["trials"]["complete"] == 4
    assert outcome.choice == outcome.facts["promotion"]["choice"]["kind"]
    assert outcome.choice_test_rmse == outcome.facts["promotion"]["choice"]["test_rmse"]
    assert amnl_tune.load_bundle(tmp_path / "exports" / "quickstart").provenance["study"] == "quickstart"
    assert amnl_tune.load_study_spec(str(tmp_path / "studies" / "quickstart.toml")) == spec
    assert amnl_tune.load_bundle(f"{tmp_path}/exports/quickstart").config.dataset == "SIM1"
    with pytest.raises(StudyError, match="was not promoted"):
        amnl_tune.export("quickstart", tmp_path / "x", trial=77)
    assert capsys.readouterr().out == ""
    (tmp_path / "test_FD001.txt").write_bytes(gzip.decompress((fleet_dir / "test_SIM1.txt.gz").read_bytes()))
    for page in PAGES:
        names: dict[str, Any] = {}  # a page's blocks are read one after the other
        for number, code in enumerate(blocks(page, "python")):
            exec(compile(code, f"{name_of(page)}, block {number}", "exec"), names)
            assert capsys.readouterr().out, (page, number)


def test_the_package_exports_its_interface_and_imports_nothing_heavy() -> None:
    for name in amnl_tune.__all__:
        assert hasattr(amnl_tune, name)
    with pytest.raises(AttributeError, match="has no attribute 'nope'"):
        _ = amnl_tune.nope
    program = "import sys, amnl_tune; assert not {'torch', 'optuna', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300)
