"""A run that needs somebody says why, where and of what, and takes no orders from the data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.common.errors import ConfigurationError
from tasks.common.objects import open_store
from tasks.common.settings import Settings
from tasks.report.trouble import Trouble, find_trouble, render_trouble, write_notice
from tests.unit.report.results_of_a_run import HOSTILE
from tests.unit.report.test_summary import tell


def fail() -> BaseException:
    with pytest.raises(ConfigurationError) as caught:
        open_store("ftp://somewhere", Settings())
    return caught.value


def test_a_verdict_names_the_series_and_objects_concerned():
    trouble = find_trouble(tell(), None, "")
    assert trouble.cause.startswith("DEGRADED: 3.00 %")
    assert [name for name, _ in trouble.concerned] == [HOSTILE, "raw/[b].gz", "raw/a.jsonl"]


def test_an_error_is_told_with_the_line_it_came_from():
    trouble = find_trouble(None, fail(), "")
    assert "ftp://somewhere" in trouble.cause
    assert trouble.place.startswith("tasks/common/objects.py:")
    assert "It concerns the whole run" in render_trouble(trouble)


def test_a_run_that_was_interrupted_is_told_in_the_words_of_prefect():
    assert find_trouble(None, KeyboardInterrupt(), "It was aborted.").cause == "It was aborted."


def test_a_password_in_an_error_is_not_told():
    error = OSError("no answer from mongodb://user:secret@mongo-1/")
    assert "secret" not in str(find_trouble(None, error, ""))


@given(st.text())
def test_a_notice_calls_nobody_and_fills_in_nothing(name: str):
    notice = write_notice(
        Trouble("cause", concerned=((name, "<!channel> @everyone {{key}}"),)), None
    )
    assert not set("<>@`{}") & set(notice)
    assert len(notice.splitlines()) == 2


def test_a_long_list_is_cut_and_says_so():
    trouble = Trouble("cause", concerned=(("a", "b"),) * 23)
    assert "And 3 more." in render_trouble(trouble)
    assert write_notice(trouble, "https://prefect/runs/1").endswith(
        "And 3 more.\nhttps://prefect/runs/1"
    )
