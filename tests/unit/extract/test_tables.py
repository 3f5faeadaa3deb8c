"""Delimited text and workbooks, in the dialects that exports and spreadsheets produce."""

import io
import zipfile
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from tests.unit.extract.given import MIB, instants, parquet, read, rules, values, workbook

ORIGINAL = (
    "Périmètre\tNature\tDate\tHeures\tConsommation\tThermique\tNucléaire\tEch. physiques\t\n"
    "Hauts-de-France\tDonnées définitives\t2018-01-01\t00:00\t6602\t558\t3736\t-689\t\n"
    "Hauts-de-France\tDonnées définitives\t2018-01-01\t00:15\t\t\t\t\t\n"
    "Hauts-de-France\tDonnées définitives\t2018-01-01\t00:30\t6340\t539\t2481\t386\t\n"
    "RTE ne pourra être tenu responsable de l'usage qui pourrait être fait des données.\n\n"
).encode("latin-1")
RESAVED = (
    "P?rim?tre\tNature\tDate\tHeures\tConsommation\tThermique\tNucl?aire\tEch. physiques\t\r\n"
    "Hauts-de-France\tDonn?es d?finitives\t1/1/2018\t0:00\t6602\t558\t3736\t-689\t\r\n"
    "Hauts-de-France\tDonn?es d?finitives\t1/1/2018\t0:15\t\t\t\t\t\r\n"
    "Hauts-de-France\tDonn?es d?finitives\t1/1/2018\t0:30\t6340\t539\t2481\t386\t\r\n"
).encode("ascii")
EXPORTED = (
    "\ufeffCode INSEE région;Région;Nature;Date;Heure;Date - Heure;Consommation (MW);Eolien\r\n"
    "32;Hauts-de-France;Données définitives;2018-01-01;00:30;2018-01-01T00:30:00+01:00;6340;1\r\n"
    "32;Hauts-de-France;Données définitives;2018-01-01;00:00;2018-01-01T00:00:00+01:00;6602;1\r\n"
).encode()
PACKED = parquet(
    *(
        {
            "code_insee_region": "32",
            "nature": "Données définitives",
            "date": date(2018, 1, 1),
            "date_heure": datetime(2018, 1, 1, 0, minute, tzinfo=ZoneInfo("Europe/Paris")),
            "consommation": megawatts,
        }
        for minute, megawatts in ((30, 6340.0), (0, 6602.0))
    )
)
ASKED = (
    b'[{"code_insee_region": "32", "nature": "Donn\\u00e9es d\\u00e9finitives", '
    b'"date_heure": "2017-12-31T23:00:00+00:00", "consommation": 6602},'
    b'{"code_insee_region": "32", "nature": "Donn\\u00e9es d\\u00e9finitives", '
    b'"date_heure": "2017-12-31T23:30:00+00:00", "consommation": 6340}]'
)


@pytest.mark.parametrize(
    ("body", "source"),
    [
        pytest.param(ORIGINAL, "eco2mix", id="original"),
        pytest.param(RESAVED, "eco2mix", id="resaved by a spreadsheet"),
        pytest.param(EXPORTED, "odre_eco2mix", id="ODRE export"),
        pytest.param(ASKED, "odre_eco2mix", id="ODRE API"),
        pytest.param(
            b'{"total_count": 2, "results": %s}' % ASKED, "odre_eco2mix", id="ODRE answer"
        ),
        pytest.param(ASKED[1:-1].replace(b"},{", b"}\n{"), "odre_eco2mix", id="ODRE lines"),
        pytest.param(PACKED, "odre_eco2mix", id="ODRE Parquet"),
    ],
)
def test_every_dialect_of_demand_gives_the_same_reading(body: bytes, source: str):
    readings = read(body, source, key="eco2mix")
    assert readings.frame["station_id"].to_list() == ["rte:32", "rte:32"]
    assert instants(readings) == ["2017-12-31T23:00", "2017-12-31T23:30"]
    assert values(readings, "electricity_demand") == [6602.0, 6340.0]
    assert readings.frame["maturity"].to_list() == [3, 3]
    assert readings.reason is None


def test_a_footer_is_no_record_and_an_empty_quarter_hour_is_blank():
    tally = read(ORIGINAL, "eco2mix").tally
    assert (tally.read, tally.kept, tally.blank, dict(tally.rejected)) == (3, 2, 1, {})


