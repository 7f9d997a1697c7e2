"""What the pages say is there, is there: links, files, variables, rooms, figures."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pages import DOCS, PAGES, ROOT, anchors, inline, name_of, prose, read, section

README = ROOT / "README.md"
MEASUREMENTS = DOCS / "measurements.md"
each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        assert other.exists(), target
        assert not anchor or anchor in anchors(other), target


def test_every_page_is_linked_from_the_readme_and_leads_back_to_it() -> None:
    for page in DOCS.glob("*.md"):
        assert f"({name_of(page)})" in read(README)
        assert "(../README.md" in read(page)


def test_the_readme_is_read_in_ten_minutes() -> None:
    assert 8_000 <= README.stat().st_size <= 10_240
    assert len(re.findall(r"^\| [\w ]+ \| ", section(README, "Ten words"), flags=re.MULTILINE)) == 1 + 10


@each_page
def test_files_that_are_named_exist(page: Path) -> None:
    """From the repository's root or, of a module, from the package's."""
    named = re.compile(
        r"(?:\.?[\w-]+/)*[\w-]*\.?[\w-]+\.(?:py|md|toml|yml|txt|json)|(?:[\w-]+/)+(?:Dockerfile|Caddyfile)?"
    )
    own = ("amnl_tune/", "benchmarks/", "deploy/", "docs/", "storage/migrations/", "studies/", "tests/")
    rooms = tuple(f"{path.name}/" for path in (ROOT / "amnl_tune").iterdir() if path.is_dir())
    for span in inline(page):
        if named.fullmatch(span) and span.startswith(own + rooms) and span != "studies/x.toml":
            assert (ROOT / span).exists() or (ROOT / "amnl_tune" / span).exists(), span


@each_page
def test_variables_that_are_named_are_read(page: Path) -> None:
    sources = [*ROOT.glob("amnl_tune/**/*.py"), *ROOT.glob("tests/**/*.py"), ROOT / ".env.example"]
    text = "\n".join(map(read, sources))
    for variable in set(re.findall(r"\bAMNL_TUNE_[A-Z_]+|\bDASHBOARD_[A-Z_]+", read(page))):
        assert variable in text, variable


def test_the_rooms_stand_in_the_order_that_is_checked() -> None:
    contracts = tomllib.loads(read(ROOT / "pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if each["type"] == "layers")
    rows = [
        set(re.findall(r"`(\w+)`", row))
        for row in re.findall(r"^\| (`.*?) \|", section(DOCS / "design.md", "Rooms"), flags=re.MULTILINE)
    ]
    assert rows == [set(layer.split(" | ")) for layer in layers]


def test_the_map_names_rooms_that_there_are() -> None:
    text = section(README, "The map").partition("| beside the package")[0]
    rooms = re.findall(r"`(\w+)`", text.partition("```\n")[2])
    assert len(rooms) > 8
    for room in rooms:
        assert any((ROOT / "amnl_tune" / name).exists() for name in (room, f"{room}.py")), room
    for room in re.findall(r"\b(studies|search|ledger|database|promotion|results|dashboard|rul|training)\b", text):
        assert (ROOT / "amnl_tune" / room).is_dir()


def test_every_figure_says_what_prints_it_and_where() -> None:
    sections = re.split(r"^## ", prose(MEASUREMENTS), flags=re.MULTILINE)[1:]
    assert len(sections) > 8
    for each in sections:
        assert re.match(r".+\n\n\* \*\*Command\*\*: `[^`]+`", each), each[:60]
        assert re.search(r"^\* \*\*Machine\*\*: ", each, flags=re.MULTILINE), each[:60]
    figures = re.findall(r"^\| .*\d\.\d.* \|$", section(README, "Figures"), flags=re.MULTILINE)
    assert len(figures) == 6
    for row in figures:
        assert row in read(MEASUREMENTS), "the README's figures are the measurements'"


def test_the_commands_that_print_figures_are_there() -> None:
    """Their modules are imported by a process of its own; their options stand in them."""
    spans = [span for page in PAGES for span in inline(page)]
    lines = [span for span in spans if re.search(r"python (-m )?(benchmarks|chaos)\b", span)]
    modules = {}
    for line in lines:
        name, options = re.match(r".*?python (?:-m )?([\w./]+)(.*)", line).groups()  # type: ignore[union-attr]
        modules.setdefault(name.removesuffix(".py").replace("/", "."), set()).update(re.findall(r"--[\w-]+", options))
    assert len(modules) > 5
    found = "import importlib, sys; [print(importlib.import_module(name).__file__) for name in sys.argv[1:]]"
    done = subprocess.run(
        [sys.executable, "-c", found, *modules], cwd=ROOT, capture_output=True, text=True, check=False, timeout=600,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests")))},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for file, options in zip(done.stdout.splitlines(), modules.values(), strict=True):
        assert all(f'"{option}"' in read(Path(file)) for option in options), (file, options)
