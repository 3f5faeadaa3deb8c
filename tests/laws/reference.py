"""Reference pages made from the code: `python -m tests.laws.reference` writes them."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from pydantic import BaseModel

from tasks.common.contracts import UNITS, VARIABLES
from tasks.extract.declaration import Source

PAGE = Path(__file__).parents[2] / "docs/reference/sources.md"

HEAD = """# Source vocabulary

One YAML file declares one source. The shipped ones are in `tasks/extract/sources/`; a folder named
by `SOURCES_DIR` adds others, and replaces a shipped one of the same id. An unknown key, unit, zone,
variable or decoder is refused at start, by file, key and value.
[How to add a source](../how-to/add-a-source.md) goes through one. This page is made from the code.
"""


def render_page() -> str:
    """Give the page: every key of every block, then variables and units."""
    parts = [HEAD, *(render_model(model) for model in walk_models(Source))]
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
        meaning = (field.description or "").replace("|", "\\|")
        lines.append(f"| `{name}` | {'yes' if field.is_required() else ''} | {meaning} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(render_page())
