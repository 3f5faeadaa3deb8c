import gzip
import hashlib
import io
import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from deployments.local.demo import DemoLake, fill_lake, read_demo
from deployments.local.landing import FATES, VALUE_FAULTS
from tasks.common.errors import ConfigurationError

AUTUMN = datetime.fromisoformat("2026-11-04T22:00+01:00")
SPRING = datetime.fromisoformat("2026-04-08T22:00+02:00")
ECO2MIX_HEADER = (
    "Périmètre\tNature\tDate\tHeures\tConsommation\tThermique\tNucléaire\tEolien\tSolaire\t"
    "Hydraulique\tPompage\tBioénergies\tEch. physiques\t\n"
)
PRIVATE_FIELDS = [
    "id_station", "dh_utc", "temperature", "pression", "humidite", "point_de_rosee", "vent_moyen",
    "vent_rafales", "vent_direction", "pluie_3h", "pluie_1h",
]  # fmt: skip
AIRPORT_FIELDS = [
    "id_station", "dh_utc", "temperature", "pression", "humidite", "point_de_rosee", "visibilite",
    "vent_moyen", "vent_rafales", "vent_direction", "pluie_3h", "pluie_1h", "neige_au_sol",
    "nebulosite", "temps_omm",
]  # fmt: skip
TABLE_FIELDS = [
    "Pressure", "Time", "Humidity", "Dew Point", "Wind", "Precip. Accum.", "Temperature", "Gust",
    "Precip. Rate.", "Solar", "Speed", "UV",
]  # fmt: skip
SHEET_FIELDS = [
    "Time", "Temperature", "Dew Point", "Humidity", "Wind", "Speed", "Gust", "Pressure",
    "Precip. Rate.", "Precip. Accum.", "UV", "Solar",
]  # fmt: skip
ENVELOPE = [
    "_airbyte_raw_id", "_airbyte_extracted_at", "_airbyte_meta", "_airbyte_generation_id",
    "_airbyte_data",
]  # fmt: skip


def read_lines(path: Path) -> list[str]:
    body = path.read_bytes()
    text = (gzip.decompress(body) if path.suffix == ".gz" else body).decode()
    return text.split("\n")[:-1]


def read_answers(lake: DemoLake) -> list[dict]:
    lines = [
        read_lines(path)[0] for path in sorted(lake.folder.glob("raw/**/infoclimat/**/*.jsonl"))
    ]
    return [json.loads(line) for line in lines]


def read_sheets(path: Path) -> dict[str, pl.DataFrame]:
    return pl.read_excel(
        path, sheet_id=0, has_header=False, infer_schema_length=0, drop_empty_rows=False
    )


