"""What a run stands on where nothing can be written: nothing, and it says so."""

from pathlib import Path

import pytest

from deployments.local.ground import prepared_ground
from tasks.common.errors import ConfigurationError


@pytest.mark.parametrize(
    ("lake_uri", "said"),
    [
        (".local/lake", "LAKE_URI is not set, and no demo lake can be written to"),
        ("lake", "MONGODB_URI is not set, and an embedded MongoDB cannot write to"),
    ],
)
def test_where_nothing_can_be_written_one_sentence_names_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lake_uri: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".local").touch()  # no folder can be made below a file, not even by root
    monkeypatch.setenv("LAKE_URI", lake_uri)
    ground = prepared_ground(None, dry_run=False, say=lambda _: None)
    with pytest.raises(ConfigurationError, match=said), ground:
        pass
