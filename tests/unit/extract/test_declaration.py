"""A source is one file: what it may say, and what is refused with a sentence."""

from pathlib import Path

import pytest
import yaml

from tasks.common.errors import ConfigurationError
from tasks.extract.catalogue import hash_source, load_source, load_sources, match_source
from tests.unit.extract.given import SOURCES

GOOD = {
    "id": "mine",
    "network": "mine",
    "match": ["*mine*.csv"],
    "step": "PT10M",
    "licence": "CC0",
    "station": {"value": "01"},
    "time": {"zone": "UTC", "instant": {"columns": ["at"], "formats": ["%Y-%m-%d %H:%M"]}},
    "fields": {"air_temperature": {"columns": ["t"], "unit": "degC"}},
}


def write_source(folder: Path, **changes: object) -> Path:
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(GOOD | changes))
    return path


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"licenze": "x"}, ["licenze", "is no key"], id="key"),
        pytest.param({"licence": None}, ["licence", "None"], id="value"),
        pytest.param(
            {"fields": {"air_temperature": {"columns": ["t"], "unit": "celsius"}}},
            ["key fields.air_temperature.unit: 'celsius': ", "degC"],
            id="unit",
        ),
        pytest.param(
            {"fields": {"air_temperature": {"columns": ["t"], "unit": "hPa"}}},
            ["measures pressure", "measures temperature"],
            id="dimension",
        ),
        pytest.param(
            {"fields": {"temperatur": {"columns": ["t"], "unit": "degC"}}},
            ["key fields.temperatur: 'temperatur': is no variable", "air_temperature"],
            id="variable",
        ),
        pytest.param(
            {"fields": {"air_temperature": {"columns": ["t"], "unit": "degC", "decode": "roman"}}},
            ["decode", "'roman'", "compass16"],
            id="decoder",
        ),
        pytest.param(
            {"fields": {"air_temperature": {"columns": ["t"], "unit": "degC", "path": "$.["}}},
            ["air_temperature.path", "'$.['", "is no JSONPath"],
            id="path",
        ),
        pytest.param(
            {"time": GOOD["time"] | {"zone": "Europe/Lille"}},
            ["time.zone", "Europe/Lille", "IANA"],
            id="zone",
        ),
        *(
            pytest.param({"time": GOOD["time"] | {"zone": zone}}, ["time.zone", zone], id=zone)
            for zone in ("localtime", "right/Europe/Paris")
        ),
        *(
            pytest.param(
                {"time": {"zone": "UTC", "date": {"columns": ["at"], "formats": [text]}}},
                ["time.date.formats.0", repr(text), "is no strftime format"],
                id=f"format {text!r}",
            )
            for text in ("", "day", "%Q", "%", "%m/%d", "%d/%m/%Y %H")
        ),
        *(
            pytest.param({"separators": [text]}, ["separators.0", "one ASCII"], id=f"cut {text!r}")
            for text in ("", "||", "é", '"')
        ),
        pytest.param(
            {"time": {"zone": "UTC", "date": {"columns": ["at"], "formats": ["%Y-%m-%d"]}}},
            ["key time: ", "time.clock beside"],
            id="no clock",
        ),
        pytest.param({"separators": []}, ["separators", "at least 1"], id="no separator"),
        pytest.param({"time": {"zone": "UTC"}}, ["time", "names no column"], id="no time"),
        pytest.param({"station": {"value": 7015}}, ["station.value", "7015"], id="bare number"),
        pytest.param({"station": {}}, ["station", "exactly one"], id="no station"),
        pytest.param(
            {"station": {"path": "("}}, ["station.path", "regular expression"], id="regex"
        ),
        pytest.param({"id": "other"}, ["'other'", "other.yaml"], id="name"),
    ],
)
def test_a_wrong_word_is_refused_by_file_key_and_value(
    tmp_path: Path, changes: dict[str, object], said: list[str]
):
    path = write_source(tmp_path, **changes)
    with pytest.raises(ConfigurationError) as refused:
        load_source(path)
    assert str(path) in str(refused.value)
    assert [word for word in said if word not in str(refused.value)] == []
    assert not str(refused.value).endswith("..")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id: [mine\nmatch: }", "is not readable YAML"),
        ("time: {first_days: {'*': 2024-13-01}}", "month must be in 1..12"),
        ("id: mine\nid: mine", "key 'id' stands twice"),
        ("[" * 10_000, "recursion"),
        ("secret: 1", "key id: Field required (and 8 more)."),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path, text: str, said: str):
    (tmp_path / "mine.yml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"mine\.yml") as refused:
        load_sources(tmp_path)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_aliases_multiply_is_not_written_out(tmp_path: Path):
    lists = "".join(f", &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 7))
    path = write_source(tmp_path)
    path.write_text(f"{path.read_text()}bomb: [&a0 [x]{lists}]\n")
    with pytest.raises(ConfigurationError, match="is no key") as refused:
        load_sources(tmp_path)
    assert "..." in str(refused.value)
    assert len(str(refused.value)) < 500


def test_a_further_source_is_added_and_one_of_a_shipped_id_replaces_it(tmp_path: Path):
    write_source(tmp_path)
    (tmp_path / "eco2mix.yaml").write_text(yaml.safe_dump(GOOD | {"id": "eco2mix"}))
    loaded = load_sources(tmp_path)
    assert loaded["mine"].fields["air_temperature"].unit == "degC"
    assert loaded["eco2mix"].network == "mine"


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="SOURCES_DIR"):
        load_sources(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("key", "source_id"),
    [
        (
            "raw/airbyte-sync/infoclimat/hauts_de_france/2024_10_08_1728345600000_0.jsonl",
            "infoclimat",
        ),
        ("weather/airbyte_infoclimat.jsonl", "infoclimat"),
        (
            "raw/airbyte-sync/wunderground/ILAMAD25/first_day=2024-10-01/x_0.jsonl.gz",
            "wunderground",
        ),
        ("Weather Underground - Ichtegem, BE.xlsx", "wunderground"),
        ("/somewhere/else/Weather+Underground+-+La+Madeleine,+FR.xlsx", "wunderground"),
        ("demand/eCO2mix_RTE_Hauts-de-France_Annuel-Definitif_2018.xls", "eco2mix"),
        ("demand/eCO2mix_resaved_dialect_2017_first_40_lines.xls", "eco2mix"),
        ("demand/eco2mix-national-tr_2021-12_first_200_lines.csv", "odre_eco2mix"),
        ("odre/eco2mix-regional-cons-def.json", "odre_eco2mix"),
        ("demand/temperature-quotidienne-regionale_HDF_2016-2023.csv", "odre_temperature"),
        ("README.md", None),
        ("benchmark/m4_hourly.csv.gz", None),
    ],
)
def test_a_key_finds_its_source_wherever_the_lake_begins(key: str, source_id: str | None):
    found = match_source(key, SOURCES.values())
    assert (found and found.id) == source_id


def test_of_two_sources_the_longer_glob_wins_and_equals_are_an_error(tmp_path: Path):
    mine = load_source(write_source(tmp_path, match=["*wunderground/IUK*.csv"]))
    twin = mine.model_copy(update={"id": "twin"})
    assert match_source("raw/wunderground/IUK1/a.csv", [*SOURCES.values(), mine]) is mine
    with pytest.raises(ConfigurationError, match="'twin' and 'mine'"):
        match_source("raw/wunderground/IUK1/a.csv", [mine, twin])


def test_only_what_decides_the_readings_changes_the_hash():
    source = SOURCES["infoclimat"]
    assert hash_source(source.model_copy(update={"licence": "other"})) == hash_source(source)
    assert hash_source(source.model_copy(update={"revision": 2})) != hash_source(source)