def digest(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def test_equal_arguments_give_equal_bytes_and_another_seed_another_weather(
    spring: DemoLake, tmp_path: Path
) -> None:
    again = fill_lake(tmp_path / "again", as_of=SPRING, weeks=2)
    other = fill_lake(tmp_path / "other", as_of=SPRING, seed=3, weeks=1)
    assert digest(again.folder) == digest(spring.folder)
    assert not set(digest(other.folder).values()) & set(digest(spring.folder).values())


def test_nothing_in_the_lake_knows_of_this_machine_or_of_a_later_day(spring: DemoLake) -> None:
    paths = [path for path in spring.folder.glob("raw/**/*.*") if path.is_file()]
    assert {path.read_bytes()[4:8] for path in paths if path.suffix == ".gz"} == {bytes(4)}
    stamps = [re.search(r"_(\d{13})_", path.name) for path in paths]
    moments = [int(stamp[1]) / 1000 for stamp in stamps if stamp]
    assert max(moments + [path.stat().st_mtime for path in paths]) == SPRING.timestamp()


def test_a_lake_of_the_next_week_tells_of_the_same_weather(
    spring: DemoLake, tmp_path: Path
) -> None:
    later = fill_lake(tmp_path, as_of=SPRING + timedelta(days=7), weeks=1)
    both = pl.read_parquet(spring.truth).join(pl.read_parquet(later.truth), on=["series_id", "at"])
    both = both.filter(pl.col("at") > SPRING - timedelta(days=4)).with_columns(
        apart=(pl.col("value") - pl.col("value_right")).abs()
    )
    assert both["series_id"].n_unique() == 6 * 6 + 3 + 1
    assert both.filter(pl.col("apart") > 0.01).is_empty()


def test_infoclimat_objects_hold_one_answer_with_the_rows_of_four_stations(
    autumn: DemoLake,
) -> None:
    answer = read_answers(autumn)[0]["_airbyte_data"]
    assert list(answer) == ["status", "errors", "data", "stations", "metadata", "hourly"]
    fields = {name: list(rows[0]) for name, rows in answer["hourly"].items() if name != "_params"}
    assert list(answer["hourly"])[-1] == "_params"
    assert [fields.pop(one["id"]) for one in answer["stations"] if one["type"] == "synop"] == [
        AIRPORT_FIELDS
    ]
    assert list(fields.values()) == [PRIVATE_FIELDS] * 3


def test_infoclimat_values_are_texts_nulls_or_empty(autumn: DemoLake) -> None:
    hourly = read_answers(autumn)[0]["_airbyte_data"]["hourly"]
    rows = [row for name, one in hourly.items() if name != "_params" for row in one]
    numbers = re.compile(r"-?(0|[1-9]\d*)(\.[1-9])?")
    values = [value for row in rows for value in list(row.values())[2:] if value]
    assert all(numbers.fullmatch(value) for value in values)
    assert {row["nebulosite"] == "" for row in rows if "nebulosite" in row} == {True, False}
    assert {row["vent_rafales"] for row in rows if "nebulosite" not in row} == {None}


def test_airbyte_lines_have_the_separators_and_the_no_break_spaces_of_the_real_ones(
    autumn: DemoLake,
) -> None:
    path = min(autumn.folder.glob("raw/airbyte-sync/wunderground/*/first_day=*/*.jsonl"))
    blank, record = path.read_bytes().split(b"\n")[:2]
    head = (
        rb'\{"_airbyte_raw_id": "[0-9a-f-]{36}", "_airbyte_extracted_at": \d{13}, "_airbyte_meta"'
    )
    assert re.match(
        head + rb': \{"changes": \[\], "sync_id": \d+\}, "_airbyte_generation_id"', blank
    )
    cell = rb'"Pressure": "\d\d\.\d\d\xc2\xa0in", "Time": "00:04:00", "Humidity": "\d+\xc2\xa0%", '
    assert re.search(cell + rb'"Dew Point": "-?\d+\.\d\xc2\xa0\xc2\xb0F", "Wind": "\w+"', record)
    assert list(json.loads(record)["_airbyte_data"]) == TABLE_FIELDS
    assert set(json.loads(blank)["_airbyte_data"].values()) == {None}


def test_csv_objects_hold_json_in_a_string_and_crlf(autumn: DemoLake) -> None:
    body = gzip.decompress(min(autumn.folder.glob("raw/**/*.csv.gz")).read_bytes())
    assert body.startswith(",".join(ENVELOPE).encode() + b"\r\n")
    assert body.count(b"\r\n") == body.count(b"\n")
    data = pl.read_csv(io.BytesIO(body))["_airbyte_data"]
    assert list(json.loads(data[1])) == TABLE_FIELDS


def test_workbooks_have_a_sheet_a_day_and_a_blank_second_row(autumn: DemoLake) -> None:
    for path in autumn.folder.glob("raw/wunderground/*/*.xlsx"):
        sheets = read_sheets(path)
        days = [datetime.strptime(name, "%d%m%y").replace(tzinfo=UTC) for name in sheets]
        assert days == [days[0] + timedelta(days=n) for n in range(len(days))]
        assert {frame.row(0) for frame in sheets.values()} == {tuple(SHEET_FIELDS)}
        assert {frame.row(1) for frame in sheets.values()} == {(None,) * 12}
        assert {frame[2, 0] for frame in sheets.values()} == {"1899-12-31 00:04:00"}


def test_demand_files_have_96_rows_a_day_a_tab_at_each_end_and_a_footer(autumn: DemoLake) -> None:
    for path in autumn.folder.glob("raw/rte/*.xls"):
        text = path.read_bytes().decode("latin-1")
        assert text.startswith(ECO2MIX_HEADER)
        *rows, footer, empty, after = text.split("\n")[1:]
        assert (footer[:4], empty, after) == ("RTE ", "", "")
        assert {row.count("\t") for row in rows} == {13}
        assert set(Counter(row.split("\t")[2] for row in rows).values()) == {96}
        assert {row.split("\t")[4] for row in rows[1::2]} == {""}


def test_demand_of_the_hour_that_spring_skips_is_a_copy(spring: DemoLake) -> None:
    text = (spring.folder / "raw/rte/eCO2mix_RTE_Hauts-de-France_En-cours-TR.xls").read_bytes()
    rows = [row.split("\t") for row in text.decode("latin-1").split("\n")]
    day = {row[3]: row[4:] for row in rows if len(row) > 3 and row[2] == "2026-03-29"}
    assert day["02:00"] == day["03:00"] != day["03:30"]
    assert day["02:30"] == day["01:30"] != day["01:00"]


def count_wunderground(path: Path) -> Counter:
    """Count lines by what they say, without a look at how they were made."""
    if path.suffix == ".xlsx":
        rows = [row for one in read_sheets(path).values() for row in one.rows()[1:]]
        return Counter("kept" if any(row) else "blank" for row in rows)
    counts, seen = Counter(), ""
    if ".csv" in path.name:
        lines = pl.read_csv(path, infer_schema=False)["_airbyte_data"].to_list()
    else:
        lines = read_lines(path)
    for line in lines:
        try:
            data = json.loads(line)
        except ValueError:
            counts["rejected"] += 1
            continue
        data = data.get("_airbyte_data", data)
        said = json.dumps(data)
        empty = not any(data.values())
        counts["blank" if empty else "duplicate" if said == seen else "kept"] += 1
        seen = said
    return (
        counts
        if "first_day" in str(path) or "csv" in path.name
        else Counter(rejected=counts.total())
    )


def count_infoclimat(path: Path) -> Counter:
    first, *rest = read_lines(path)
    hourly = json.loads(first)["_airbyte_data"]["hourly"]
    rows = [
        (row["id_station"], row["dh_utc"])
        for name in hourly
        if name != "_params"
        for row in hourly[name]
    ]
    return Counter(kept=len(set(rows)), duplicate=len(rows) - len(set(rows)), rejected=len(rest))


def count_demand(path: Path) -> Counter:
    rows = [row.split("\t") for row in path.read_bytes().decode("latin-1").split("\n")[1:]]
    counts = Counter()
    for row in rows:
        if len(row) < 14:
            continue
        phantom = row[2] in {"2024-03-31", "2025-03-30", "2026-03-29"} and row[3][:2] == "02"
        counts["blank" if not row[4].isdigit() else "rejected" if phantom else "kept"] += 1
    return counts


@pytest.mark.parametrize("season", ["autumn", "spring"])
def test_told_counts_are_what_a_plain_reader_counts(
    season: str, request: pytest.FixtureRequest
) -> None:
    lake: DemoLake = request.getfixturevalue(season)
    for told in lake.story["objects"]:
        path = lake.folder / told["key"]
        count = count_demand if "rte" in told["key"] else count_wunderground
        counts = (count_infoclimat if "infoclimat" in told["key"] else count)(path)
        kinds = ("kept", "blank", "duplicate", "rejected")
        assert {kind: counts[kind] for kind in kinds} == {kind: told[kind] for kind in kinds}
        assert told["read"] == counts.total()


def test_the_rejected_are_few_and_every_object_is_told(autumn: DemoLake) -> None:
    told = autumn.story["objects"]
    keys = {str(path.relative_to(autumn.folder)) for path in autumn.folder.glob("raw/**/*.*")}
    assert {one["key"] for one in told} == {key for key in keys if (autumn.folder / key).is_file()}
    assert 0 < sum(one["rejected"] for one in told) < 0.002 * sum(one["read"] for one in told)


def count_clock(lake: DemoLake, first_day: str, clock: str) -> int:
    (path,) = lake.folder.glob(f"raw/airbyte-sync/wunderground/*/first_day={first_day}/*.jsonl*")
    return sum(f'"Time": "{clock}"' in line for line in read_lines(path))


def test_local_clocks_repeat_an_hour_in_autumn_and_skip_one_in_spring(
    autumn: DemoLake, spring: DemoLake
) -> None:
    assert count_clock(autumn, "2026-10-22", "02:04:00") == 8
    assert count_clock(spring, "2026-03-26", "02:04:00") == 6


def find_defects(lake: DemoLake, kind: str) -> list[dict]:
    return [one for one in lake.story["defects"] if one["kind"] == kind]


def test_every_kind_of_fault_is_told(autumn: DemoLake) -> None:
    kinds = {one["kind"] for one in autumn.story["defects"]}
    assert kinds >= set(FATES) | {kind for kind, *_ in VALUE_FAULTS}
    assert "rain counter starts anew 8h4m after midnight" in kinds


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("malformed line", '^{"_airbyte_raw_id": "[^{}]*$'),
        ("cell without a number", r"\t\d\d:\d\d\t(ND|-|)\t\d"),
        ("hour that spring skips", r"-03-(29|30|31)\t02:[03]0\t\d"),
        ("undated object", r'"Time": "00:04:00"'),
        ("restated day", r"Wavrech\\u00e9hem"),
    ],
)
def test_a_fault_of_a_text_stands_on_the_line_it_is_told(
    autumn: DemoLake, kind: str, pattern: str
) -> None:
    found = find_defects(autumn, kind)
    for one in found:
        path = autumn.folder / one["key"]
        text = path.read_bytes().decode("latin-1" if path.suffix == ".xls" else "utf-8")
        assert re.search(pattern, text.split("\n")[one["line"] - 1])
    assert found


