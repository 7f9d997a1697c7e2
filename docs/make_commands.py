"""Writes the reference below the mark in `docs/commands.md`, from what `--help` says of every command.

    python docs/make_commands.py

A test fails while the page says something else than the commands.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from typer.main import get_command

from amnl_tune.cli.app import app

PAGE = Path(__file__).with_name("commands.md")
MARK = "<!-- Below: made by `python docs/make_commands.py` from what `--help` says. -->\n"
SHARED = 4
"""Options that as many commands have, in the same words, are explained once."""
UNBOUNDED = 2**63 - 1


def main() -> None:
    """Writes the page anew; what stands above the mark stays."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def page(text: str) -> str:
    """The page's text with today's reference."""
    above, mark, _ = text.partition(MARK)
    if not mark:
        raise ValueError(f"{PAGE.name} must have the line {MARK.strip()}")
    return above + MARK + "\n" + reference()


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with the words that call it, in the order of `--help`."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


def reference() -> str:
    """The options that many commands share, then every command."""
    found = list(commands(get_command(app)))
    rows = {path: [_row(parameter) for parameter in command.params] for path, command in found}
    counts = Counter(row for of_one in rows.values() for row in of_one)
    shared = [row for row, count in counts.items() if count >= SHARED and row[0].startswith("`--")]
    sections = [_section(path, command, rows[path], shared) for path, command in found]
    return "\n".join(["## Options of many commands\n", _table("option", shared), *sections])


def _section(path: tuple[str, ...], command: Any, rows: list[tuple[str, ...]], shared: list[tuple[str, ...]]) -> str:
    arguments = [_argument(each) for each in command.params if not each.opts[0].startswith("-")]
    heading = " ".join(["## `amnl-tune", *path, *arguments]) + "`\n"
    own = [row for row in rows if row not in shared]
    common = [row[0].partition(",")[0] for row in rows if row in shared]
    parts = [
        heading,
        _prose(command.help),
        _table("argument, option", own) if own else "",
        f"Also {', '.join(common)}.\n" if common else "",
        re.sub(r"^Example: (.*)$", r"Example: `\1`\n", command.epilog),
    ]
    return "\n".join(part for part in parts if part)


def _argument(parameter: Any) -> str:
    name = (parameter.metavar or parameter.name.upper()).strip("[]")
    return name if parameter.required else f"[{name}]"


def _row(parameter: Any) -> tuple[str, str, str]:
    """Name, values and default, meaning."""
    if not parameter.opts[0].startswith("-"):
        return f"`{_argument(parameter)}`", "", _cell(parameter.help)
    name = ", ".join(f"`{each}`" for each in (*parameter.opts, *parameter.secondary_opts))
    return name, "; ".join(filter(None, (_values(parameter), _default(parameter)))), _cell(parameter.help)


def _values(parameter: Any) -> str:
    if getattr(parameter, "is_flag", False):
        return ""
    choices = _choices(parameter.type_descriptor.annotation)
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    low, high = getattr(parameter, "min", None), getattr(parameter, "max", None)
    words = [str(parameter.metavar or "")]
    if low is not None and high is not None and high < UNBOUNDED:
        words.append(f"{low:,} to {high:,}")
    elif low is not None:
        words.append(f"from {low:,}")
    elif high is not None:
        words.append(f"at most {high:,}")
    words.append("required" if parameter.required else "")
    words.append("repeatable" if parameter.multiple else "")
    return ", ".join(filter(None, words))


def _choices(annotation: Any) -> list[str]:
    """Of a `Literal`, or of a list of one."""
    return [word for each in get_args(annotation) for word in ([each] if isinstance(each, str) else _choices(each))]


def _default(parameter: Any) -> str:
    if isinstance(parameter.default, bool) and parameter.secondary_opts:
        return f"default `{(parameter.opts if parameter.default else parameter.secondary_opts)[0]}`"
    if parameter.default is None or parameter.default is False:
        return ""
    return f"default `{parameter.default}`"


def _table(first: str, rows: list[tuple[str, ...]]) -> str:
    lines = [f"| {first} | values | meaning |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Rich's escaped brackets as they are shown, and nothing that ends a cell."""
    return re.sub(r"\s+", " ", text.replace("\\[", "[")).replace("|", "\\|").strip()


def _prose(text: str) -> str:
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(re.sub(r"\s+", " ", each) for each in paragraphs) + "\n"


if __name__ == "__main__":
    main()
