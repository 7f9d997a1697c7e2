"""`python -m amnl_tune` is `amnl-tune`."""

import os.path
import sys

# `-m` puts the current folder before the standard library: a `random.py` there would be imported instead of Python's.
# Nothing is imported for this, pathlib neither: it would itself import from there.
ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
if not sys.flags.safe_path and sys.path[0] != ours:
    del sys.path[0]

from amnl_tune.cli.app import main  # noqa: E402

main()