def read_infoclimat(lake: DemoLake, fault: dict) -> list[dict]:
    """Give the rows of a told fault's station, from its start to its end."""
    station = fault["station_id"].removeprefix("infoclimat:")
    start, end = (fault[side][:19].replace("T", " ") for side in ("from", "to"))
    hourly = [answer["_airbyte_data"]["hourly"] for answer in read_answers(lake)]
    return [row for one in hourly for row in one[station] if start <= row["dh_utc"] < end]


def test_a_frozen_thermometer_stands_still_for_twenty_hours(autumn: DemoLake) -> None:
    (fault,) = find_defects(autumn, "frozen thermometer")
    rows = read_infoclimat(autumn, fault)
    assert len(rows) == 120
    assert {row["temperature"] for row in rows} == {rows[0]["temperature"]} != {None}
    assert len({row["humidite"] for row in rows}) > 1


def test_a_gap_holds_no_row_and_a_spike_one_value(autumn: DemoLake) -> None:
    (gap,), (spike,) = find_defects(autumn, "gap"), find_defects(autumn, "temperature spike")
    assert read_infoclimat(autumn, gap) == []
    assert [row["temperature"] for row in read_infoclimat(autumn, spike)] == ["39.5"]


def test_an_impossible_temperature_is_185_fahrenheit(autumn: DemoLake) -> None:
    lines = [
        line
        for path in autumn.folder.glob("raw/airbyte-sync/wunderground/*/first_day=*/*.jsonl*")
        for line in read_lines(path)
    ]
    assert sum('"185.0\u00a0°F"' in line for line in lines) == 1


