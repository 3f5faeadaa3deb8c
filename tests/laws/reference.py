"""Reference pages made from the code: `python -m tests.laws.reference` writes them."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, get_args

from cyclopts import App
from pydantic import BaseModel

from flows import console, migration_console, status
from tasks.common.contracts import UNITS, VARIABLES
from tasks.common.settings import Settings
from tasks.extract import __main__ as extract_console
from tasks.extract.declaration import Source

FOLDER = Path(__file__).parents[2] / "docs/reference"

SOURCES_HEAD = """# Source vocabulary

One YAML file declares one source. The shipped ones are in `tasks/extract/sources/`; a folder named
by `SOURCES_DIR` adds others, and replaces a shipped one of the same id. An unknown key, unit, zone,
variable or decoder is refused at start, by file, key and value.
[How to add a source](../how-to/add-a-source.md) goes through one. This page is made from the code.
"""


CONFIGURATION_HEAD = """# Configuration

Every setting is an environment variable, or a line of `.env` in the working directory. An empty
value counts as unset; a value that breaks its rule ends the command with exit code 2. This page is
made from the code, as is [env.example](../../env.example).
"""

CONFIGURATION_TAIL = """
## Variables of others

| variable | meaning |
|---|---|
| `PREFECT_API_URL` | The Prefect server. Unset: a temporary one for each run. |
| `PREFECT_API_KEY`, `PREFECT_API_AUTH_STRING` | Its credentials: Prefect Cloud, or a server. |
| `PREFECT_LOGGING_HANDLERS_CONSOLE_FORMATTER=json` | Logs as JSON, one object a line. |
| `PREFECT_LOGGING_LEVEL` | `INFO` by default; `DEBUG`, `WARNING`, `ERROR`. |
| `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` | Where neither profile nor role serves. |
| `COLUMNS` | Width of the terminal, where it is not told. |
| `TMPDIR` | Where readings are spilled between the steps. |

## Metrics

With `METRICS` on, a run writes JSON lines in CloudWatch's
[Embedded Metric Format](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html)
to standard output: namespace `ForecastPipeline`, dimensions `env` (`ENVIRONMENT`) and `cluster`.

| metric | unit | meaning |
|---|---|---|
| `run_success` | Count | 1 COMPLETED or DEGRADED, else 0; once a run, of either flow |
| `duration` | Seconds | from the start of the flow to its end |
| `published` | Count | 1 if readers are given this run |
| `read`, `kept`, `rejected` | Count | records of the objects that this run read |
| `error_rate` | Percent | rejected of read |
| `series_model`, `series_fallback`, `series_stale`, `series_withheld` | Count | series by status |
| `skill` | Percent | against the better naive in the backtest, a value per series |
| `coverage80`, `coverage95` | Percent | of the backtest inside the interval, a value per series |

A run that ends before it has a report has the first two. The others of a migration begin with
`migration_`: `migration_duration`, `_read`, `_kept`, `_rejected` and `_error_rate`.
"""

COMMANDS_HEAD = """# Commands

Run them by the `python` of the environment, `.venv/bin/python`. Exit codes, where a command says
nothing else: 0 COMPLETED, 3 DEGRADED, 1 FAILED, 2 wrong usage or configuration. This page is made
from the code; `--help` says the same.
"""

APPS: Final = (console.app, migration_console.app, status.app, extract_console.app)


def render_sources() -> str:
    """Give the page: every key of every block, then variables and units."""
    parts = [SOURCES_HEAD, *(render_model(model) for model in walk_models(Source))]
    parts.append("## Variables\n\n| variable | unit | possible | forecast |\n|---|---|---|---|")
    parts[-1] += "".join(
        f"\n| `{name}` | {v.unit} | {v.low:g} to {v.high:g} | {'yes' if v.forecast else ''} |"
        for name, v in VARIABLES.items()
    )
    by_dimension: dict[str, list[str]] = {}
    for name, unit in UNITS.items():
        by_dimension.setdefault(unit.dimension, []).append(f"`{name}`")
    parts.append("\n## Units\n\n| measures | units |\n|---|---|")
    parts[-1] += "".join(
        f"\n| {what} | {', '.join(names)} |" for what, names in by_dimension.items()
    )
    return "\n".join(parts) + "\n"


def walk_models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield a model and those it holds, each once, outermost first."""
    waiting, seen = [model], set()
    while waiting:
        one = waiting.pop(0)
        if one not in seen:
            seen.add(one)
            yield one
            waiting += [
                held for f in one.model_fields.values() for held in find_models(f.annotation)
            ]


def find_models(annotation: object) -> Iterator[type[BaseModel]]:
    """Yield the models inside a type."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from find_models(argument)


def render_model(model: type[BaseModel]) -> str:
    """Give one table: key, whether it must be there, meaning."""
    title = "The file" if model is Source else model.__name__.removesuffix("Rule")
    lines = [f"## {title}\n", *(model.__doc__ or "").strip().split("\n    ")]
    lines += ["\n| key | needed | meaning |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        meaning = " ".join((field.description or "").split()).replace("|", "\\|")
        lines.append(f"| `{name}` | {'yes' if field.is_required() else ''} | {meaning} |")
    return "\n".join(lines) + "\n"


def render_configuration() -> str:
    """Give the page: every setting in the order of env.example."""
    rules = Settings.model_json_schema()["properties"]
    lines = [CONFIGURATION_HEAD, "| variable | default | values | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f"`{field.default}`"
        examples = "".join(f" Example: `{example}`." for example in field.examples or ())
        meaning = f"{field.description}{examples}".replace("|", "\\|")
        lines.append(f"| `{name.upper()}` | {default} | {tell_rule(rules[name])} | {meaning} |")
    return "\n".join(lines) + "\n" + CONFIGURATION_TAIL


def tell_rule(rule: dict[str, Any]) -> str:
    """Tell in words what a JSON schema allows."""
    rule = rule | rule.get("anyOf", [{}])[0]
    if "enum" in rule:
        return ", ".join(f"`{value}`" for value in rule["enum"])
    if "pattern" in rule:
        return f"`{rule['pattern']}`".replace("|", "\\|")
    words = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to"}
    bounds = [f"{word} {rule[key]:g}" for key, word in words.items() if key in rule]
    return " ".join([{"string": "text"}.get(rule["type"], rule["type"]), *bounds])


def render_commands() -> str:
    """Give the page: every command with its options, as cyclopts knows them."""
    return "\n".join([COMMANDS_HEAD, *map(render_app, APPS)])


def render_app(app: App) -> str:
    """Give a command and its subcommands, without the contents that cyclopts adds."""
    page = app.generate_docs(heading_level=2)
    page = re.sub(
        r"(## Table of Contents|\*\*Commands\*\*:)\n.*?(?=\n\n\*\*|\n\n#)",
        "",
        page,
        flags=re.DOTALL,
    )
    # Of a usage line cyclopts takes the module from the program that runs now.
    usage = rf"^({re.escape(app.name[0])}[\w ]*?) -m [\w.]+"
    page = re.sub(usage, r"\1", page, flags=re.MULTILINE).replace(" *[default: False]*", "")
    page = re.sub(r"\*\[(\w+): (.*?)\]\*(?= |$)", r"(\1 `\2`)", page, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", page).strip() + "\n"


PAGES: Final[dict[str, Callable[[], str]]] = {
    "sources.md": render_sources,
    "configuration.md": render_configuration,
    "commands.md": render_commands,
}

if __name__ == "__main__":
    for name, render in PAGES.items():
        (FOLDER / name).write_text(render())
