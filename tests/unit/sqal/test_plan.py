"""The demo's plan: sites, bounds, ports."""

import socket
from pathlib import Path

import pytest

from contract.topics import device_topic
from sqal.demo.plan import Plan, free_port, port_is_taken


def test_the_customers_three_sites_come_first_and_all_names_fit_the_contract():
    sites = Plan(data=Path("d"), sites=12).all_sites()
    assert [site.device for site in sites[:3]] == ["ESP32_LL_01", "ESP32_LS_01", "ESP32_MT_01"]
    assert len({site.device for site in sites}) == len({site.code for site in sites}) == 12
    for site in sites:
        assert len(site.code) == 2
        device_topic(site.code, "line1", site.device, "sample")


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"sites": 0}, "--sites"),
        ({"sites": 100}, "--sites"),
        ({"speed": 0.0}, "--speed"),
        ({"speed": 101.0}, "--speed"),
    ],
)
def test_impossible_plans_are_refused_by_name(change: dict[str, float], name: str):
    with pytest.raises(ValueError, match=name):
        Plan(data=Path("d"), **change)  # pyright: ignore[reportArgumentType]


def test_a_taken_port_is_seen():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert port_is_taken(taken.getsockname()[1])
    assert not port_is_taken(free_port())
