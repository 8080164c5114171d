"""A recorded time zone is put in force from its bytes, checked, and taken out again."""

import os
import struct
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.doors.surroundings.zones import applied_zone, checked_zone, local_zone
from replay.errors import IntegrityError

ZONES = Path("/usr/share/zoneinfo")


def zone_file(name):
    place = ZONES / name
    if not place.is_file():
        pytest.skip("this machine has no time zones")
    return place.read_bytes()


@pytest.fixture
def zone_of(monkeypatch):
    def set_zone(name):
        if name is None:
            monkeypatch.delenv("TZ", raising=False)
        else:
            monkeypatch.setenv("TZ", name)
        time.tzset()

    yield set_zone
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("name", ["Asia/Tokyo", "America/St_Johns", "Europe/Berlin", "UTC"])
def test_a_zone_is_in_force_without_its_name_and_gone_afterwards(name, zone_of):
    zone_of("America/New_York")
    before = time.localtime(0), time.tzname
    zone = zone_file(name)
    zone_of(name)
    moments = [0, 1e9, 1.72e9, 4e9]
    wanted = [time.localtime(at) for at in moments], time.tzname
    zone_of("America/New_York")

    with applied_zone(zone):
        found = [time.localtime(at) for at in moments], time.tzname

    assert found == wanted
    assert (time.localtime(0), time.tzname) == before


@pytest.mark.parametrize("rules", ["JST-9", "<+0330>-3:30", "CET-1CEST,M3.5.0,M10.5.0/3"])
def test_a_zone_given_by_rules_is_its_own_record(rules, zone_of):
    zone_of(rules)
    assert local_zone() == rules.encode()
    wanted = time.localtime(0), time.tzname
    zone_of("America/New_York")

    with applied_zone(rules.encode()):
        assert (time.localtime(0), time.tzname) == wanted


@pytest.mark.parametrize(
    "name", ["", "No/Such_Zone", "../../../etc/passwd", "/etc/passwd", "A" * 5000]
)
def test_a_name_without_a_zone_is_recorded_as_universal_time(name, zone_of):
    zone_of(name)

    assert local_zone() == b"UTC0"


def test_a_zone_named_by_its_path_is_recorded_as_its_bytes(zone_of):
    zone = zone_file("Asia/Tokyo")
    for name in (str(ZONES / "Asia/Tokyo"), f":{ZONES}/Asia/Tokyo", ":Asia/Tokyo"):
        zone_of(name)
        assert local_zone() == zone


def test_two_zones_one_after_the_other_are_both_in_force(zone_of):
    zone_of("UTC")
    with applied_zone(zone_file("Asia/Tokyo")):
        assert time.tzname[0] == "JST"
    with applied_zone(zone_file("America/New_York")):
        assert time.tzname == ("EST", "EDT")


def test_the_environment_of_the_process_is_left_as_it_was(zone_of):
    zone_of("America/New_York")

    with applied_zone(zone_file("Asia/Tokyo")):
        assert os.environ["TZ"] == "America/New_York"


def changed(zone, offset, value):
    return zone[:offset] + struct.pack(">l", value) + zone[offset + 4 :]


@pytest.mark.parametrize("offset", [20, 24, 28, 32, 36, 40])
@pytest.mark.parametrize("value", [-1, 7, 255, 2**20, 2**31 - 1])
def test_a_count_that_points_outside_is_refused(offset, value):
    with pytest.raises(IntegrityError):
        checked_zone(changed(zone_file("Europe/Berlin"), offset, value))


@given(data=st.data())
def test_cut_zones_and_other_bytes_are_refused(data):
    zone = zone_file("Asia/Tokyo")
    cut = data.draw(st.integers(0, len(zone) - 1))
    for hostile in (zone[:cut], zone + b"x", b"TZif" + data.draw(st.binary(max_size=99))):
        with pytest.raises(IntegrityError):
            checked_zone(hostile)


@pytest.mark.parametrize(
    "hostile", [b"", b":/etc/passwd", b"/etc/passwd", b"UTC", b"A\0", b"JST-9\n/x", b"x" * 99999]
)
def test_a_text_that_could_name_a_file_is_refused(hostile):
    with pytest.raises(IntegrityError):
        checked_zone(hostile)


def test_a_local_time_type_that_does_not_exist_is_refused():
    zone = bytearray(zone_file("Asia/Tokyo"))
    times = struct.unpack_from(">l", zone, 32)[0]
    zone[44 + times * 4] = 250  # the first index of the first block

    with pytest.raises(IntegrityError):
        checked_zone(bytes(zone))
