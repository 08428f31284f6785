"""Measure once a second and publish raw messages with QoS 1; MicroPython 1.22 or newer on an ESP32-S3.

Settings lie in `settings.py` on the board (see docs/esp32.md); the two sensor drivers of your choice in `sensors.py`,
with `read_tof()` and `read_light()`. This file does what belongs to the board: flash, radio, time, watchdog.
"""

# ruff: noqa: ANN001, ANN201, PTH123, T201  # MicroPython knows neither types nor pathlib

import time

import machine
import network
import sensors
import settings
import sqal_raw
from umqtt.simple import MQTTClient

PERIOD_MS = 1000
BACKLOG = 120  # messages of 426 bytes: two minutes in 50 kB of memory; more is dropped, oldest first, and said
WATCHDOG_MS = 15000


def next_boot():
    """How often this board was started, kept in flash: what makes its numbers unique for ever."""
    try:
        with open("boot") as kept:
            number = int(kept.read()) + 1
    except (OSError, ValueError):
        number = time.time() & 0x7FFFFFFF  # the file is lost: far away from any number that was used
    with open("boot", "w") as kept:
        kept.write(str(number))
    return number & 0xFFFFFFFF


def connect():
    """Join the network and the broker. Raises OSError."""
    station = network.WLAN(network.STA_IF)
    station.active(True)
    if not station.isconnected():
        station.connect(settings.WIFI, settings.WIFI_KEY)
        for _ in range(20):
            if station.isconnected():
                break
            time.sleep_ms(500)
    client = MQTTClient(
        settings.DEVICE,
        settings.BROKER,
        port=settings.PORT,
        keepalive=30,
        ssl=settings.tls(),
    )
    client.connect(clean_session=False)
    return client


def measure(boot, seq, began_ms):
    """One message, or None when a sensor does not answer (the cloud hears of it as silence, and raises an alarm)."""
    try:
        distance, reflectance, amplitude, status = sensors.read_tof()
        light = sensors.read_light()
    except OSError as error:
        print("sensor:", error)
        return None
    cells = [sqal_raw.scene(sqal_raw.seen(each, status)) for each in (distance, reflectance, amplitude)]
    return sqal_raw.pack_whole(boot, seq, time.ticks_diff(time.ticks_ms(), began_ms), *cells, light)


def run():
    """For ever; the watchdog restarts the board when anything hangs."""
    boot, seq, began_ms = next_boot(), 0, time.ticks_ms()
    watchdog = machine.WDT(timeout=WATCHDOG_MS)
    where = sqal_raw.topic(settings.SITE, settings.LINE, settings.DEVICE).encode()
    backlog, client, due_ms, said = sqal_raw.Backlog(BACKLOG), None, began_ms, 0
    while time.ticks_diff(time.ticks_ms(), began_ms) < (1 << 28):  # three days: ticks_ms wraps at 2**30 on most boards
        watchdog.feed()
        message = measure(boot, seq + 1, began_ms)
        if message is not None:
            seq += 1
            backlog.put(message)
        try:
            client = client or connect()
            while backlog.oldest() is not None and time.ticks_diff(due_ms + PERIOD_MS, time.ticks_ms()) > 0:
                client.publish(where, backlog.oldest(), qos=1)  # waits for the broker's PUBACK
                backlog.sent()
                watchdog.feed()
        except OSError as error:
            print("network:", error)
            client = None
        if backlog.dropped != said:
            said = backlog.dropped
            print("dropped since start:", said)
        due_ms = time.ticks_add(due_ms, PERIOD_MS)
        time.sleep_ms(max(0, time.ticks_diff(due_ms, time.ticks_ms())))
    machine.reset()


run()
