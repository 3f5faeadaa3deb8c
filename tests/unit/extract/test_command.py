"""python -m tasks.extract: the counts of files, and exit codes."""

from pathlib import Path

import orjson
import pytest

from tasks.extract.__main__ import app, main
from tests.flows.command import require_shared_data
from tests.unit.extract.given import BLANK, lines, row

KEYS = ["read", "kept", "blank", "duplicate", "rejected", "series"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.jsonl"
    path.write_bytes(lines([BLANK, row("00:04:00"), row("00:09:00")]))
    return path


def run(capsysbinary: pytest.CaptureFixture[bytes], *arguments: object) -> tuple[int, dict]:
    code = app([*map(str, arguments), "--json"], result_action="return_value")
    return code, orjson.loads(capsysbinary.readouterr().out)


def test_a_file_is_told_of_in_stable_keys(table: Path, capsysbinary: pytest.CaptureFixture[bytes]):
    place = table.with_name("ITESTA12.jsonl")
    place.write_bytes(table.read_bytes())
    arguments = (place, "--source", "wunderground", "--first-day", "2024-10-01")
    code, told = run(capsysbinary, *arguments)
    assert (code, list(told)[:6]) == (0, KEYS)
    assert [told[key] for key in KEYS[:5]] == [3, 2, 1, 0, {}]
    assert told["series"]["wunderground:ITESTA12:air_temperature"] == {
        "rows": 2,
        "first": "2024-09-30T22:04:00Z",
        "last": "2024-09-30T22:09:00Z",
        "unit": "degC",
        "source_unit": "degF",
    }


def test_the_same_content_in_two_files_is_kept_once(
    table: Path, capsysbinary: pytest.CaptureFixture[bytes]
):
    for name in ("a", "b"):
        place = table.with_name(f"wunderground_ITESTA12_first_day=2024-10-01_{name}.jsonl")
        place.write_bytes(table.read_bytes())
    _, told = run(capsysbinary, *sorted(table.parent.glob("wunder*")))
    assert [told[key] for key in KEYS[:5]] == [6, 2, 2, 2, {}]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["{table}"], 2, "No source matches"),
        (["{table}", "--source", "nobody"], 2, "'nobody', which is no source; use one of eco2mix"),
        (["{table}", "--source", "wunderground", "--first-day", "1/10/24"], 2, "into date"),
        (["{table}.gone"], 2, "does not exist"),
        ([], 2, "requires an argument"),
        (["{table}", "--sorce", "x"], 2, "--sorce"),
        (["{table}", "--source", "wunderground"], 1, "no_station"),
    ],
)
def test_what_is_wrong_is_said_and_the_exit_code_says_whose_fault(
    table: Path,
    arguments: list[str],
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
):
    words = [word.replace("{table}", str(table)) for word in arguments]
    assert main(words) == code
    shown = capsys.readouterr()
    assert said in (shown.out + shown.err).replace("\n", " ")


def test_brackets_in_a_name_are_no_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    place = tmp_path / "week [red].jsonl"
    station = {"id_station": "[bold]07", "dh_utc": "2024-10-05 00:00:00", "temperature": "6.4"}
    place.write_bytes(lines([{"hourly": [station]}]))
    assert main([str(place), "--source", "infoclimat"]) == 0
    shown = capsys.readouterr().out
    assert "week [red].jsonl: " in shown
    assert "infoclimat:[bold]07:air_temperature" in shown


def test_the_real_answer_of_infoclimat_is_kept_whole(capsysbinary: pytest.CaptureFixture[bytes]):
    code, told = run(capsysbinary, require_shared_data() / "weather/airbyte_infoclimat.jsonl")
    stations = {series_id.split(":")[1] for series_id in told["series"]}
    assert (code, [told[key] for key in KEYS[:5]]) == (0, [1143, 1143, 0, 0, {}])
    assert stations == {"00052", "000R5", "07015", "STATIC0010"}
    assert "infoclimat:00052:wind_speed_of_gust" not in told["series"]


def test_two_real_days_of_weather_underground_start_in_utc(
    capsysbinary: pytest.CaptureFixture[bytes],
):
    (path,) = (require_shared_data() / "weather").glob("airbyte_wunderground_*.jsonl")
    code, told = run(capsysbinary, path, "--first-day", "2024-10-01")
    assert (code, [told[key] for key in KEYS[:5]]) == (0, [578, 576, 2, 0, {}])
    temperature = told["series"]["wunderground:ILAMAD25:air_temperature"]
    assert (temperature["first"], temperature["rows"]) == ("2024-09-30T22:04:00Z", 576)
    code, told = run(capsysbinary, path)
    assert (code, [told[key] for key in KEYS[:5]]) == (1, [578, 0, 2, 0, {"undated": 576}])


def test_two_real_years_of_demand_lose_the_phantoms_of_spring(
    capsysbinary: pytest.CaptureFixture[bytes],
):
    paths = sorted((require_shared_data() / "demand").glob("eCO2mix_RTE_*.xls"))
    code, told = run(capsysbinary, *paths)
    counts = [70080, 35036, 35040, 0, {"nonexistent_local_time": 4}]
    assert (code, [told[key] for key in KEYS[:5]]) == (0, counts)
    assert told["series"]["rte:32:electricity_demand"]["last"] == "2019-12-31T22:30:00Z"


@pytest.mark.parametrize(
    ("pattern", "kept", "series"),
    [
        ("eCO2mix_resaved_*", 20, "rte:32:electricity_demand"),
        ("eco2mix-national-tr_*", 199, "rte:FR:electricity_demand_forecast_day_ahead"),
        ("temperature-*", 2794, "odre:32:air_temperature_daily_mean"),
    ],
)
def test_the_other_real_tables_are_read(
    pattern: str, kept: int, series: str, capsysbinary: pytest.CaptureFixture[bytes]
):
    (path,) = (require_shared_data() / "demand").glob(pattern)
    code, told = run(capsysbinary, path)
    assert (code, told["kept"], told["series"][series]["rows"]) == (0, kept, kept)
