"""``python -m tripcast``: the command line."""

from tripcast.cli import main

main()
