"""Where a forecast comes from stands beside it, and never makes it another forecast."""

from dataclasses import replace

import polars as pl

from tasks.common.mongo import Document
from tasks.common.settings import Settings
from tasks.upsert.documents import forecast_documents, hash_document
from tests.unit.upsert.frames import forecasted, transformed

DIGEST = f"sha256:{'0' * 64}"


def provide(settings: Settings) -> dict[str, Document]:
    counts = pl.DataFrame({"expected": [48, 144], "present": [47, 140], "gaps": [1, 4]})
    history = replace(transformed(), series=transformed().series.hstack(counts))
    forecast = replace(forecasted(), configuration={"seed": "7"})
    told = forecast_documents(history, forecast, settings=settings)
    return {document["series_id"]: document for document in told}


def test_every_forecast_tells_its_data_and_what_computed_it():
    settings = Settings(git_sha="abc", image="forecast:v1", image_digest=DIGEST)
    demand = provide(settings)["rte:32:electricity_demand"]
    assert demand["data"] == {"expected": 48, "present": 47, "gaps": 1}
    assert demand["provenance"].pop("python").startswith("3.")
    assert demand["provenance"] == {
        "git_sha": "abc", "image": "forecast:v1", "image_digest": DIGEST, "seed": "7",
    }  # fmt: skip


def test_another_image_or_revision_is_the_same_forecast():
    here, there = provide(Settings(git_sha="a")), provide(Settings(git_sha="b", image="x:2"))
    assert here != there
    assert [hash_document(d) for d in here.values()] == [hash_document(d) for d in there.values()]
    assert all(d["hash"] == hash_document(d) for d in here.values())
