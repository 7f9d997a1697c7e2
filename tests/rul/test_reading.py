"""The C-MAPSS format: what is read, and what each kind of wrong file gets."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amnl_tune.errors import DataError, DataNotFoundError
from amnl_tune.rul.layouts import CHECKSUMS, COLUMNS, CONDITIONS, FEATURES, SENSORS, SUBSETS, file_names
from amnl_tune.rul.reading import FleetParser, blocks_of, content_of, parse_fleet, parse_rul

PATH = Path("train_MINE.txt")


def line(unit: object, cycle: object, *values: object) -> str:
    """A row in NASA's form; values not given are 0.5."""
    rest = [*values, *[0.5] * (24 - len(values))]
    return " ".join(str(value) for value in (unit, cycle, *rest)) + "  \n"


def at_once(*lines: str) -> pd.DataFrame:
    return parse_fleet("".join(lines).encode(), PATH)


def line_by_line(*lines: str) -> pd.DataFrame:
    parser = FleetParser(PATH)
    frames = [parser.parse(line.encode()) for line in lines]
    parser.end()
    return pd.concat([frame for frame in frames if len(frame)], ignore_index=True)


def test_names_follow_the_nasa_readme() -> None:
    assert len(COLUMNS) == 26
    assert len(FEATURES) == 17
    assert ",".join(SENSORS).replace("sensor_", "") == "2,3,4,7,8,9,11,12,13,14,15,17,20,21"
    assert set(CHECKSUMS) == {file_name for subset in SUBSETS for file_name in file_names(subset)}
    assert set(SUBSETS) < set(CONDITIONS)


def test_rows_are_read_exactly() -> None:
    content = (line(3, 1, -0.0007, 641.82) + line(3, 2, 0.1, 1e-3) + line(1, 1)).encode()
    frame = parse_fleet(content, PATH)
    assert tuple(frame.columns) == COLUMNS
    assert frame["unit"].tolist() == [3, 3, 1]
    assert frame["cycle"].dtype == np.int64
    assert set(frame.dtypes.iloc[2:]) == {np.dtype(np.float64)}
    assert frame["setting_2"].tolist() == [641.82, 0.001, 0.5]


@pytest.mark.parametrize(
    "content",
    [
        line(1, 1) + "\n  \n",
        line(1, 1).strip(),
        line(1, 1).replace("\n", "\r\n") + line(1, 2),
        "\ufeff" + line(1, 1),
        line(1, 1).replace(" ", "\t"),
    ],
    ids=["blank lines at the end", "no newline at the end", "Windows newlines", "byte order mark", "tabs"],
)
def test_harmless_differences_are_accepted(content: str) -> None:
    assert parse_fleet(content.encode(), PATH)["cycle"].iloc[0] == 1


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "at least one row"),
        (["  \n", "\n"], "at least one row"),
        ([line(1, 1), "1 2 0.5\n"], "line 2: a line must have 26 columns between blanks, but got 3: '1 2 0.5'"),
        ([line(1, 1).strip() + " 7\n"], "line 1: a line must have 26 columns between blanks, but got 27"),
        ([line(1, 1), line(1, 2).strip() + " 7\n"], "line 2: a line must have 26 columns between blanks, but got 27"),
        ([line(1, 1), "\n", line(1, 2)], "line 2: a line must have 26 columns between blanks, but got 0"),
        (["unit,cycle\n", line(1, 1)], "line 1: a line must have 26 columns between blanks, but got 1"),
        ([line(1, 1), line(1, 2, 0, 0, 0, 0, "n/a")], "line 2: .* finite number, but got 'n/a' in column sensor_2"),
        ([line(1, 1, "nan")], "line 1: .* finite number, but got 'nan' in column setting_1"),
        ([line(1, 1, "inf")], "line 1: .* finite number, but got 'inf' in column setting_1"),
        ([line(1, 1, "1e999")], "line 1: .* finite number, but got '1e999'"),
        ([line(1, 1, '"1"')], "line 1: .* finite number"),
        ([line(1, 1, "True")], "line 1: .* finite number, but got 'True'"),
        ([line(1, 1, "1_0")], "line 1: .* finite number, but got '1_0'"),
        ([line(1, 1, "0\0")], "line 1: .* finite number"),
        ([line(1, 1), line(1.5, 2)], "line 2: unit must be a whole number, 0 or more, but got 1.5"),
        ([line(-1, 1)], "line 1: unit must be a whole number, 0 or more, but got -1"),
        ([line(1, 1), line(1, 2.5)], "line 2: cycle must be a whole number"),
        ([line("1e300", 1)], "line 1: unit must be a whole number"),
        ([line(1, 1), line(2, 1), line(1, 2)], "line 3: .* stand together, but unit 1 comes again after unit 2"),
        ([line(1, 1), line(1, 3)], "line 2: cycles must count 1, 2, 3, ..., but got 3 where unit 1 must be at 2"),
        ([line(1, 1), line(1, 2), line(1, 2)], "line 3: cycles must count .*, but got 2 where unit 1 must be at 3"),
        ([line(1, 1), line(2, 2)], "line 2: cycles must count .*, but got 2 where unit 2 must be at 1"),
        ([line(1, 0)], "line 1: cycles must count .*, but got 0 where unit 1 must be at 1"),
    ],
)
@pytest.mark.parametrize("parse", [at_once, line_by_line])
def test_a_broken_rule_names_file_line_and_values(
    lines: list[str], message: str, parse: Callable[..., pd.DataFrame]
) -> None:
    with pytest.raises(DataError, match=f"^train_MINE.txt.*{message}") as caught:
        parse(*lines)
    assert "\n" not in str(caught.value)


