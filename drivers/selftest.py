"""What a self-test says: each step a sentence for the person beside the line, in the order that finds trouble."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was looked at. sentence: what was found, or what to do."""

    name: str
    ok: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class SelfTest:
    """All steps that were reached; the first that failed is the last."""

    steps: tuple[Step, ...]

    @property
    def ok(self) -> bool:
        """Whether the sensor is healthy."""
        return all(step.ok for step in self.steps)
