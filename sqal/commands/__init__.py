"""The sub-commands of `sqal`, one module each."""
