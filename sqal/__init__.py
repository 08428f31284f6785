"""The `sqal` command and the demo: the only package that sees both edge and cloud."""
