"""The page of costs adds up."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/explanation/costs.md"


def test_every_line_is_units_times_price_and_the_last_is_their_sum():
    text = PAGE.read_text()
    lines = re.findall(
        r"^\| [^|]+ \| ([\d,.]+)[^|]* \| ([\d.]+) \| ([\d.]+) \|$", text, re.MULTILINE
    )
    told = [float(euros) for _, _, euros in lines]
    assert len(told) > 10
    counted = [float(units.replace(",", "")) * float(price) * 0.92 for units, price, _ in lines]
    assert told == pytest.approx(counted, abs=0.01)
    together = re.search(r"\*\*together\*\* .* \*\*([\d.]+)\*\*", text)
    assert together
    assert float(together[1]) == pytest.approx(sum(told), abs=0.01)
