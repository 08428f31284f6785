"""The error of this package.

ValueError
└── QualityError    a recipe, calibration or input that cannot be computed with; names the field
"""


class QualityError(ValueError):
    """A value that cannot be computed with. `field` names it, `reason` says what is wrong."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def require(condition: bool, field: str, reason: str) -> None:
    """Raise QualityError for the field unless the condition holds."""
    if not condition:
        raise QualityError(field, reason)
