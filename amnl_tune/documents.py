"""Text that a stranger may have written: TOML and JSON, read such that whatever is wrong with it is a ValueError."""

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

DEEPEST = 32
"""Lists and tables within each other; nothing of ours has more than six."""

SMALLEST_INTEGER, LARGEST_INTEGER = -(2**63), 2**63 - 1
"""Those of TOML, and of every database."""

_LONG_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){32}""")
"""tomllib's time grows with the square of a dotted key's parts."""


def text_of(content: bytes) -> str:
    """UTF-8 without the mark that editors put in front. Raises ValueError: the first other byte and its line."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError("the mark of UTF-16; save it as UTF-8")
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(f"byte 0x{content[error.start]:02x} in line {line}; save it as UTF-8") from error


def from_toml(text: str) -> dict[str, Any]:
    """Raises ValueError, in one line."""
    if _LONG_KEY.search(text):
        raise ValueError(f"it has a key of more than {DEEPEST} parts")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(brief(str(error), 200)) from error
    except Exception as error:  # in a broken text tomllib stumbles in ways of its own
        raise ValueError(_stumbled(error)) from error
    _require_usual(document)
    return document


def from_json(text: str) -> Any:
    """Raises ValueError, in one line."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError:
        raise
    except (ValueError, RecursionError) as error:
        raise ValueError(_stumbled(error)) from error
    _require_usual(document)
    return document


def brief(value: object, length: int = 80) -> str:
    """A value in one line, cut where it is long."""
    text = " ".join((value if isinstance(value, str) else repr(value)).split())
    return text if len(text) <= length else f"{text[:length]}..."


def printable(text: str) -> str:
    """With escapes for what a terminal would obey, line ends too: a stranger's key or file name is one line."""
    kept = "\xa0\udc80-\udcff"  # blanks that hold words together; a file name's bytes that are no UTF-8
    return re.sub(f"[^{kept}]", lambda it: it[0] if it[0].isprintable() else ascii(it[0])[1:-1], text)


def _stumbled(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return f"it is nested deeper than {DEEPEST} levels"
    if isinstance(error, ValueError) and "digits" in str(error):
        return "it has an integer beyond 64 bits"
    return f"it cannot be read ({type(error).__name__})"


def _require_usual(document: Any) -> None:
    """Depth and integers that everything behind this can bear."""
    level = [document]
    for _ in range(DEEPEST):
        level = [inner for value in level for inner in _inner(value)]
        for value in level:
            if isinstance(value, int) and not SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
                raise ValueError("it has an integer beyond 64 bits")
    if level:
        raise ValueError(f"it is nested deeper than {DEEPEST} levels")


def _inner(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value