def test_wind_direction_is_missing_where_it_is_told_to_be(autumn: DemoLake) -> None:
    (fault,) = find_defects(autumn, "missing wind direction")
    start = datetime.fromisoformat(fault["from"]).astimezone(ZoneInfo("Europe/Paris"))
    (sheet,) = (
        sheets[f"{start:%d%m%y}"]
        for sheets in map(read_sheets, autumn.folder.glob("raw/wunderground/*/*.xlsx"))
        if f"{start:%d%m%y}" in sheets
    )
    missing = sheet.filter(pl.col("column_4").is_null() & pl.col("column_0").is_not_null())
    clocks = missing["column_0"].str.slice(-8).to_list()
    assert clocks[0] == f"{start:%H}:04:00"
    assert len(clocks) == 48


def test_the_rain_counter_of_one_station_falls_at_four_past_eight_only(autumn: DemoLake) -> None:
    falls, last = Counter(), 0.0
    for path in sorted(autumn.folder.glob("raw/airbyte-sync/wunderground/*/first_day=*/*.jsonl*")):
        for line in read_lines(path):
            found = re.search(r'"Time": "([^"]+)".*"Precip. Accum.": "([0-9.]+)', line)
            if found:
                falls[found[1]] += float(found[2]) < last
                last = float(found[2])
    assert falls.total() == falls["08:04:00"] > 5


