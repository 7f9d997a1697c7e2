"""Every example of the pages: shell lines are taken apart as a shell and `amnl-tune` would, TOML is read.

Their Python runs in `tests/test_api.py`, on the study that the docstrings' examples have made.
"""

import importlib.util
import re
import shlex
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from pages import DOCS, PAGES, ROOT, blocks, inline, name_of, read
from typer.main import get_command

from amnl_tune.cli.app import UsageError, app
from amnl_tune.measure.plan.machines import load_machines
from amnl_tune.studies.study_file import parse_study_spec

COMMANDS = DOCS / "commands.md"
STANDING_FOR = {"FILE": "x.toml", "STUDY": "fd001", "DIR": "exports/x", "TRIAL": "7", "NAME": "production"}
each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


def commands_page() -> ModuleType:
    """`docs/make_commands.py`, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("make_commands", DOCS / "make_commands.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_what_the_commands_say() -> None:
    maker = commands_page()
    assert maker.page(read(COMMANDS)) == read(COMMANDS), "run `python docs/make_commands.py`"
    with pytest.raises(ValueError, match="must have the line"):
        maker.page("# Commands\n")


def test_every_command_is_explained_in_words_too() -> None:
    maker = commands_page()
    words = read(COMMANDS).partition(maker.MARK)[0]
    for path, _ in maker.commands(get_command(app)):
        assert f"`amnl-tune {' '.join(path)}" in words


def simple_commands(text: str) -> Iterator[list[str]]:
    """The words of every simple command: comments gone, lines joined, pipes and redirections cut off."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|>;&")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set("|>;&"):
                if words:
                    yield words
                words = [] if ">" not in word else ["cat"]  # what follows is a file, and no command
            else:
                words.append(word)


def require_amnl_tune(words: list[str], *, mentioned: bool = False) -> None:
    """Takes a line apart as the command would. One that is only mentioned in a text may lack arguments."""
    command, path = get_command(app), ["amnl-tune"]
    rest = [STANDING_FOR.get(word.strip("[].,"), word) for word in words]
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        assert rest[0] in command.commands, f"there is no {' '.join([*path, rest[0]])}"
        command, path = command.commands[rest[0]], [*path, rest.pop(0)]
    try:
        command.make_context(path[-1], rest)
    except UsageError as error:
        assert mentioned, f"{' '.join(words)}: {error}"
        assert type(error).__name__ == "MissingParameter" or not rest, f"{' '.join(words)}: {error}"


def require_command(words: list[str]) -> None:
    """Of a shell block: a command of ours, or one of the few others, with what it names."""
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    match words:
        case ["amnl-tune", *rest]:
            require_amnl_tune(rest)
        case ["make", target, *_]:
            assert re.search(rf"^{target}:", read(ROOT / "Makefile"), flags=re.MULTILINE)
        case ["docker", "compose", *rest]:
            require_compose(rest)
        case ["cp", source, _]:
            assert (ROOT / source).exists()
        case [] | ["export" | "cat" | "kubectl", *_]:
            pass
        case _:
            raise AssertionError(f"nobody knows whether this runs: {words}")


def require_compose(words: list[str]) -> None:
    services = yaml.safe_load(read(ROOT / "docker-compose.yml"))["services"]
    scaled = [word.partition("=")[0] for before, word in pairwise(words) if before == "--scale"]
    assert all(name in services for name in scaled), words
    if "run" in words and "--entrypoint" not in words:
        service, *rest = [word for word in words[words.index("run") + 1 :] if word not in {"--rm", "--no-deps", "-T"}]
        assert service == "tune"
        require_amnl_tune(rest)
    elif words[0] in {"stop", "restart"}:
        assert all(name in services for name in words[1:]), words


@each_page
def test_shell_examples_can_be_typed(page: Path) -> None:
    for text in blocks(page, "sh"):
        for words in simple_commands(text):
            require_command(words)


@each_page
def test_commands_in_the_text_can_be_typed(page: Path) -> None:
    for span in inline(page):
        line = re.sub(r"\bSTUDY STUDY\.\.\.|\bSTUDY\.\.\.", "fd001 fd003", span)
        if re.match(r"amnl-tune [a-z-]", line):
            require_amnl_tune(shlex.split(line)[1:], mentioned=True)
        elif re.match(r"docker compose |make [a-z]", line):
            for words in simple_commands(line):
                require_command(words) if words[0] != "tar" else None
        elif torchrun := re.match(r"torchrun .* -m amnl_tune (.*)", line):
            require_amnl_tune(torchrun[1].split())


def test_a_wrong_example_would_be_found() -> None:
    for line in ("amnl-tune rum x.toml", "amnl-tune run x.toml --worker 3", "amnl-tune run", "docker compose run --rm tune x",
                 "amnl-tune run x.toml --workers 999", "make nothing", "sh x.sh"):  # fmt: skip
        with pytest.raises(AssertionError):
            require_command(line.split())
    for line in ("study shows x", "run x.toml --worker 3"):
        with pytest.raises(AssertionError):
            require_amnl_tune(line.split(), mentioned=True)


@each_page
def test_toml_examples_are_read(page: Path, tmp_path: Path) -> None:
    for text in blocks(page, "toml"):
        if "data" in tomllib.loads(text):
            parse_study_spec(text)
        else:
            prices = tmp_path / "prices.toml"
            prices.write_text(text)
            assert load_machines(prices) != load_machines()
