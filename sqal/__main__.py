"""`python -m sqal` is the `sqal` command."""

from sqal.cli import main

main()
