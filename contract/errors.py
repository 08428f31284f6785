"""Why bytes were not a message.

ContractError        wrong type, missing field, out of bounds, not JSON: the sender is at fault
├── NewerSchemaError   well-formed for a reader that does not exist yet: hold it, don't reject it
└── TopicError         an address outside the topic tree
"""


class ContractError(ValueError):
    """The bytes are not the message they claim to be.

    `path` is a JSON path such as `$.vl53l8ch.raw.distance_matrix[...][...]` (`$` for the whole), `reason` one sentence.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class NewerSchemaError(ContractError):
    """The message's `schema` is above what this version reads."""

    def __init__(self, schema: int, known: int) -> None:
        super().__init__("$.schema", f"schema {schema} is newer than {known}, the newest this version reads")
        self.schema = schema


class TopicError(ContractError):
    """A topic that is not in the tree, or a segment that may not stand in one."""

    def __init__(self, topic: str, reason: str) -> None:
        super().__init__("topic", f"{topic!r}: {reason}")
        self.topic = topic
