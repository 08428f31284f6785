"""What Adafruit's library needs of a bus, on top of ours: it runs unmodified."""

from drivers.bus import NakError
from drivers.sim.bus import SimBus


class CircuitPythonBus:
    """What the library needs of a bus."""

    def __init__(self, bus: SimBus) -> None:
        self.bus = bus

    def try_lock(self) -> bool:
        return True

    def unlock(self) -> None:
        pass

    def writeto(self, address, buffer, *, start=0, end=None) -> None:
        try:
            self.bus.transfer(address, bytes(buffer[start:end]))
        except NakError as error:
            raise OSError(str(error)) from error

    def readfrom_into(self, address, buffer, *, start=0, end=None) -> None:
        end = len(buffer) if end is None else end
        try:
            buffer[start:end] = self.bus.transfer(address, b"", end - start)
        except NakError as error:
            raise OSError(str(error)) from error

    def writeto_then_readfrom(
        self, address, out_buffer, in_buffer, *, out_start=0, out_end=None, in_start=0, in_end=None
    ) -> None:
        in_end = len(in_buffer) if in_end is None else in_end
        data = self.bus.transfer(address, bytes(out_buffer[out_start:out_end]), in_end - in_start)
        in_buffer[in_start:in_end] = data
