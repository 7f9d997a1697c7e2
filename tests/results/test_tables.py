"""A study's tables in other tools' files."""

import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from amnl_tune.cli.app import app
from amnl_tune.errors import ConfigurationError
from amnl_tune.ledger.studies import find_study
from amnl_tune.results.tables import TableName, study_table, write_table

if TYPE_CHECKING:
    Finished = Any


@pytest.mark.parametrize("name", list(TableName))
def test_every_table_goes_through_csv_and_parquet(name: TableName, finished: "Finished", tmp_path: Path) -> None:
    frame = study_table(find_study(finished.ledger, "tiny"), name)
    assert len(frame) >= 4
    write_table(frame, tmp_path / "a.csv")
    write_table(frame, tmp_path / "a.parquet")
    csv, parquet = pd.read_csv(tmp_path / "a.csv"), pd.read_parquet(tmp_path / "a.parquet")
    assert list(csv.columns) == list(parquet.columns) == list(frame.columns)
    assert len(csv) == len(parquet) == len(frame)


def test_columns_of_several_types_are_json_in_parquet(tmp_path: Path) -> None:
    frame = pd.DataFrame({"batch": [1, "auto", None], "rate": [0.1, None, 0.3]})
    write_table(frame, tmp_path / "mixed.parquet")
    back = pd.read_parquet(tmp_path / "mixed.parquet")
    assert [json.loads(value) if isinstance(value, str) else None for value in back["batch"]] == [1, "auto", None]
    assert back["rate"].dtype == float


def test_other_endings_and_a_missing_library_have_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame({"a": [1]})
    with pytest.raises(ConfigurationError, match=r"must end in \.csv or \.parquet, but got '\.xlsx'"):
        write_table(frame, tmp_path / "a.xlsx")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigurationError, match=r"pip install -e \"\.\[parquet\]\".*or write a\.csv"):
        write_table(frame, tmp_path / "a.parquet")


def test_the_command(finished: "Finished", tmp_path: Path) -> None:
    storage = ["--storage", finished.ledger.url.render_as_string()]
    shown = CliRunner().invoke(app, ["study", "trials", "tiny", *storage])
    assert len(pd.read_csv(io.StringIO(shown.stdout))) == 4
    assert len(json.loads(CliRunner().invoke(app, ["study", "trials", "tiny", "--json", *storage]).stdout)) == 4
    out = tmp_path / "attempts.csv"
    told = CliRunner().invoke(app, ["study", "trials", "tiny", "--table", "attempts", "--out", str(out), *storage])
    assert (told.exit_code, f"{out}:" in told.stderr) == (0, True)
    assert set(pd.read_csv(out)["outcome"]) == {"finished"}
