"""What this server process counts, as text that Prometheus reads (exposition format 0.0.4).

A metric has a name with its unit, one line of help, and a value that is read when asked for.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

METHODS = ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS", "WEBSOCKET")

Labels = Mapping[str, str]
Values = Iterable[tuple[Labels, float]]


class Metrics:
    """Requests counted here, and whatever other parts offer by `offer`."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str]] = Counter()
        self._buckets = [0] * (len(BUCKETS_S) + 1)
        self._sum_s = 0.0
        self._offered: list[tuple[str, str, str, Callable[[], Values]]] = []

    def note_request(self, method: str, status: int, took_s: float | None) -> None:
        """Count an answer; `took_s` is None for a connection that was meant to last."""
        known = method if method in METHODS else "other"
        self._requests[known, str(status)] += 1
        if took_s is not None:
            self._buckets[bisect_left(BUCKETS_S, took_s)] += 1
            self._sum_s += took_s

    def offer(self, name: str, kind: str, text: str, read: Callable[[], float] | Callable[[], Values]) -> None:
        """Show what `read` returns: one number, or (labels, number) pairs. `kind` is gauge or counter."""

        def values() -> Values:
            found = read()
            return [({}, found)] if isinstance(found, int | float) else found

        self._offered.append((name, kind, text, values))

    @property
    def names(self) -> list[str]:
        """Every metric there is."""
        return ["sqal_http_requests_total", "sqal_http_request_seconds", *(each[0] for each in self._offered)]

    def text(self) -> str:
        """All of it in Prometheus' format."""
        counted = [({"method": m, "status": s}, n) for (m, s), n in sorted(self._requests.items())]
        lines = metric_lines("sqal_http_requests_total", "counter", "Requests answered, by method and status.", counted)
        name = "sqal_http_request_seconds"
        lines += histogram_lines(name, "Time to answer a request.", (*BUCKETS_S, "+Inf"), self._buckets, self._sum_s)
        for offered, kind, text, values in self._offered:
            lines += metric_lines(offered, kind, text, values())
        return "\n".join(lines) + "\n"


def histogram_lines(
    name: str, text: str, bounds: Iterable[float | str], counts: Iterable[int], total: float
) -> list[str]:
    """A histogram: `counts` of each bucket by itself, their `bounds` (the last is +Inf), and the sum of all values."""
    lines = [f"# HELP {name} {text}", f"# TYPE {name} histogram"]
    so_far = 0
    for bound, count in zip(bounds, counts, strict=True):
        so_far += count
        lines.append(f'{name}_bucket{{le="{bound}"}} {so_far}')
    return [*lines, f"{name}_sum {total:.6f}", f"{name}_count {so_far}"]


def metric_lines(name: str, kind: str, text: str, values: Values) -> list[str]:
    """A counter or gauge in Prometheus' format."""
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    for labels, value in values:
        inside = ",".join(f'{key}="{_escaped(each)}"' for key, each in labels.items())
        lines.append(f"{name}{{{inside}}} {value:g}" if inside else f"{name} {value:g}")
    return lines


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
