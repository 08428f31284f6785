"""The numbers that bound the client, each with its reason; the client's arguments override most of them."""

TICK_S = 1.0  # paho's keep-alive clock
PAUSE_SHARE = 0.75  # of a keep-alive: a pause hides PINGRESP, after a whole one the connection is declared dead
RECEIVE_MAXIMUM = 500
HIGH_WATER = 1_000  # at 2.5 kB a sample 2.5 MB; two windows of the Receive Maximum
HIGH_WATER_BYTES = 32 * 1024 * 1024  # of payload; messages of the largest size reach it long before HIGH_WATER
INFLIGHT_MAX = 500  # publishes not answered yet
SESSION_EXPIRY_S = 14 * 24 * 3_600  # as long as the broker keeps a client that is away
KEEPALIVE_S = 15  # the broker finds us gone within 1.5 of it, we a silent broker as soon
SHORT_LIVES_SUSPECT = 3  # Mosquitto 2.0.11 tells nobody that its session was taken over, it just hangs up
CONNECT_TIMEOUT_S = 5.0  # name, TCP, TLS and CONNACK together