@pytest.mark.parametrize(
    ("nature", "rank"),
    [
        ("Données temps réel", 1),
        ("Donn?es consolid?es", 2),
        ("DONNEES DEFINITIVES", 3),
        ("autre", 0),
    ],
)
def test_vintages_are_ordered_by_their_words(nature: str, rank: int):
    body = ORIGINAL.replace("Données définitives".encode("latin-1"), nature.encode("latin-1"))
    assert set(read(body, "eco2mix").frame["maturity"]) == {rank}


@pytest.mark.parametrize(
    ("region", "station"),
    [
        ("Île-de-France", "rte:11"),
        ("Ile de France", "rte:11"),
        ("?le-de-France", "rte:11"),
        ("Provence-Alpes-Côte d'Azur", "rte:93"),
        ("France", "rte:FR"),
        ("Bavière", None),
    ],
)
def test_regions_are_known_by_name(region: str, station: str | None):
    body = ORIGINAL.replace(b"Hauts-de-France", region.encode("latin-1"), 1)
    found = read(body, "eco2mix")
    assert set(found.frame["station_id"]) == {"rte:32"} | ({station} if station else set())
    assert found.tally.rejected.get("unknown_station", 0) == (station is None)


TEMPERATURES = {
    "labels": "ID;Date;Code INSEE région;Région;TMin (°C);TMax (°C);TMoy (°C)\n"
    "x;2020-08-14;32;Hauts-de-France;18.92;23.4;21.16\n",
    "field names": "date,code_insee_region,region,tmin,tmax,tmoy\n"
    "2020-08-14,32,Hauts-de-France,18.92,23.4,21.16\n",
    "commas": "id;date;region;code_insee_region;tmin;tmax;tmoy\n"
    "x;14/08/2020;Hauts-de-France;32;18,92;23,4;21,16\n",
    "without accents": "ID\tDate\tCode INSEE r?gion\tR?gion\tTMin (?C)\tTMax (?C)\tTMoy (?C)\r\n"
    "x\t14/08/2020\t32\tHauts-de-France\t18,92\t23,4\t21,16\r\n",
}


@pytest.mark.parametrize("dialect", TEMPERATURES)
def test_every_dialect_of_regional_temperature_gives_the_same_reading(dialect: str):
    readings = read(TEMPERATURES[dialect].encode(), "odre_temperature")
    row = readings.frame.select("^air_temperature.*$").row(0)
    assert (row, instants(readings)) == ((18.92, 23.4, 21.16), ["2020-08-13T22:00"])
    assert readings.frame["station_id"].to_list() == ["odre:32"]


def test_a_row_of_too_many_cells_is_rejected_with_its_line():
    readings = read(
        RESAVED + b"Hauts-de-France\tx\t1/1/2018\t1:00\t1\t2\t3\t4\t5\t6\t7\r\n", "eco2mix"
    )
    assert rules(readings) == [("too_many_cells", 5, None)]
    assert readings.tally.kept == 2


def test_a_stray_quote_does_not_swallow_the_rest():
    readings = read(ORIGINAL.replace(b"\t558\t", b'\t"558\t'), "eco2mix")
    assert values(readings, "electricity_demand") == [6602.0, 6340.0]


def test_lines_keep_their_numbers_past_empty_ones():
    body = RESAVED.replace(b"\r\n", b"\r\n\r\n", 1)
    assert read(body, "eco2mix").frame["line"].to_list() == [3, 5]


def test_utf_16_of_a_spreadsheet_is_read():
    body = ORIGINAL.decode("latin-1").encode("utf-16")
    assert read(body, "eco2mix").tally.kept == 2


def test_a_table_without_a_declared_column_is_refused_by_its_columns():
    readings = read(b"id,split,values\n1,train,5\n", "eco2mix", key="eco2mix.csv")
    assert readings.is_refused
    assert (readings.reason, dict(readings.tally.rejected)) == (
        "no_known_column: none of its columns is a declared variable: id,split,values",
        {"no_known_column": 1},
    )


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return buffer.getvalue()


def test_a_zip_of_one_file_is_that_file():
    assert read(zipped(a=ORIGINAL), "eco2mix").tally == read(ORIGINAL, "eco2mix").tally


