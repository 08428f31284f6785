"""The MQTT client that both sides use: asyncio over paho-mqtt 2."""