def test_the_truth_is_what_the_raw_values_say_and_goes_beyond_them(autumn: DemoLake) -> None:
    truth = pl.read_parquet(autumn.truth)
    known = truth.filter(pl.col("series_id") == "infoclimat:07994:air_temperature")
    texts = [
        (row["dh_utc"] + "Z", float(row["temperature"]))
        for answer in read_answers(autumn)
        for row in answer["_airbyte_data"]["hourly"]["07994"]
    ]
    said = pl.DataFrame(texts, schema=["at", "said"], orient="row").with_columns(
        pl.col("at").str.to_datetime("%Y-%m-%d %H:%M:%S%#z", time_unit="us", time_zone="UTC")
    )
    both = known.join(said, on="at")
    assert both.height == len(texts)
    assert both.select((pl.col("value") - pl.col("said")).abs().max()).item() < 0.16
    assert said.filter(pl.col("at") >= AUTUMN).is_empty()
    assert known.filter(pl.col("at") > AUTUMN + timedelta(days=11)).height > 0
    assert truth["value"].null_count() == 0


def test_weather_is_possible_and_demand_has_the_levels_of_the_region(autumn: DemoLake) -> None:
    truth = pl.read_parquet(autumn.truth)
    station = pl.col("series_id").str.extract("^([a-z]+:[^:]+)").alias("station_id")
    truth = truth.with_columns(station)
    wide = truth.filter(pl.col("station_id") != "rte:32").pivot(
        "variable", index=["station_id", "at"], values="value"
    )
    assert wide.filter(pl.col("dew_point_temperature") > pl.col("air_temperature")).is_empty()
    assert wide["relative_humidity"].is_between(15, 100).all()
    load = truth.filter(pl.col("station_id") == "rte:32").with_columns(
        pl.col("at").dt.convert_time_zone("Europe/Paris")
    )
    day = load.group_by_dynamic("at", every="1d").agg(pl.col("value").mean())
    mean = dict(day.group_by(pl.col("at").dt.weekday() > 5).agg(pl.col("value").mean()).iter_rows())
    assert 5600 < mean[False] < 6400
    assert 0.84 < mean[True] / mean[False] < 0.94


def test_a_filled_lake_is_described_and_not_filled_again(autumn: DemoLake, tmp_path: Path) -> None:
    assert read_demo(autumn.folder) == autumn
    assert read_demo(tmp_path) is None
    with pytest.raises(ConfigurationError, match="raw/ already"):
        fill_lake(autumn.folder, as_of=AUTUMN)
    with pytest.raises(ConfigurationError, match="offset"):
        fill_lake(tmp_path, as_of=datetime(2026, 1, 1))  # noqa: DTZ001
