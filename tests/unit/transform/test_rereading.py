"""An object that is read anew, by a repaired declaration, is known by its newest reading alone."""

from dataclasses import replace
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest

from tasks.common.accounts import Tally
from tasks.common.contracts import QUARANTINE
from tasks.common.manifests import read_manifests
from tasks.common.objects import ObjectStore
from tasks.common.results import Extracted, Transformed
from tasks.transform.history import choose_files
from tests.unit.transform.given import (
    AS_OF,
    FACTS,
    Landed,
    at,
    every,
    extracted,
    new_store,
    readings,
    run,
    series,
)

HUMIDITY = "wu:A:relative_humidity"


def land(key: str, start: str, value: float) -> Landed:
    """Land four hours; single ones would not tell the rhythm of their station."""
    instants = every(60, 4, start=start)
    return Landed(key, readings(instants, {"relative_humidity": [value] * 4}))


def declared(given: Extracted, source_hash: str, *, etag: str = "e1") -> Extracted:
    changed = (replace(one, source_hash=source_hash, etag=etag) for one in given.objects)
    return replace(given, objects=tuple(changed))


def hours(made: Transformed) -> dict[datetime, float]:
    return dict(series(made, HUMIDITY).drop_nulls().iter_rows())


def held(start: str, value: float) -> dict[datetime, float]:
    return dict.fromkeys(every(60, 4, start=start), value)


def read_revs(store: ObjectStore) -> list[str]:
    keys = [ref for ref in store.list_objects() if ref.key.endswith(".parquet")]
    return [pl.read_parquet(BytesIO(store.get_object(ref)))["rev"][0] for ref in keys]


@pytest.mark.parametrize("again", ["a later week", "the same issue time"])
def test_a_repaired_zone_leaves_nothing_at_the_old_instants(tmp_path: Path, again: str):
    store = new_store()
    run(extracted(tmp_path, land("a", "10-31 22:00", 50)), store)
    as_of = AS_OF + timedelta(days=7 if again == "a later week" else 0)
    moved = extracted(tmp_path, land("a", "10-31 20:00", 50), as_of=as_of)
    made = run(declared(moved, "h2"), store)
    expected = held("10-31 20:00", 50)
    assert hours(made) == expected
    assert hours(run(replace(moved, objects=(), parts=()), store)) == expected


def test_what_a_later_reading_left_out_of_a_shared_file_is_gone_and_the_rest_stays(tmp_path: Path):
    store = new_store()
    both = extracted(tmp_path, land("a", "10-07 00:00", 50), land("b", "10-07 05:00", 60))
    run(both, store)
    made = run(declared(extracted(tmp_path, land("a", "09-07 00:00", 50)), "h2"), store)
    assert hours(made) == held("09-07 00:00", 50) | held("10-07 05:00", 60)
    (shared, fresh) = (file for month in ("10", "09") for file in made.files if month in file.month)
    assert (shared.withdrawn, shared.is_void, fresh.withdrawn) == (("a",), False, ())


def test_a_month_whose_rows_were_all_withdrawn_from_a_shared_manifest_is_empty(tmp_path: Path):
    store = new_store()
    run(extracted(tmp_path, land("a", "08-07 00:00", 50), land("b", "10-07 05:00", 60)), store)
    made = run(declared(extracted(tmp_path, land("a", "09-07 00:00", 50)), "h2"), store)
    assert hours(made) == held("09-07 00:00", 50) | held("10-07 05:00", 60)


def test_what_is_left_of_a_file_is_judged_by_itself(tmp_path: Path):
    store = new_store()
    # Half an hour before and after it, `a` says something else: each hour of `b` is a spike.
    around = readings(every(60, 5, start="10-07 01:30"), {"relative_humidity": [5.0] * 5})
    mixed = extracted(tmp_path, Landed("a", around), land("b", "10-07 02:00", 99))
    assert run(mixed, store).series["suspect"].sum() > 0
    made = run(declared(extracted(tmp_path, land("a", "09-07 00:00", 50)), "h2"), store)
    assert made.series["suspect"].sum() == 0
    assert hours(made) == held("09-07 00:00", 50) | held("10-07 02:00", 99)


def test_a_file_of_which_nothing_counts_is_not_even_looked_at(tmp_path: Path):
    store = new_store()
    (void,) = run(extracted(tmp_path, land("a", "10-07 00:00", 50)), store).files
    made = run(declared(extracted(tmp_path, land("a", "09-07 00:00", 50)), "h2"), store)
    (told,) = (file for file in made.files if file.key == void.key)
    assert told.is_void
    assert void.key not in [file.key for file in choose_files(made.files, {"wu": FACTS}, AS_OF)]


