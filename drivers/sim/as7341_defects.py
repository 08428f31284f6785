"""What may be wrong with a simulated AS7341 that still answers."""

from enum import StrEnum


class Defect(StrEnum):
    """Ways in which a chip can be broken, or other than we believe, while it still answers."""

    WRONG_IDENTITY = "wrong identity"
    SMUX_STUCK = "multiplexer command never ends"
    NEVER_VALID = "integration never ends"
    VALID_STAYS = "AVALID stays set when measuring stops"
    LAMP_DEAD = "the lamp gives no light"
    SATURATED = "the analogue part is overloaded"
