"""What exists where the user is: how amnl-tune is called, how an extra is installed, study files that came along."""

import re
import shlex
import shutil
import sys
from importlib import metadata
from pathlib import Path

PACKAGE = Path(__file__).parent
CHECKOUT = PACKAGE.parent if (PACKAGE.parent / "pyproject.toml").exists() else None


def shipped(name: str) -> Path:
    """A file of `studies/`: beside the package in a checkout, inside it in a wheel."""
    inside = PACKAGE / "_studies"
    return (inside if inside.exists() else PACKAGE.parent / "studies") / name


def typed_path(path: Path) -> str:
    """A path as it is typed here: relative where it is below the current folder."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_absolute() and path.is_relative_to(here) else path)


def program() -> str:
    """What the user types to call this installation."""
    own = Path(sys.executable).parent / "amnl-tune"
    found = shutil.which("amnl-tune")
    if found and (not own.exists() or Path(found).samefile(own)):
        return "amnl-tune"
    return shlex.quote(typed_path(own)) if own.exists() else f"{_python()} -m amnl_tune"


def as_typed_here(text: str) -> str:
    """A message whose commands, in backticks, are called as this installation is."""
    called = program()
    return text if called == "amnl-tune" else re.sub(r"`amnl-tune(?=[ `])", lambda _: f"`{called}", text)


def install_extra(extra: str) -> str:
    """The command that installs an extra here; amnl-tune's name means nothing to a package index."""
    if CHECKOUT is not None:
        where = "." if Path.cwd() == CHECKOUT else str(CHECKOUT)
        return f'{_python()} -m pip install -e "{where}[{extra}]"'
    wanted = re.compile(rf"""(?P<requirement>[^;]+?)\s*;\s*extra\s*==\s*['"]{extra}['"]""")
    found = (wanted.fullmatch(line) for line in metadata.requires("amnl-tune") or [])
    packages = " ".join(f'"{match["requirement"]}"' for match in found if match)
    return f"{_python()} -m pip install {packages}"


def _python() -> str:
    return shlex.quote(typed_path(Path(sys.executable)))
