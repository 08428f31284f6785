"""Registers of the AS7341, and the tables of its multiplexer (DS000718; application note "AS7341 SMUX configuration").

LED and CONFIG are in bank 1: they exist while CFG0 holds BANK_1. Everything from 0x80 on needs bank 0.
"""

from typing import Final

ADDRESS: Final = 0x39
PART: Final = 0x09  # bits 7 to 2 of the identity register

SMUX_RAM: Final = 0x00
CONFIG: Final = 0x70
LED: Final = 0x74
ENABLE: Final = 0x80
ATIME: Final = 0x81
THRESHOLDS: Final = 0x84  # low and high, two bytes each
IDENTITY: Final = 0x92
ASTATUS: Final = 0x94  # reading it latches the twelve bytes of data that follow
DATA: Final = 0x95
STATUS2: Final = 0xA3
CFG0: Final = 0xA9
CFG1: Final = 0xAA
CFG6: Final = 0xAF
CFG8: Final = 0xB1
ASTEP: Final = 0xCA
AZ_CONFIG: Final = 0xD6
FD_CFG0: Final = 0xD7
FD_TIME_1: Final = 0xD8
FD_TIME_2: Final = 0xDA
FD_STATUS: Final = 0xDB
INTENAB: Final = 0xF9
CONTROL: Final = 0xFA

PON, SP_EN, WEN, SMUXEN, FDEN = 0x01, 0x02, 0x08, 0x10, 0x40  # of ENABLE
AVALID, ASAT_DIGITAL, ASAT_ANALOGUE = 0x40, 0x10, 0x08  # of STATUS2
ASTATUS_SATURATED: Final = 0x80
ASTATUS_RESERVED: Final = 0x70
BANK_1: Final = 0x10  # of CFG0
LED_SEL: Final = 0x08  # of CONFIG
LED_ACT: Final = 0x80  # of LED
SP_AGC: Final = 0x04  # of CFG8
CLEAR_SAI: Final = 0x01  # of CONTROL
CHAIN_TO_RAM, RAM_TO_CHAIN = 0x08, 0x10  # of CFG6
FD_VALID, FD_SATURATED = 0x20, 0x10  # of FD_STATUS
FD_120_VALID, FD_100_VALID, FD_120, FD_100 = 0x08, 0x04, 0x02, 0x01

FIRST_HALF: Final = bytes.fromhex("3001000000420000500000002004003001500006")  # F1 F2 F3 F4 Clear NIR
SECOND_HALF: Final = bytes.fromhex("0000004002001003501003000000240000500006")  # F5 F6 F7 F8 Clear NIR
FLICKER_TABLE: Final = bytes(19) + b"\x60"  # the flicker diode to the sixth converter, nothing else
