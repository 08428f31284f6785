"""The broker's access list, made from the device registry: one subtree for each device, nothing else.

Mosquitto's patterns know the user and the client id but not the site, so each device is written out. What is not
granted is denied. Services are users of their own: ingest stores and answers, serve looks and forwards; what
only listens to verdicts and alarms (Node-RED, a gateway to PLCs) is the reader.
"""

from collections.abc import Iterable

from cloud.store.samples import Place
from contract.topics import ALL_HOSTS, LEDGER_CHECKPOINT, ROOT, TopicClass, device_topic

UP: tuple[TopicClass, ...] = ("sample", "raw", "result", "event", "state", "meta", "health")
DOWN: tuple[TopicClass, ...] = ("receipt", "error")
HEAD = """\
# Made by `sqal pki acl` from the device registry. Do not edit: the next device overwrites it.
# What is not granted here is denied.

user sqal-ingest
{heard}
{answered}
topic readwrite {root}/+/_alarm/+
topic readwrite {root}/_host/+/state
{told}
user sqal-serve
topic read {root}/#
topic write {root}/+/+/+/sample
topic write {root}/+/+/+/event
topic write {root}/+/+/+/raw
topic write {root}/+/+/+/cfg/desired
topic write {root}/+/+/+/cmd/#

# The ledger's writer shows checkpoints and nothing else; a witness, who is somebody outside, keeps them.
user sqal-ledger
topic write {checkpoint}

user sqal-witness
topic read {checkpoint}

user sqal-reader
topic read {root}/+/+/+/result
topic read {root}/+/_alarm/+
topic read {root}/_host/+/state
"""
# What ingest and the raw worker beside it hear: facts, how devices are, and each other's answers.
HEARD: tuple[TopicClass, ...] = ("sample", "event", "raw", "state", "health", "receipt", "error")
ANSWERED: tuple[str, ...] = ("receipt", "error", "sample", "event", "cfg/desired")  # samples made of raw ones


def acl_text(places: Iterable[Place], told: Iterable[str] = ()) -> str:
    """The access list for the devices at `places`; `told` are the topics of channels that hear of alerts.

    Raises TopicError for a name that is no segment.
    """
    head = HEAD.format(
        root=ROOT,
        checkpoint=LEDGER_CHECKPOINT,
        heard="\n".join(f"topic read {ROOT}/+/+/+/{kind}" for kind in HEARD),
        answered="\n".join(f"topic write {ROOT}/+/+/+/{kind}" for kind in ANSWERED),
        told="".join(f"topic write {topic}\n" for topic in sorted(set(told))),
    )
    return "\n".join([head, *map(_of_device, places)])


def _of_device(place: Place) -> str:
    device = place.device_id
    lines = [f"user {device}"]
    lines += [f"topic write {device_topic(place.site_code, place.line, device, kind)}" for kind in UP]
    lines += [f"topic read {device_topic(place.site_code, place.line, device, kind)}" for kind in DOWN]
    own = f"{ROOT}/{place.site_code}/{place.line}/{device}"
    lines += [f"topic write {own}/cfg/reported", f"topic read {own}/cfg/desired"]
    lines += [f"topic read {own}/cmd/#", f"topic write {own}/res/+", f"topic read {ALL_HOSTS}", ""]
    return "\n".join(lines)
