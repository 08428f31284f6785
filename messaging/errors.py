"""What can go wrong between us and the broker.

    Exception
    └── MessagingError
        ├── NotConnectedError        there is no connection, or it ended before the broker had answered
        ├── ConnectRefusedError      the broker answered CONNECT with a reason code of 0x80 or more
        ├── PublishRefusedError      the broker answered PUBLISH with a reason code of 0x80 or more
        ├── PublishTooLargeError     larger than the broker takes: it would hang up instead of answering
        ├── SubscribeRefusedError    the broker answered SUBSCRIBE with a reason code of 0x80 or more
        ├── SessionTakenOverError    somebody else connected with our client id and we were told to leave for good
        └── ClientClosedError        used after `async with` had ended

Only NotConnectedError is worth a retry of the same call; the others say what to change.
"""


class MessagingError(Exception):
    """Anything that this package raises about the world."""


class NotConnectedError(MessagingError):
    """There is no connection, or it ended before the broker had answered; nobody knows whether it took the message."""


class ClientClosedError(MessagingError):
    """The client was used after its `async with` had ended."""


class PublishTooLargeError(MessagingError):
    """The message is larger than the broker's Maximum Packet Size."""

    def __init__(self, *, topic: str, size_bytes: int, size_bytes_max: int) -> None:
        """Carry the topic, the size of the packet at most, and the broker's limit, both in bytes."""
        super().__init__(f"{topic}: a packet of {size_bytes} bytes; the broker takes {size_bytes_max}")
        self.topic = topic
        self.size_bytes = size_bytes
        self.size_bytes_max = size_bytes_max


class ReasonCodeError(MessagingError):
    """The broker answered with a reason code of 0x80 or more (MQTT 5, 2.4)."""

    def __init__(self, what: str, *, reason_code: int, reason: str) -> None:
        """Carry the code and the broker's words; `what` is what was refused."""
        super().__init__(f"{what}: {reason} (0x{reason_code:02X})")
        self.reason_code = reason_code
        self.reason = reason


class ConnectRefusedError(ReasonCodeError):
    """The broker refused the connection."""


class PublishRefusedError(ReasonCodeError):
    """The broker refused the message: it is not stored anywhere but here."""


class SubscribeRefusedError(ReasonCodeError):
    """The broker refused a subscription."""


class SessionTakenOverError(ReasonCodeError):
    """Another client connected with our client id."""


def in_words(error: Exception) -> str:
    """Say for a person why a connection could not be made."""
    if isinstance(error, TimeoutError):
        return "the broker did not answer in time"
    return str(error) or type(error).__name__
