"""``python -m polynya``."""

from polynya.cli import main

main()