FLIPPED = bytearray(zipped(a=ORIGINAL))
FLIPPED[40] ^= 0xFF


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        pytest.param(bytes(FLIPPED), "corrupt_object", id="a byte flipped"),
        pytest.param(b"PK\x03\x04 and no more", "corrupt_object", id="no zip"),
        pytest.param(zipped(a=b"1", b=b"2"), "corrupt_object", id="two files"),
        pytest.param(workbook({"011024": [["Time"]]})[:-40], "corrupt_object", id="cut short"),
        pytest.param(b"\xd0\xcf\x11\xe0junk", "corrupt_object", id="no old workbook"),
        pytest.param(zipped(a=b" " * (3 * MIB)), "oversized_object", id="bomb"),
        pytest.param(PACKED[:-40], "corrupt_object", id="Parquet cut short"),
        pytest.param(
            parquet(*({"Time": "00:04:00"} for _ in range(300_000))),
            "oversized_object",
            id="Parquet bomb",
        ),
    ],
)
def test_an_archive_that_cannot_be_opened_is_refused_whole(body: bytes, rule: str):
    readings = read(body, key="ITESTA12.xlsx", object_mib=2)
    assert rules(readings) == [(rule, None, None)]
    assert readings.is_refused


def test_a_damaged_parquet_file_never_ends_the_process():
    """A thread of Polars panics on some of these, and aborts its process."""
    numbers = np.random.default_rng(1)
    for _ in range(12):
        damaged = np.frombuffer(PACKED, np.uint8).copy()
        damaged[numbers.integers(4, len(damaged), 10)] = numbers.integers(0, 256, 10)
        readings = read(damaged.tobytes(), "odre_eco2mix", key="eco2mix.parquet")
        assert readings.tally.kept == readings.frame.height


def test_rows_of_a_sheet_without_declared_columns_are_rejected_by_its_name():
    table = [["Time", "Temperature"], [], ["00:04:00", "56.8\u00a0°F"]]
    notes = [["Legend"], ["by hand"], [], ["by me"]]
    readings = read(workbook({"011024": table, "Notes": notes, "": []}), key="ITESTA12.xlsx")
    assert instants(readings) == ["2024-09-30T22:04"]
    assert rules(readings) == [("no_known_column", 2, None), ("no_known_column", 4, None)]
    assert "sheet 'Notes'" in readings.quarantine["reason"][0]


def test_a_title_above_the_header_hides_no_row():
    table = [["Lille, autumn"], [], ["Time", "Temperature"], ["00:04:00", "56.8\u00a0°F"]]
    readings = read(workbook({"011024": table}), key="ITESTA12.xlsx")
    assert (instants(readings), readings.frame["line"].to_list()) == (["2024-09-30T22:04"], [4])


@pytest.mark.parametrize(("row", "column"), [(1048575, 16383), (3, 500), (1048575, 19)])
def test_a_cell_far_off_is_refused_before_its_sheet_is_spread_out(row: int, column: int):
    table: list[list[object]] = [["Time", "Temperature"], ["00:04:00", "56.8\u00a0°F"]]
    body = workbook({"011024": table}, {(row, column): 1})
    assert rules(read(body, key="ITESTA12.xlsx")) == [("oversized_object", None, None)]


def test_a_workbooks_own_times_and_numbers_are_read():
    table = [["Time", "Temperature", "UV"], [], [time(0, 4), "56.8\u00a0°F", 3]]
    readings = read(workbook({"011024": table}), key="ITESTA12.xlsx")
    assert (instants(readings), values(readings, "ultraviolet_index")) == (
        ["2024-09-30T22:04"],
        [3.0],
    )


def test_an_unnamed_first_column_shifts_nothing():
    body = b"\tTime\tTemperature\n0\t00:04:00\t56.2\n\t00:09:00\t56.3\n"
    assert values(read(body), "air_temperature") == [56.2, 56.3]


def test_national_demand_carries_both_forecasts_of_rte():
    header = "Périmètre\tNature\tDate\tHeures\tConsommation\tPrévision J-1\tPrévision J\tFioul\t"
    row = "France\tDonnées temps réel\t2021-12-11\t10:00\t70139\t69300\t70000\t2\t"
    readings = read(f"{header}\n{row}\n".encode("latin-1"), "eco2mix")
    names = ["electricity_demand", "electricity_demand_forecast_day_ahead"]
    assert readings.frame.select("station_id", *names).row(0) == ("rte:FR", 70139.0, 69300.0)
    assert values(readings, "electricity_demand_forecast_intraday") == [70000.0]
    assert readings.reason is None
