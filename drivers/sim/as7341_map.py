"""The register map of the AS7341: reset values, which bits can be written, where the banks are (DS000718).

Bits and registers that are not listed are reserved: here they keep their reset value, whatever is written.
"""

from typing import Final

SMUX_RAM = range(0x14)
COEFFICIENTS = range(0x14, 0x60)  # of the flicker engine, beside the multiplexer's RAM; kept, but never looked at
BANK_1 = range(0x60, 0x75)  # these registers exist while CFG0 bit 4 is set

ASTATUS_COPY, ITIME, CHANNELS_COPY = 0x60, 0x63, 0x66
CONFIG, STAT, EDGE, GPIO, LED = 0x70, 0x71, 0x72, 0x73, 0x74
ENABLE, ATIME, WTIME, LOW_THRESHOLD, HIGH_THRESHOLD = 0x80, 0x81, 0x83, 0x84, 0x86
REVISION, IDENTITY, STATUS, ASTATUS, DATA = 0x91, 0x92, 0x93, 0x94, 0x95
STATUS2, STATUS3, STATUS5, STATUS6 = 0xA3, 0xA4, 0xA6, 0xA7
CFG0, CFG1, CFG3, CFG6, CFG8, CFG9, CFG10, CFG12 = 0xA9, 0xAA, 0xAC, 0xAF, 0xB1, 0xB2, 0xB3, 0xB5
PERSISTENCE, GPIO2, ASTEP, AGC_GAIN_MAX, AZ_CONFIG = 0xBD, 0xBE, 0xCA, 0xCF, 0xD6
FD_CFG0, FD_TIME_1, FD_CFG2, FD_TIME_2, FD_STATUS = 0xD7, 0xD8, 0xD9, 0xDA, 0xDB
INTENAB, CONTROL, FIFO_MAP, FIFO_LEVEL, FIFO_LOW, FIFO_HIGH = 0xF9, 0xFA, 0xFC, 0xFD, 0xFE, 0xFF

PON, SP_EN, WEN, SMUXEN, FDEN = 0x01, 0x02, 0x08, 0x10, 0x40  # ENABLE
ASAT, AINT, FINT, SINT = 0x80, 0x08, 0x04, 0x01  # STATUS
RINGS = ASAT | AINT | FINT | SINT  # what may pull the INT pin
AVALID, ASAT_DIGITAL, ASAT_ANALOGUE = 0x40, 0x10, 0x08  # STATUS2
ABOVE_HIGH, BELOW_LOW = 0x20, 0x10  # STATUS3
SINT_FD, SINT_SMUX = 0x08, 0x04  # STATUS5
FIFO_OVERFLOW, FD_TRIG, SP_TRIG, SAI_ACTIVE, INT_BUSY = 0x80, 0x10, 0x04, 0x02, 0x01  # STATUS6
REG_BANK, WLONG = 0x10, 0x04  # CFG0
SAI = 0x10  # CFG3
SP_AGC = 0x04  # CFG8
SIEN_FD, SIEN_SMUX = 0x40, 0x10  # CFG9
SP_IEN, F_IEN, SIEN = 0x08, 0x04, 0x01  # INTENAB
MANUAL_ZERO, FIFO_CLEAR, CLEAR_SAI = 0x04, 0x02, 0x01  # CONTROL

RESET: Final = {
    LED: 0x04,
    IDENTITY: 0x24,
    CFG1: 0x09,
    CFG6: 0x10,
    ASTEP: 0xE7,
    ASTEP + 1: 0x03,
    AGC_GAIN_MAX: 9,
    AZ_CONFIG: 0xFF,
    FD_CFG0: 0x21,
    FD_TIME_2: 0x48,
}

WRITABLE: Final = {
    **dict.fromkeys((*SMUX_RAM, *COEFFICIENTS), 0xFF),
    CONFIG: 0x0F,
    EDGE: 0xFF,
    GPIO: 0x03,
    LED: 0xFF,
    ENABLE: PON | SP_EN | WEN | SMUXEN | FDEN,
    ATIME: 0xFF,
    WTIME: 0xFF,
    **dict.fromkeys(range(LOW_THRESHOLD, HIGH_THRESHOLD + 2), 0xFF),
    CFG0: 0x34,
    CFG1: 0x1F,
    CFG3: SAI,
    CFG6: 0x18,
    CFG8: 0xC4,
    CFG9: SIEN_FD | SIEN_SMUX,
    CFG10: 0xF0,
    CFG12: 0x07,
    PERSISTENCE: 0x0F,
    GPIO2: 0x0E,
    ASTEP: 0xFF,
    ASTEP + 1: 0xFF,
    AGC_GAIN_MAX: 0x0F,
    AZ_CONFIG: 0xFF,
    **dict.fromkeys((FD_CFG0, FD_TIME_1, FD_CFG2, FD_TIME_2), 0xFF),
    INTENAB: 0x8D,
    FIFO_MAP: 0x7F,
}
ONE_CLEARS: Final = {STATUS: 0xFF, FD_STATUS: 0x3C}

# Writing these while SP_EN is set is against the data sheet; what a chip does then is not known.
CONFIGURATION: Final = frozenset({*SMUX_RAM, ATIME, CFG1, CFG6, CFG8, CFG12, ASTEP, ASTEP + 1, AZ_CONFIG, CONFIG})
