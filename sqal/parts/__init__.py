"""The servers that the demo and the tests start for themselves: PostgreSQL and an MQTT broker.

Production runs neither from here: there they are services of the operating system. What is started here is a direct
child of this process, dies with it, listens on loopback only, and reports trouble as one sentence (`PartError`).

A newcomer's trap: start parts from the main thread. The kernel ties "die with the parent" to the thread that forked,
so a server started from a worker thread is stopped when that thread ends.
"""

from sqal.parts.child import PartError

__all__ = ["PartError"]
