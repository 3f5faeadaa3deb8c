"""Figures for people: tables of at most 100 columns."""

from collections.abc import Mapping
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table

WIDTH: Final = 100
HEADS: Final = {
    "smape": "sMAPE",
    "mape": "MAPE",
    "mase": "MASE",
    "owa": "OWA",
    "coverage80": "in 80",
    "coverage95": "in 95",
    "width80": "w 80",
    "width95": "w 95",
    "cpu_s": "CPU s",
    "series": "n",
}
"""By figure; sMAPE and MAPE in percent, `w` is the width, in units of MASE's scale."""


def render_figures(figures: Mapping[str, float]) -> Table:
    """Lay plain figures out, one a line."""
    table = Table("figure", "value")
    for name, value in figures.items():
        table.add_row(name, f"{value:,.3g}" if value < 1000 else f"{value:,.0f}")
    return table


def render_methods(told: Mapping[str, Any]) -> Group:
    """Lay methods out, one a line, in their order; below, what ours is worth."""
    methods: Mapping[str, Mapping[str, float | None]] = told["methods"]
    columns = list(next(iter(methods.values()), {}))
    title = f"{told['set']}: {told['series']} series"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("method", no_wrap=True)
    for name in columns:
        table.add_column(HEADS[name], justify="right", no_wrap=True)
    for method, row in methods.items():
        table.add_row(method, *(render_figure(name, row[name]) for name in columns))
    return Group(table, *render_remarks(told))


def render_figure(name: str, value: float | None) -> str:
    """Give one figure with the digits that it deserves; a dash when it is unknown."""
    if value is None:
        return "-"
    digits = {"series": 0, "mape": 2, "width80": 2, "width95": 2, "cpu_s": 2}.get(name, 3)
    return f"{value:.{digits}f}"


def render_remarks(told: Mapping[str, Any]) -> list[str]:
    """Tell ours' MASE against its rivals', and which series went without an answer."""
    remarks = []
    if "ratios" in told:
        prophet, naive = (
            render_figure("mase", told["ratios"][name])
            for name in ("mase_over_prophet", "mase_over_better_naive")
        )
        better = told["ratios"]["better_naive"]
        remarks.append(f"MASE of ours over prophet's {prophet}, over {better}'s {naive}")
    if ranges := told.get("ranges"):
        prophet, naive, inner, outer = (f"{low:.2f} to {high:.2f}" for low, high in ranges.values())
        remarks.append(f"95 % of the time, with origins drawn again: {prophet}, {naive};")
        remarks.append(f"in 80: {inner}, in 95: {outer}")
    for case_id, failures in told["failures"].items():
        remarks += [f"{case_id}: {method} failed: {why}" for method, why in failures.items()]
    return remarks


def show(rendered: object) -> None:
    """Print to standard output, never wider than 100 columns."""
    console = Console(highlight=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    console.print(rendered)
