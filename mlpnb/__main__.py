"""``python -m mlpnb``: the command line."""

from mlpnb.cli import main

main()