def test_a_file_in_blocks_is_the_file(tmp_path: Path) -> None:
    lines = [line(unit, cycle) for unit in (3, 1, 2) for cycle in (1, 2, 3)] + ["\n", "  \n"]
    pd.testing.assert_frame_equal(line_by_line(*lines), at_once(*lines))
    path = tmp_path / "engines.txt.gz"
    path.write_bytes(gzip.compress("".join(lines).encode()))
    for size in (1, 100, 1 << 20):
        assert b"".join(blocks_of(path, size)) == "".join(lines).encode()
    assert max(len(block.splitlines()) for block in blocks_of(path, 1)) <= 2


def test_bytes_that_are_no_text_are_an_error_of_the_file() -> None:
    with pytest.raises(DataError, match="line 1"):
        parse_fleet(line(1, 1).encode().replace(b"0.5", b"\xff\xfe", 1), PATH)


def test_rul_is_one_number_a_line() -> None:
    rul = parse_rul(b"112 \n98 \n0 \n", Path("RUL_MINE.txt"), engines=3)
    assert rul.dtype == np.float32
    assert rul.tolist() == [112, 98, 0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"1\n-2\n3\n", "line 2: .* 0 or more, but got '-2'"),
        (b"1\nx\n3\n", "line 2: .* got 'x'"),
        (b"1\nnan\n3\n", "line 2: .* got 'nan'"),
        (b"1 2\n3\n", "line 1: .* got '1 2'"),
        (b"1\n\n3\n", "line 2: .* got ''"),
        (b"1\n2\n", "one line per test engine, but got 2 lines for 3 engines"),
        (b"", "got 0 lines for 3 engines"),
    ],
)
def test_a_wrong_rul_file_names_the_line(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=f"^RUL_MINE.txt.*{message}"):
        parse_rul(content, Path("RUL_MINE.txt"), engines=3)


def test_content_is_the_same_packed_or_not(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"1 2\n")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"1 2\n"))
    assert content_of(tmp_path / "a.txt") == content_of(tmp_path / "b.txt.gz") == b"1 2\n"


PACKED = gzip.compress(b"1 2 3 4 5\n" * 99, mtime=0)


@pytest.mark.parametrize(
    "damaged",
    [PACKED[:-9], b"1 2\n", PACKED[:-6] + b"123456", PACKED[:12] + b"!" * 40],
    ids=["cut", "not packed", "wrong sum", "garbage"],
)
def test_a_broken_gzip_names_the_file(tmp_path: Path, damaged: bytes) -> None:
    path = tmp_path / "a.txt.gz"
    path.write_bytes(damaged)
    with pytest.raises(DataError, match=r"a\.txt\.gz must be a whole gzip file"):
        content_of(path)


