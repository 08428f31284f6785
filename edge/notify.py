"""What systemd is told: that the agent is ready, that it lives, that it stops. Without systemd nothing is said."""

import os
import socket
from collections.abc import Mapping


class Notifier:
    """Speaks to NOTIFY_SOCKET (sd_notify(3)). watchdog_s: how often `alive` must be said, None when nobody waits."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        interval_us = environment.get("WATCHDOG_USEC", "")
        is_ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s: float | None = int(interval_us) / 2e6 if interval_us.isdigit() and is_ours else None

    def ready(self, words: str) -> None:
        """The agent measures and keeps; `words` is what `systemctl status` shows."""
        self._say(f"READY=1\nSTATUS={words}")

    def alive(self, words: str) -> None:
        """The agent does its work; to be said at least every `watchdog_s`."""
        self._say(f"WATCHDOG=1\nSTATUS={words}")

    def stopping(self) -> None:
        """The agent has been asked to end."""
        self._say("STOPPING=1")

    def _say(self, text: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as speaker:
            try:
                speaker.sendto(text.encode(), address)
            except OSError:
                return  # nobody listens: systemd will restart us if it should have
