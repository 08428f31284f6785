"""What a database error asks for: which SQLSTATE is about a row, which passes, which needs a new session or a person.

The codes are those of PostgreSQL's appendix A; a longer prefix wins over a shorter one. An error without a code is a
connection that broke.
"""

from typing import Literal

import psycopg

Remedy = Literal["row", "retry", "reconnect", "stop"]

# row: this value or this reference; the batch is halved until the row is found, and that row is a dead letter.
# retry: the same again on the same session, after a wait. reconnect: the session or its server is of no use now.
# stop: no retry can mend it; the process ends with a sentence and its supervisor tells somebody.
REMEDIES: dict[str, Remedy] = {
    "08": "reconnect",  # connection exception
    "0A": "stop",  # feature not supported: another server than we were written for
    "21": "row",  # cardinality violation
    "22": "row",  # data exception
    "23": "row",  # integrity constraint violation
    "25": "reconnect",  # invalid transaction state
    "25006": "reconnect",  # read-only: a server that has become a stand-by; the next session may find the new primary
    "26": "reconnect",  # a prepared statement that a pooler or a restart forgot
    "28": "stop",  # the user or its password is refused
    "3D": "stop",  # no such database
    "3F": "stop",  # no such schema
    "40": "retry",  # serialization failure, deadlock
    "42": "stop",  # no such table or column, no privilege: `sqal db migrate`, roles.sql
    "53": "retry",  # out of disk, memory: it waits for room, and says so
    "53300": "reconnect",  # too many connections
    "54": "row",  # program limit exceeded: a row larger than an index takes
    "55": "retry",  # lock not available, object in use
    "57": "reconnect",  # shutting down, crashed, starting up
    "57014": "retry",  # cancelled, or slower than statement_timeout
    "58": "retry",  # input or output error of the server
    "72": "retry",  # snapshot too old
    "F0": "stop",  # its configuration is broken
    "P0": "row",  # raised by a trigger
    "XX": "retry",  # internal error
}


def remedy(error: psycopg.Error) -> Remedy:
    """Return what `error` asks for."""
    code = error.sqlstate
    if code is None:
        return "reconnect"
    return REMEDIES.get(code) or REMEDIES.get(code[:2]) or "retry"
