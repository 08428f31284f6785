"""A transaction of the spool that ends one way or the other."""

import sqlite3
from contextlib import suppress


class Transaction:
    """BEGIN, then COMMIT, or ROLLBACK when the body or the commit failed."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                with suppress(sqlite3.Error):  # the first failure is the one to tell; the owner reopens anyway
                    self._connection.execute("ROLLBACK")
