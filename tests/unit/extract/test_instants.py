"""Times: dates are recovered or refused, the clocks of spring and autumn accounted for."""

from datetime import date

import pytest

from tests.unit.extract.given import (
    BLANK,
    SOURCES,
    instants,
    line,
    lines,
    read,
    row,
    rules,
    values,
    workbook,
)

BARE = "raw/wunderground/ITESTA12/table.jsonl"
HEADER: list[object] = ["Time", "Temperature", "Wind"]


def day_sheet(*times: str) -> list[list[object]]:
    rows: list[list[object]] = [[time, "56.8\u00a0°F", "North"] for time in times]
    return [HEADER, [], *rows]


def demand(*rows: str, header: str = "Périmètre\tNature\tDate\tHeures\tConsommation\t") -> bytes:
    told = [header, *(f"Hauts-de-France\tDonnées définitives\t{one}\t" for one in rows)]
    return ("\n".join(told) + "\n").encode("latin-1")


def test_local_times_become_utc_from_the_day_the_key_names():
    readings = read(lines([BLANK, row("00:04:00"), row("12:47:00")]))
    assert instants(readings) == ["2024-09-30T22:04", "2024-10-01T10:47"]
    assert (readings.tally.read, readings.tally.kept, readings.tally.blank) == (3, 2, 1)


def test_a_blank_record_begins_a_day_even_when_the_clock_goes_on():
    rows = [BLANK, row("09:00:00"), BLANK, row("12:00:00"), BLANK, BLANK, row("13:00:00")]
    assert instants(read(lines(rows))) == [
        "2024-10-01T07:00",
        "2024-10-02T10:00",
        "2024-10-03T11:00",
    ]


def test_a_clock_that_goes_back_begins_a_day():
    rows = [row("23:54:00"), row("23:59:00"), row("00:04:00"), row("00:09:00")]
    found = instants(read(lines(rows)))
    assert found == ["2024-10-01T21:54", "2024-10-01T21:59", "2024-10-01T22:04", "2024-10-01T22:09"]


def test_a_record_a_few_minutes_late_begins_no_day():
    rows = [row("09:00:00"), row("09:10:00"), row("09:05:00")]
    assert instants(read(lines(rows))) == [
        "2024-10-01T07:00",
        "2024-10-01T07:05",
        "2024-10-01T07:10",
    ]


def test_without_a_date_the_object_is_refused_whole_and_its_records_are_counted():
    readings = read(lines([BLANK, row("00:04:00"), row("00:09:00")]), key=BARE)
    assert readings.is_refused
    assert rules(readings) == [("undated", None, None)]
    assert dict(readings.tally.rejected) == {"undated": 2}
    assert readings.frame.is_empty()


def test_a_second_part_of_a_sync_does_not_start_on_the_first_day():
    key = "raw/wunderground/ITESTA12/first_day=2024-10-01/2024_10_08_1728345600000_1.jsonl"
    assert (read(lines([row()]), key=key).reason or "").startswith("undated")
    assert not read(lines([row()]), key=key, first_day=date(2024, 10, 4)).is_refused


def test_a_declared_first_day_dates_the_objects_of_its_glob():
    source = SOURCES["wunderground"]
    time = source.time.model_copy(update={"first_days": {"*table*": date(2024, 7, 1)}})
    declared = source.model_copy(update={"time": time})
    assert instants(read(lines([row()]), declared, key=BARE)) == ["2024-06-30T22:04"]


def test_sheets_name_their_days_in_day_month_order():
    body = workbook({"011024": day_sheet("00:04:00", "00:09:00"), "021024": day_sheet("00:04:00")})
    readings = read(body, key="ITESTA12.xlsx")
    assert instants(readings) == ["2024-09-30T22:04", "2024-09-30T22:09", "2024-10-01T22:04"]
    assert (readings.tally.blank, readings.frame["line"].to_list()) == (2, [3, 4, 3])


def test_the_newest_sheet_may_come_first():
    body = workbook({name: day_sheet("00:04:00") for name in ("021024", "011024")})
    assert instants(read(body, key="ITESTA12.xlsx")) == ["2024-09-30T22:04", "2024-10-01T22:04"]


@pytest.mark.parametrize("names", [("100124", "100224"), ("011024", "031024")])
def test_sheets_that_are_no_consecutive_days_are_not_guessed(names: tuple[str, str]):
    # 100124, 100224 is October in month-day order and two far months in day-month order.
    body = workbook({name: day_sheet("00:04:00") for name in names})
    readings = read(body, key="ITESTA12.xlsx")
    assert readings.is_refused
    assert "no consecutive days" in (readings.reason or "")


def test_a_sheet_name_carried_by_airbyte_dates_its_records():
    rows = [row("00:04:00") | {"_ab_sheet_name": "011024"}, row() | {"_ab_sheet_name": "021024"}]
    assert instants(read(lines(rows), key=BARE)) == ["2024-09-30T22:04", "2024-10-01T22:04"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Timestamp", "2024-10-01 00:04:00"),
        ("Timestamp", "10/01/2024 12:04 AM"),
        ("Timestamp", "2024-10-01T00:04:00+02:00"),
        ("Timestamp", "2024-09-30T22:04:00Z"),
        ("Date", "2024-10-01"),
        ("date", "01/10/2024"),
    ],
)
def test_a_column_with_the_date_goes_before_everything_else(name: str, text: str):
    assert instants(read(lines([row() | {name: text}]))) == ["2024-09-30T22:04"]


