"""Every command as a user types it, and what wrong input gets: one line, exit code 2, no traceback."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner, Result

from amnl_tune.cli.app import Commands, app

README = Path(__file__).parents[2] / "README.md"


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(*arguments: object) -> str:
    """The one line that a user's mistake gets."""
    result = invoke(*arguments)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("Error: ")
    return lines[0].removeprefix("Error: ")


def commands(group: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        found += commands(command, (*path, name)) if hasattr(command, "commands") else [(*path, name)]
    return found


COMMANDS = commands(get_command(app))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example_and_is_in_the_docs(command: tuple[str, ...]) -> None:
    result = invoke(*command, "--help")
    assert result.exit_code == 0
    assert f"Example: amnl-tune {' '.join(command)}" in re.sub(r"\s+", " ", result.output)
    assert f"\n## `amnl-tune {' '.join(command)}" in (README.parent / "docs" / "commands.md").read_text()


@pytest.mark.parametrize("cause", [KeyboardInterrupt(), ValueError()])
def test_an_interrupt_in_the_middle_of_an_import_is_an_interrupt(cause: BaseException) -> None:
    """Before 3.12, Python makes a RuntimeError of what is raised while a class is made."""
    small = typer.Typer(cls=Commands)

    @small.callback()
    def group() -> None: ...

    @small.command()
    def command() -> None:
        raise RuntimeError("Error calling __set_name__") from cause

    result = CliRunner().invoke(small, ["command"])
    if isinstance(cause, KeyboardInterrupt):
        assert (result.exit_code, "Interrupted: everything" in result.stderr) == (2, True)
    else:
        assert isinstance(result.exception, RuntimeError)


def test_help_is_quick_because_it_imports_nothing_heavy() -> None:
    program = (
        "import sys; from amnl_tune.cli.app import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'optuna', 'pandas', 'sqlalchemy', 'plotly'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL, timeout=300)


def test_version() -> None:
    assert invoke("--version").output.startswith("amnl-tune 0.")


@pytest.fixture
def study_file(tmp_path: Path, tiny_study: str) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(tiny_study)
    return path


@pytest.fixture
def quiet_fleet(monkeypatch: pytest.MonkeyPatch, fleet_dir: Path) -> None:
    monkeypatch.setenv("AMNL_TUNE_DATA", str(fleet_dir))


def test_a_study_file_is_checked_without_training(study_file: Path) -> None:
    assert "is fine: study 'tiny' on SIM1, 4 trials of 3 epochs" in invoke("study", "check", study_file).output
    facts = json.loads(invoke("study", "check", study_file, "--json").output)
    assert (facts["study"], facts["trials"], facts["epochs_at_most"]) == ("tiny", 4, 12)


def test_a_typo_in_a_study_file(study_file: Path) -> None:
    study_file.write_text(study_file.read_text().replace("trials = 4", "trails = 4"))
    result = invoke("run", study_file)
    assert result.exit_code == 2
    assert "`budget.trails` is not a key" in result.stderr
    assert "did you mean `trials`?" in result.stderr


def test_a_missing_study_file(study_file: Path) -> None:
    message = refused("run", study_file.with_name("tinny.toml"))
    assert "there is no" in message
    assert "did you mean" in message
    assert "tiny.toml?" in message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("window = 20", "window = 400"), "`window` must be at most the longest training engine, but got window=400"),
        (
            ("batch_size = 32\n", "batch_size = 99999\n"),
            "`batch_size` must be at most the number of training windows, but the study may try batch_size=99999",
        ),
        (('dataset = "SIM1"', 'dataset = "FD01"'), "did you mean"),
        (("validation_truncations = 4", "validation_fraction = 0.99"), "`validation_fraction` must leave at least one"),
    ],
)
def test_studies_that_do_not_fit_their_data(
    change: tuple[str, str], message: str, study_file: Path, quiet_fleet: None
) -> None:
    text = study_file.read_text()
    assert change[0] in text
    text = text.replace(*change)
    if "99999" in change[1]:
        text = text.replace("choices = [16, 32]", "choices = [16, 99999]")
    study_file.write_text(text)
    assert message in refused("run", study_file)
    listed = invoke("study", "list", "--json")
    assert listed.exit_code == 2 or json.loads(listed.output) == []  # nothing half-made is left behind


UNKNOWN = [
    ("study", "show", "nothing"),
    ("worker", "nothing"),
    ("promote", "nothing"),
    ("export", "nothing"),
    ("report", "nothing"),
]


@pytest.mark.parametrize("command", UNKNOWN, ids=lambda command: command[0])
def test_unknown_studies(command: tuple[str, ...]) -> None:
    assert "must hold studies, but it holds none; run `amnl-tune run" in refused(*command)
    assert invoke("db", "upgrade").exit_code == 0
    assert "there is no 'nothing'" in refused(*command)


@pytest.mark.parametrize(
    "command", [("study", "list"), ("dashboard",), ("db", "upgrade")], ids=lambda command: command[0]
)
def test_storages_that_cannot_be_used(command: tuple[str, ...]) -> None:
    assert "`--storage` must name an SQLite file or a PostgreSQL server" in refused(
        *command, "--storage", "mysql://u:pw@h/d"
    )
    message = refused(*command, "--storage", "postgresql://u:secret@127.0.0.1:1/d")
    assert "must answer" in message
    assert "start the server" in message
    assert "secret" not in message


@pytest.mark.parametrize("home", ["/proc/home", "/dev/null/home"])
def test_a_read_only_folder(home: str, study_file: Path, quiet_fleet: None) -> None:
    assert "must be writable" in refused("run", study_file, "--home", home)


def test_a_database_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "amnl_tune.db").write_text("this is not a database, but it is long enough to be looked at " * 40)
    assert "must answer, but: file is not a database" in refused("study", "list")


def test_predict_on_what_is_not_there(tmp_path: Path) -> None:
    assert "must hold config.toml" in refused("predict", tmp_path, tmp_path / "x.txt")


def test_a_device_that_is_not_there(study_file: Path, quiet_fleet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert "torch finds no CUDA device for 'cuda:7'" in refused("lr-find", study_file, "--device", "cuda:7")


def test_lr_find_alone(study_file: Path, quiet_fleet: None, tmp_path: Path) -> None:
    out = tmp_path / "curve.html"
    facts = json.loads(invoke("lr-find", study_file, "--json", "--out", out).stdout)
    assert set(facts["suggested"]) == {"steepest", "valley", "minimum/10"}
    assert facts["prior"][0] < facts["used"] < facts["prior"][1]
    assert "plotly" in out.read_text()
    again = json.loads(invoke("lr-find", study_file, "--json", "--out", out).stdout)
    assert again == facts
    assert "<- the study file's rule" in invoke("lr-find", study_file, "--out", out).output


def test_the_makefile_runs_what_the_readme_says() -> None:
    text = README.read_text()
    assert "make run" in text
    assert "make test" in text
    assert "amnl-tune run $(STUDY)" in (README.parent / "Makefile").read_text()


def test_dependencies_name_the_file_that_needs_them() -> None:
    root = README.parent
    text = (root / "pyproject.toml").read_text()
    for requirement in tomllib.loads(text)["project"]["dependencies"]:
        comment = re.search(rf'"{re.escape(requirement)}",\s*# (.*)', text)
        assert comment, requirement
        for path in re.findall(r"[\w/]+\.py|[\w/]+/(?=[:; ])", comment[1]):
            assert (root / "amnl_tune" / path).exists(), path
