"""Markdown (GitHub's) from values that may hold anything."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["code", "number", "plain", "table"]


def plain(value: Any) -> str:
    """The text itself, on one line, whatever signs are in it."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~&:@-])", r"\\\1", " ".join(str(value).split()))


def code(value: Any) -> str:
    """As code, on one line."""
    text = " ".join(str(value).split()).replace("`", "'").replace("|", "\\|")
    return f"`{text}`" if text else ""


def number(value: float | None, digits: int = 2) -> str:
    """Fixed digits; nothing for None."""
    return "" if value is None else f"{value:,.{digits}f}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are Markdown already."""
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
