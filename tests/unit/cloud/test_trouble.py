"""What a database error asks for."""

import psycopg
import pytest
from psycopg import errors

from cloud.store.trouble import remedy


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (errors.NumericValueOutOfRange(), "row"),
        (errors.ForeignKeyViolation(), "row"),
        (errors.DeadlockDetected(), "retry"),
        (errors.DiskFull(), "retry"),
        (errors.QueryCanceled(), "retry"),
        (errors.TooManyConnections(), "reconnect"),
        (errors.ReadOnlySqlTransaction(), "reconnect"),
        (errors.AdminShutdown(), "reconnect"),
        (errors.UndefinedTable(), "stop"),
        (errors.InsufficientPrivilege(), "stop"),
        (psycopg.OperationalError("server closed the connection"), "reconnect"),
        (psycopg.InterfaceError("the connection is closed"), "reconnect"),
    ],
)
def test_each_error_has_its_remedy(error: psycopg.Error, asked: str) -> None:
    assert remedy(error) == asked
