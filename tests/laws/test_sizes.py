"""A stranger finds the room for a change in a minute: files and functions stay small."""

import ast
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path for top in ("flows", "tasks", "deployments") for path in (ROOT / top).rglob("*.py")
)
COMMON = {
    *("accounts", "changes", "compression", "contracts", "errors", "manifests"),
    *("migration", "mongo", "objects", "results", "schedule", "scores", "settings"),
}
FORBIDDEN_NAMES = {"utils", "helpers", "manager", "misc", "base", "core"}


def functions_of(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def count_body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def is_task(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any("task" in ast.dump(decorator) for decorator in function.decorator_list)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_has_at_most_250_lines(path: Path):
    assert len(path.read_text().splitlines()) <= 250


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_function_body_has_at_most_30_lines(path: Path):
    assert {f.name: n for f in functions_of(path) if (n := count_body_lines(f)) > 30} == {}


@pytest.mark.parametrize("path", sorted(ROOT.glob("tasks/*/task.py")), ids=lambda p: p.parent.name)
def test_a_task_body_has_at_most_15_lines(path: Path):
    tasks = [function for function in functions_of(path) if is_task(function)]
    assert tasks
    assert {f.name: n for f in tasks if (n := count_body_lines(f)) > 15} == {}


def test_a_package_says_in_one_line_what_it_is():
    inits = [path for path in SOURCES if path.name == "__init__.py"]
    assert {p for p in inits if len(p.read_text().splitlines()) != 1} == set()


def test_common_is_a_closed_list():
    found = {path.stem for path in (ROOT / "tasks/common").glob("*.py")} - {"__init__"}
    assert found <= COMMON


def test_no_module_is_a_drawer():
    assert {path for path in SOURCES if path.stem in FORBIDDEN_NAMES} == set()


def count_code_lines(path: Path) -> int:
    """Count lines with code: not blank, no comment, no docstring."""
    tree = ast.parse(path.read_text())
    quiet = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    with path.open("rb") as source:
        lines = {
            line
            for token in tokenize.tokenize(source.readline)
            if token.type not in (*quiet, tokenize.ENDMARKER, tokenize.ENCODING)
            for line in range(token.start[0], token.end[0] + 1)
        }
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def test_the_product_fits_in_12450_lines_of_code():
    assert sum(count_code_lines(path) for path in SOURCES) <= 12450


def test_a_flow_reads_as_a_story():
    told = (ast.If, ast.Try, ast.With, ast.For, ast.While)
    for path in (ROOT / "flows").glob("*.py"):
        for function in functions_of(path):
            if any("flow" in ast.dump(decorator) for decorator in function.decorator_list):
                assert not [node for node in ast.walk(function) if isinstance(node, told)]
