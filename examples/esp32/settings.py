"""What this board is told; copy it to the board and fill it in. The key never leaves the board."""

# ruff: noqa: ANN201  # MicroPython knows no types

import ssl

WIFI, WIFI_KEY = "line-1", "change me"
BROKER, PORT = "mqtt.example.com", 8883
SITE, LINE, DEVICE = "LL", "line1", "ESP32_LL_02"


def tls():
    """Our certificate, and only the broker's: `sqal pki device ESP32_LL_02` makes them (DER on the board)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile="ca.der")
    context.load_cert_chain("device.der", "device.key.der")
    return context