def test_a_file_that_cannot_be_read_is_a_data_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataNotFoundError, match="must exist"):
        content_of(tmp_path / "none.txt")

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DataError, match="must be readable, but: Permission denied"):
        content_of(tmp_path / "a.txt")


@pytest.mark.parametrize("content", [b"\n" * 17_000_000, b"0" * 17_000_000, b"\0" * 17_000_000])
def test_a_small_file_that_unfolds_to_a_large_one(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(DataError, match=r"must unfold to numbers, but its [\d,]+ bytes unfold to more than 16,777,216"):
        content_of(path)
    parser = FleetParser(path, latest_start=10)
    with pytest.raises(DataError, match=r"one is longer than 65,536 bytes: '0000|one is longer .*x00|bytes are blank"):
        for block in blocks_of(path, 1 << 20):
            parser.parse(block)


def test_marks_and_line_ends_of_other_editors(tmp_path: Path) -> None:
    content = "".join([line(1, 1), line(1, 2), line(2, 1)]).encode()
    read = parse_fleet(content, PATH)
    for other in (b"\xef\xbb\xbf" + content, content.replace(b"\n", b"\r\n")):
        pd.testing.assert_frame_equal(parse_fleet(other, PATH), read)
    labels = parse_rul(b"5\n7\n", PATH, 2)
    for other in (b"\xef\xbb\xbf5\n7\n", b"5\r\n7\r\n", b"\xef\xbb\xbf5\r\n7"):
        np.testing.assert_array_equal(parse_rul(other, PATH, 2), labels)
    for coding in ("utf-16", "utf-16-be"):
        mark = b"" if coding == "utf-16" else b"\xfe\xff"
        for parse in (lambda text: parse_fleet(text, PATH), lambda text: parse_rul(text, PATH, 3)):
            with pytest.raises(
                DataError, match=r"train_MINE\.txt must be plain text, but it is UTF-16; save it as UTF-8"
            ):
                parse(mark + content.decode().encode(coding))


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(
    where=st.integers(0, 700),
    new=st.sampled_from([b"", b"\n", b" ", b"\r", b"e", b"-", b".", b"nan", b"1e999", b"9" * 400, b"1e300", b"\0", b"\xff",
                         b"x", b"#", b'"', b",", b"\t", b"True", b"0x1", b"\n\n\n", b"1_0"]),
    gone=st.sampled_from([0, 1, 2, 5, 130, 10_000]),
)  # fmt: skip
def test_a_damaged_file_is_read_or_refused_in_one_line(where: int, new: bytes, gone: int) -> None:
    """At once and in blocks alike."""
    content = "".join([line(1, 1), line(1, 2), line(2, 1), line(2, 2), line(7, 1)]).encode()
    content = content[:where] + new + content[where + gone :]
    told: list[str] = []
    found: list[pd.DataFrame] = []
    lines = content.splitlines(keepends=True) if b"\r" not in content else [content]
    for pieces in ([content], lines):
        parser = FleetParser(PATH)
        try:
            frames = [parser.parse(piece) for piece in pieces]
            parser.end()
            found.append(pd.concat([frame for frame in frames if len(frame)], ignore_index=True))
        except DataError as error:
            told.append(str(error))
    assert all("\n" not in text and len(text) < 400 for text in told)
    assert len(told) in {0, 2}, told
    if found:
        pd.testing.assert_frame_equal(*found)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("subset", "training", "test", "shorter_than_30"),
    [
        ("FD001", (20_631, 100), (13_096, 100), 0),
        ("FD002", (53_759, 260), (33_991, 259), 6),
        ("FD003", (24_720, 100), (16_596, 100), 0),
        ("FD004", (61_249, 249), (41_214, 248), 11),
    ],
)
def test_real_files_have_the_published_counts(
    cmapss_dir: Path, subset: str, training: tuple[int, int], test: tuple[int, int], shorter_than_30: int
) -> None:
    """Rows and engines, and the test engines shorter than the window."""
    from amnl_tune.rul.sources import FleetSource

    source = FleetSource((cmapss_dir,))
    frame = source.training(subset).frame
    assert (len(frame), frame["unit"].nunique()) == training
    fleet = source.test(subset)
    assert (len(fleet.frame), len(fleet.rul)) == test
    assert (fleet.frame.groupby("unit")["cycle"].max() < 30).sum() == shorter_than_30
