"""The subcommands of `sqal`, one module a group."""
