"""The process that runs iotcore: `python -m sqal.parts.iotcore_child FILE.toml`, until it is told to end.

iotcore's own starter leaves an extra process and ties itself to standard input; ours is one direct child like all
other parts.
"""

import logging
import sys

from iotcore.iotcore import IotCoreBroker

from sqal.parts.broker import IOTCORE_PORT_IS_OURS


def main(configuration: str) -> None:
    """Serve what `configuration` (TOML of rumqttd) says; a taken port ends the process with a line in its log."""
    # rumqttd traces each packet as an error; its own failures still end the process with a message.
    logging.getLogger("rumqttd").setLevel(logging.CRITICAL)
    broker = IotCoreBroker(config_path=configuration)
    try:
        broker.check_ports()
    except OSError as error:
        sys.exit(f"iotcore: Address already in use: {error}")
    sys.stderr.write(f"{IOTCORE_PORT_IS_OURS}\n")
    sys.stderr.flush()
    broker.run_forever()


if __name__ == "__main__":
    main(sys.argv[1])
