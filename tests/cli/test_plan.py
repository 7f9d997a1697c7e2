"""`amnl-tune plan` as a user types it: a real calibration, a real run, and what wrong input gets."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from here import train_here
from typer.testing import CliRunner, Result

from amnl_tune.cli.app import app


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "120"})


def ran(home: Path, *arguments: object) -> str:
    """Standard output of the command as a process, which must succeed and say nothing on stderr but what it does."""
    done = subprocess.run(
        [sys.executable, "-m", "amnl_tune", *(str(argument) for argument in arguments)],
        env=os.environ | {"COLUMNS": "120"},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return done.stdout


def refused(*arguments: object) -> str:
    result = invoke(*arguments)
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.strip().splitlines()
    return line.removeprefix("Error: ")


@pytest.fixture
def file(tmp_path: Path, tiny_study: str, fleet_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AMNL_TUNE_DATA", str(fleet_dir))
    path = tmp_path / "tiny.toml"
    path.write_text(
        tiny_study.replace("trials = 4", "trials = 4\nepochs = 1000").replace(
            "workers = 2", "workers = 2\nprice_per_hour = 0.5"
        )
    )
    return path


def plan_of(text: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@pytest.mark.slow
def test_a_plan_a_study_and_the_two_together(file: Path, tmp_path: Path, fleet_dir: Path) -> None:
    page = tmp_path / "plan.html"
    made = ran(tmp_path, "plan", file, "--preset", "production", "--preset", "large-scale", "--out", page)
    for told in (
        "tiny: 4 trials on SIM1",
        "this machine",
        "4 x A100",
        "all 4 trials fit",
        "cost",
        "USD",
        "left of `epochs`: 988 of",
        "Memory (cpu), measured here: a worker's process takes up to",
        "3.2 GB in float32, 2.1 GB in mixed precision",
    ):
        assert told in made
    assert "<html>" in page.read_text()[:100]
    assert "must hold studies, but it holds none" in refused("plan", file, "--actual")
    train_here(file, tmp_path, fleet_dir)
    shown = invoke("plan", file, "--actual")
    assert shown.exit_code == 0, shown.output
    assert "spent /" in shown.output
    assert "cost, USD" in shown.output
    assert "after the study had begun" not in shown.output
    actual = plan_of(invoke("plan", file, "--actual", "--json").stdout)
    by_name = {row["quantity"]: row for row in actual["quantities"]}
    assert (by_name["epochs of trials"]["spent"], by_name["epochs of trials"]["expected"]) == (12, 12)
    assert by_name["epochs of promoted runs"]["spent"] in (4, 8)
    assert 0 < by_name["cost"]["spent"] == pytest.approx(0.5 * by_name["accelerator hours"]["spent"])
    assert by_name["wall time"]["spent"] > 0
    assert actual["open_runs"] == 0
    again = invoke("plan", file)
    assert "Trials: as 4 trials of this study." in again.output


@pytest.mark.slow
def test_a_plan_as_json_is_remembered(file: Path, tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text("[gpus.H100]\nprice_per_hour = 40.0\n")
    plan = plan_of(ran(tmp_path, "plan", file, "--workers", 1, "--prices", prices, "--json"))
    assert (plan["study"], plan["workers"], plan["ends_by"]) == ("tiny", 1, "trials")
    kept = plan_of(Path(plan["remembered"]).read_text())
    assert kept["plan"]["rows"] == plan["rows"]
    assert {row["machine"] for row in plan["rows"]} == {
        "this machine", "RTX 3060", "RTX 3080", "RTX 5000", "A100", "H100"
    }  # fmt: skip
    costs = {row["machine"]: row["cost"][1] for row in plan["rows"] if row["workers"] == 1}
    assert costs["H100"] > 5 * costs["A100"]
    for row in plan["rows"]:
        for quantity in ("epochs", "wall", "accelerator_hours", "cost"):
            low, expected, high = row[quantity]
            assert 0 <= low <= expected <= high
            assert expected > 0
    assert plan["load"]["cores"] >= 1
    assert plan["load"]["delay"] > 0
    assert (plan["idle_wall"] is not None) is plan["load"]["busy"]
    assert not list(tmp_path.glob("**/*.db"))  # a plan makes no database
    assert plan["currency"] == "USD"


@pytest.mark.slow
def test_what_fails_in_training_is_told_once(file: Path) -> None:
    file.write_text(file.read_text().replace("window = 20", "window = 400"))
    assert "`window` must be at most the longest training engine, but got window=400" in refused("plan", file)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--preset", "prodction"), "but got 'prodction'; did you mean `production`?"),
        (("--prices", "nowhere.toml"), "`--prices` must be a readable file, but nowhere.toml is not: No such file"),
        (("--actual",), "there is none of study 'tiny'"),
        (("--actual", "--preset", "production"), "`--actual` must stand without --preset, --prices and --out"),
        (("--precision", "tf32"), "`precision` must be one that the device has, but got tf32 on cpu"),
    ],
)
def test_wrong_input(words: tuple[str, ...], message: str, file: Path) -> None:
    assert message in refused("plan", file, *words)


def test_a_typo_in_the_prices_is_told_before_anything_is_measured(file: Path, tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text("[gpus.H100]\nprice_per_huor = 40.0\n")
    message = refused("plan", file, "--prices", prices)
    assert "`gpus.H100.price_per_huor` is not a key of a price table; did you mean `price_per_hour`?" in message


def test_a_study_file_that_is_not_there(file: Path) -> None:
    assert "did you mean" in refused("plan", file.with_name("tinny.toml"))
