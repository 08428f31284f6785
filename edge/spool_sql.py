"""The tables of a spool and every statement that is put to them by whoever writes it."""

VERSION = 2
FAMILY = 0x5351_0000  # "SQ", with the version behind it: told twice, so that no flipped bit makes a file newer

SCHEMA = """
CREATE TABLE boots (
    number INTEGER PRIMARY KEY, boot_id BLOB NOT NULL UNIQUE, machine_boot TEXT NOT NULL, anchor_ns INTEGER,
    synced INTEGER NOT NULL DEFAULT 0, crc INTEGER NOT NULL);
CREATE TABLE salvaged (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE rows (
    position INTEGER PRIMARY KEY, kind INTEGER NOT NULL, stamped INTEGER NOT NULL, monotonic_ns INTEGER NOT NULL,
    crc INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX rows_timeless ON rows (position) WHERE stamped = 0;
"""
TEXTS = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"
INSERT = "INSERT OR IGNORE INTO rows (position, kind, stamped, monotonic_ns, crc, body) VALUES (?, ?, ?, ?, ?, ?)"
PEEK = """
SELECT position, kind, stamped, monotonic_ns, crc, body FROM rows
WHERE position > ? AND (stamped = 1 OR position >> 40 IN (SELECT number FROM boots WHERE anchor_ns IS NOT NULL))
ORDER BY position LIMIT ?"""
DELETE = "DELETE FROM rows WHERE position BETWEEN ? AND ? RETURNING position, length(body)"
BOOTS = "SELECT number, boot_id, machine_boot, anchor_ns, synced, crc FROM boots"
PUT_BOOT = (
    "INSERT OR REPLACE INTO boots (number, boot_id, machine_boot, anchor_ns, synced, crc) VALUES (?, ?, ?, ?, ?, ?)"
)
FORGET_BOOTS = """
DELETE FROM boots WHERE number < (SELECT max(number) FROM boots) AND NOT EXISTS (
    SELECT 1 FROM rows WHERE position BETWEEN number << 40 AND (number << 40) + 1099511627775)"""  # SEQ_BITS, SEQ_MAX
OLDEST = """
SELECT position, kind, length(body), CASE kind WHEN 2 THEN body END FROM rows WHERE kind IN (?, ?) ORDER BY position"""