@pytest.mark.parametrize("text", ["00:04", "12:04 AM", "12:04:00 AM", "1899-12-31 00:04:00"])
def test_a_clock_is_read_in_its_dialects(text: str):
    assert instants(read(lines([row(text)]))) == ["2024-09-30T22:04"]


def test_day_and_month_are_never_swapped_from_row_to_row():
    readings = read(
        demand("13/1/2017\t0:00\t1", "2/1/2017\t0:00\t2", "1/14/2017\t0:00\t3"), "eco2mix"
    )
    assert instants(readings) == ["2017-01-01T23:00", "2017-01-12T23:00"]
    assert rules(readings) == [("unreadable_time", 4, None)]


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%Y"])
def test_days_that_read_both_ways_are_those_of_one_week(form: str):
    days = [date(2024, 10, 1), date(2024, 10, 2), date(2024, 10, 7)]
    told = lines([row() | {"Date": day.strftime(form)} for day in days])
    assert instants(read(told)) == ["2024-09-30T22:04", "2024-10-01T22:04", "2024-10-06T22:04"]


def test_the_phantom_half_hours_of_spring_are_rejected():
    body = demand(
        "2018-03-25\t01:30\t1",
        "2018-03-25\t02:00\t2",
        "2018-03-25\t02:30\t3",
        "2018-03-25\t03:00\t4",
    )
    readings = read(body, "eco2mix")
    assert instants(readings) == ["2018-03-25T00:30", "2018-03-25T01:00"]
    assert [rule for rule, _, _ in rules(readings)] == ["nonexistent_local_time"] * 2


def test_the_one_autumn_hour_of_a_feed_of_96_rows_is_the_first():
    body = demand(
        "2018-10-28\t01:30\t1",
        "2018-10-28\t02:00\t2",
        "2018-10-28\t02:30\t3",
        "2018-10-28\t03:00\t4",
    )
    readings = read(body, "eco2mix")
    assert instants(readings)[1:] == ["2018-10-28T00:00", "2018-10-28T00:30", "2018-10-28T02:00"]


def test_the_second_autumn_hour_is_known_by_the_clock_going_back():
    key = BARE.replace("table", "first_day=2024-10-27/table")
    times = ["01:54:00", "02:04:00", "02:54:00", "02:04:00", "02:54:00", "03:04:00"]
    found = instants(read(lines([row(time) for time in times]), key=key))
    assert found == [
        f"2024-10-{at}"
        for at in ("26T23:54", "27T00:04", "27T00:54", "27T01:04", "27T01:54", "27T02:04")
    ]


def test_an_unreadable_clock_costs_its_record_and_keeps_the_others_day():
    readings = read(lines([row("00:04:00"), row("soon"), row("00:14:00")]))
    assert instants(readings) == ["2024-09-30T22:04", "2024-09-30T22:14"]
    assert rules(readings) == [("unreadable_time", 2, None)]


def test_a_daily_value_stands_at_local_midnight():
    body = "ID;Date;Code INSEE région;Région;TMin (°C);TMax (°C);TMoy (°C)\n".encode()
    body += b"x;2020-08-14;32;Hauts-de-France;18,92;23.4;21.16\n"
    readings = read(body, "odre_temperature")
    assert instants(readings) == ["2020-08-13T22:00"]
    assert values(readings, "air_temperature_daily_minimum") == [18.92]


def test_airbytes_instant_is_never_a_records_time():
    readings = read(line(row(), _airbyte_extracted_at=1728345600000), key=BARE)
    assert readings.is_refused


@pytest.mark.parametrize("clock", ["", "Heures\t"])
def test_no_time_of_day_is_made_up_where_one_is_declared(clock: str):
    header = f"Périmètre\tNature\tDate\t{clock}Consommation\t"
    rows = ["2018-01-01\t\t1", "2018-01-01\t\t2"] if clock else ["2018-01-01\t1", "2018-01-01\t2"]
    readings = read(demand(*rows, header=header), "eco2mix")
    assert (readings.reason or "").startswith("undated: no column of the time of day is filled")
    assert dict(readings.tally.rejected) == {"undated": 2}


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "+12000-01-01", "1899-12-31"])
def test_a_day_of_no_possible_record_is_an_unreadable_time(day: str):
    readings = read(demand(f"{day}\t23:30\t1", "2018-01-01\t23:30\t2"), "eco2mix")
    assert (instants(readings), rules(readings)) == (
        ["2018-01-01T22:30"],
        [("unreadable_time", 2, None)],
    )


@pytest.mark.parametrize("day", [date.min, date.max])
def test_a_first_day_of_no_possible_record_dates_none(day: date):
    assert dict(read(lines([row()]), first_day=day).tally.rejected) == {"unreadable_time": 1}
