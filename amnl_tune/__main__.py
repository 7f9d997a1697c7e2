"""`python -m amnl_tune` is `amnl-tune`."""

from amnl_tune.cli.app import main

main()