def test_other_bytes_under_the_same_key_do_not_erase_what_it_held_before(tmp_path: Path):
    store = new_store()
    run(extracted(tmp_path, land("latest", "10-07 00:00", 50)), store)
    later = declared(extracted(tmp_path, land("latest", "10-07 02:00", 61)), "h1", etag="e2")
    assert hours(run(later, store)) == held("10-07 00:00", 50) | held("10-07 02:00", 61)


def test_an_object_that_cannot_be_read_any_more_withdraws_nothing(tmp_path: Path):
    store = new_store()
    given = extracted(tmp_path, land("a", "10-07 00:00", 50))
    run(given, store)
    lost = replace(given.objects[0], status="quarantined", source_hash="h2", sha256=None)
    made = run(replace(given, parts=(), objects=(lost,)), store)
    assert hours(made) == held("10-07 00:00", 50)


def test_every_manifest_raises_the_version_and_a_retry_does_not(tmp_path: Path):
    store = new_store()
    given = extracted(tmp_path, land("a", "10-07 00:00", 50))
    # Issued earlier, written later: the order of writing counts.
    again = extracted(tmp_path, land("a", "10-07 00:00", 51), as_of=AS_OF - timedelta(days=7))
    made = [run(one, store) for one in (given, declared(again, "h2"), given)]
    assert [hours(one) for one in made] == [held("10-07 00:00", n) for n in (50, 51, 51)]
    assert [m.sequence for m in read_manifests(store)] == [1, 2]
    assert sorted(rev.rpartition("|")[2] for rev in read_revs(store)) == ["000001", "000002"]
    assert len(made[2].files) == 2


def test_a_run_that_another_one_overtook_leaves_no_conflict_behind(tmp_path: Path):
    whole, store = new_store(), new_store()
    given = extracted(tmp_path, land("a", "10-07 00:00", 50))
    run(given, whole)
    orphan = next(ref for ref in whole.list_objects() if ref.key.endswith(".parquet"))
    store.put_if_absent(orphan.key, whole.get_object(orphan))
    run(extracted(tmp_path, land("b", "10-08 00:00", 60)), store)
    assert hours(run(given, store)) == held("10-07 00:00", 50) | held("10-08 00:00", 60)


def test_an_object_that_is_readable_on_the_second_try_is_another_input(tmp_path: Path):
    store = new_store()
    given = extracted(tmp_path, land("a", "10-07 00:00", 50))
    refused = pl.DataFrame(
        [("unreadable_object", "a", "e1", "wu", None, None, "503", None)],
        schema=QUARANTINE,
        orient="row",
    )
    lost = replace(given.objects[0], status="quarantined", sha256=None, tally=Tally())
    first = run(replace(given, parts=(), objects=(lost,), quarantine=refused), store)
    second = run(given, store)
    assert first.manifest_key != second.manifest_key
    assert hours(second) == held("10-07 00:00", 50)


def with_rejections(given: Extracted, tally: Tally) -> Extracted:
    return replace(given, objects=tuple(replace(one, tally=tally) for one in given.objects))


def test_the_week_remembers_rejections_that_this_run_did_not_read(tmp_path: Path):
    store = new_store()
    nothing = extracted(tmp_path)
    tally = Tally(5, 4, 0, 0, {"bad_json": 1})
    given = with_rejections(extracted(tmp_path, land("a", "10-07 00:00", 50)), tally)
    assert run(given, store).week == tally
    again = run(nothing, store)
    assert (again.tally, again.week) == (Tally(), tally)
    # Wednesday 22:00 in Paris; Monday of the next week begins at 23:00 UTC on Sunday.
    assert run(replace(nothing, as_of=at("11-10 22:59")), store).week == tally
    assert run(replace(nothing, as_of=at("11-10 23:00")), store).week == Tally()


def test_a_repaired_reading_counts_in_place_of_the_one_before(tmp_path: Path):
    store = new_store()
    landed = land("a", "10-07 00:00", 50)
    bad, good = Tally(5, 4, 0, 0, {"bad_json": 1}), Tally(4, 4)
    run(with_rejections(extracted(tmp_path, landed), bad), store)
    repaired = declared(with_rejections(extracted(tmp_path, landed), good), "h2")
    assert run(repaired, store).week == good


def test_the_week_of_a_dry_run_holds_what_it_read(tmp_path: Path):
    given = extracted(tmp_path, land("a", "10-07 00:00", 50), dry_run=True)
    assert run(given).week == Tally(4, 4)
