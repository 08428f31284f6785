"""What makes a Raspberry Pi run the agent: a systemd unit with few rights, and a configuration to fill in."""

from dataclasses import dataclass
from pathlib import Path

STATE_DIR = Path("/var/lib/sqal")
CONFIG = Path("/etc/sqal/edge.toml")
UNIT = Path("/etc/systemd/system/sqal-edge.service")

UNIT_TEXT = """\
[Unit]
Description=SQAL edge agent
Wants=network-online.target time-sync.target
After=network-online.target time-sync.target

[Service]
Type=notify
ExecStart={command} edge run --config {config}
User=sqal
Group=sqal
SupplementaryGroups=i2c
StateDirectory=sqal
StateDirectoryMode=0750
Restart=always
RestartSec=1
WatchdogSec=60
TimeoutStopSec=10
MemoryHigh=120M
MemoryMax=200M
TasksMax=64
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
ProtectProc=invisible
ProcSubset=all
RemoveIPC=yes
KeyringMode=private
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
CapabilityBoundingSet=
DevicePolicy=closed
DeviceAllow=char-i2c rw
UMask=0077

[Install]
WantedBy=multi-user.target
"""

CONFIG_TEXT = """\
# SQAL edge agent. Every key is also an option of `sqal edge run` and, as SQAL_EDGE_..., of the environment.
device = "{device}"
site = "{site}"
line = "line1"
broker_host = "{broker_host}"
broker_port = 8883
broker_ca_file = "/etc/sqal/ca.crt"
broker_cert_file = "/etc/sqal/{device}.crt"
broker_key_file = "/etc/sqal/{device}.key"
state_dir = "{state_dir}"
bus = "linux"
i2c_bus = 1
rate_hz = 1.0
page_port = 8480
"""


@dataclass(frozen=True, slots=True)
class Installed:
    """One file, and whether it was written: what a person has changed is left alone."""

    path: Path
    written: bool


def install(root: Path, *, device: str, site: str, broker_host: str, command: str) -> list[Installed]:
    """Write unit and configuration under `root` (`/` on the device itself). Raises OSError."""
    unit = UNIT_TEXT.format(command=command, config=CONFIG)
    config = CONFIG_TEXT.format(device=device, site=site, broker_host=broker_host, state_dir=STATE_DIR)
    return [_write(root, UNIT, unit, 0o644, keep=False), _write(root, CONFIG, config, 0o640, keep=True)]


def _write(root: Path, path: Path, text: str, mode: int, *, keep: bool) -> Installed:
    target = root / path.relative_to("/")
    if keep and target.exists():
        return Installed(target, written=False)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    target.chmod(mode)
    return Installed(target, written=True)
