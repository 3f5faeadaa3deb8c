"""python -m tests.bench ingest [--json]."""

import json
import sys

from cyclopts import App
from rich.console import Console
from rich.table import Table

from tests.bench.ingest import measure_ingest

app = App(name="python -m tests.bench", help="Measure the pipeline; ratios within one run.")


@app.command
def ingest(*, rows: int = 1_000_000, repeats: int = 3, json: bool = False) -> None:
    """Compare extract and transform of JSONL with a bare Polars read of the same bytes.

    Args:
        rows: Rows to generate, in objects of 20,000.
        repeats: Runs of each, in turn; medians are printed.
        json: Print JSON.
    """
    show(measure_ingest(rows, repeats), as_json=json)


def show(figures: dict[str, float], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(figures, indent=1) + "\n")
        return
    table = Table("figure", "value")
    for name, value in figures.items():
        table.add_row(name, f"{value:,.3g}" if value < 1000 else f"{value:,.0f}")
    Console().print(table)


if __name__ == "__main__":
    app()
