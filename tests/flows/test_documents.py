"""Every command that the documents show is run, and shown because it works."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from flows.console import app
from tests.flows.command import read_fence, refuse, require_shared_data, run_module, type_line
from tests.shell import (
    PAGES,
    ROOT,
    documented,
    find_block,
    list_blocks,
    list_lines,
    make_checkout,
)

WU_FILE = "weather/airbyte_wunderground_ILAMAD25_first_two_days.jsonl"

RUNNERS = {
    "make test": "this is it",
    "make image-check": "it is what runs test_image",
    "make image-check PLATFORM=linux/arm64": "so it does, emulated",
    "make compose-check": "it is what runs test_compose",
}
"""Commands that run tests, which no test can type."""


def list_commands() -> Iterator[str]:
    for page in PAGES:
        for block in list_blocks(page):
            yield from list_lines(block)


def list_calls() -> Iterator[tuple[str, list[str]]]:
    """Give the texts with which tests ask for a line or a block of the documents."""
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                texts = [a.value for a in node.args if isinstance(a, ast.Constant)]
                yield node.func.id, [text for text in texts if isinstance(text, str)]


def list_typed() -> Iterator[str]:
    for name, texts in list_calls():
        if name == "documented":
            yield from texts
        if name == "find_block" and len(texts) == 2 and texts[0].startswith("docs/"):
            yield from list_lines(find_block(*texts))


def test_every_command_of_the_documents_is_typed_by_a_test():
    shown, typed = set(list_commands()), set(list_typed())
    assert sorted(shown - typed - set(RUNNERS)) == []
    assert sorted(typed - shown) == []
    assert sorted(typed & set(RUNNERS)) == []
    assert sorted(set(RUNNERS) - shown) == []


def test_the_readme_is_short_and_begins_with_its_two_commands():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 150
    assert list(list_commands())[:2] == ["make run", "make test"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return make_checkout(tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path):
    links = re.findall(r"\]\((?!http)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_make_help_lists_every_target(checkout: Path):
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    told = type_line(documented("make help"), cwd=checkout).out
    assert sorted(re.findall(r"^  make ([a-z-]+) ", told, re.MULTILINE)) == sorted(phony[1].split())


def test_help_explains_every_option(checkout: Path):
    ran = type_line(documented(".venv/bin/python -m flows.forecast --help"), cwd=checkout)
    assert ran.code == 0
    options = ("--lake", "--as-of", "--horizon-days", "--series", "--dry-run", "--json")
    assert [option for option in options if option not in ran.out] == []
    assert "*:air_temperature" in ran.out  # in plain quotes, two asterisks were taken for emphasis


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--horizon-days", "eleven"), "eleven"),
        (("--nonsense",), "nonsense"),
        (("--as-of", "2019-11-06T22:00"), "without its offset"),
        (("--as-of", "yesterday"), "give an ISO instant"),
        (("--as-of", ""), "give an ISO instant"),
        (("--as-of", "0001-01-01T00:00+14:00"), "between 1970 and 2200"),
        (("--horizon-days", "32"), "32"),
        (("--lake", "ftp://somewhere"), "ftp://somewhere"),
        (("--lake", "no/such/folder"), "no/such/folder"),
        (("--json", "no/such/report.json"), "make it first"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_told_and_exits_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    said: str,
):
    monkeypatch.chdir(tmp_path)
    assert refuse(app, *arguments) == 2
    assert said in "".join(capsys.readouterr())
    assert not (tmp_path / ".local").exists()


def test_a_broken_source_stops_the_run_before_anything_is_written(tmp_path: Path):
    (tmp_path / "sources").mkdir()
    text = read_fence(ROOT / "docs/how-to/add-a-source.md", "yaml").replace("degF", "degrees")
    (tmp_path / "sources/garden.yaml").write_text(text)
    ran = run_module("flows.forecast", cwd=tmp_path, SOURCES_DIR="sources")
    assert ran.code == 2
    assert "garden.yaml" in ran.err
    assert "'degrees'" in ran.err
    assert not (tmp_path / ".local").exists()


def test_the_garden_of_the_how_to_is_read(checkout: Path):
    page = ROOT / "docs/how-to/add-a-source.md"
    (checkout / "sources").mkdir()
    (checkout / "sources/garden.yaml").write_text(read_fence(page, "yaml"))
    landed = checkout / "raw/garden/GARDEN1/2024-10.csv"
    landed.parent.mkdir(parents=True)
    landed.write_text(read_fence(page, "csv"))
    line = documented(
        "SOURCES_DIR=sources .venv/bin/python -m tasks.extract raw/garden/GARDEN1/2024-10.csv"
    )
    ran = type_line(line, cwd=checkout)
    assert ran.code == 0, ran.err
    assert "garden:GARDEN1:air_temperature" in ran.out


def test_a_first_day_of_the_how_to_is_a_declaration():
    declared = yaml.safe_load(read_fence(ROOT / "docs/how-to/add-a-source.md", "yaml", 1))
    assert str(next(iter(declared["time"]["first_days"].values()))) == "2024-10-01"


def test_an_undated_file_is_read_with_its_first_day(checkout: Path):
    line = documented(
        ".venv/bin/python -m tasks.extract FILE --source wunderground --first-day 2024-10-01"
    )
    ran = type_line(line.replace("FILE", str(require_shared_data() / WU_FILE)), cwd=checkout)
    assert ran.code == 0, ran.err
    assert "576" in ran.out


def test_the_bench_prints_json(checkout: Path):
    line = documented(".venv/bin/python -m tests.bench ingest --json")
    few = {"BENCH_ROWS": "120000", "BENCH_REPEATS": "1"}
    ran = type_line(line, cwd=checkout, **few)
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["rows"] == 120_000


def test_the_bench_tells_what_a_series_costs(checkout: Path):
    line = documented(".venv/bin/python -m tests.bench.cost --kind weather")
    ran = type_line(line, cwd=checkout, BENCH_DAYS="30", BENCH_SERIES="1")
    assert ran.code == 0, ran.err
    assert re.search(r"30 d usual: \d+\.\d\d CPU s a series.*'recalled'", ran.out)


def test_the_costs_of_the_how_to_follow_from_its_measured_line():
    page = (ROOT / "docs/how-to/scale-out.md").read_text()
    euro = (0.04048 + 2 * 0.004445) * 1.2 * 0.92
    rows = re.findall(r"^\| \w+, \w+ week \| (.*) \|$", page, re.MULTILINE)
    told = [[float(cell.replace(",", "")) for cell in row.split("|")] for row in rows]
    assert len(told) == 4
    for cpu_s, *costs in told:
        hours = [count * cpu_s / 3600 * 1.2 for count in (10_000, 1_000_000)]
        assert costs == pytest.approx([x for h in hours for x in (h, h * euro)], rel=0.02, abs=0.05)
