"""Land simulated data in the lake of LAKE_URI, up to this hour: `python -m deployments.compose`.

Exit codes: 0 landed, 2 refused.
"""

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from deployments.local.demo import fill_lake
from tasks.common.errors import ConfigurationError, PipelineError
from tasks.common.objects import ObjectStore, open_store
from tasks.common.settings import load_settings


def land_demo(lake: ObjectStore, *, as_of: datetime) -> int:
    """Fill an empty lake with the demo's objects and give their number.

    Raises:
        ConfigurationError: the lake holds something; simulated and real data never meet.
    """
    if lake.list_objects():
        msg = f"Lake {lake.uri} is not empty: simulated data are landed in an empty one only."
        raise ConfigurationError(msg)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill_lake(folder, as_of=as_of)
        landed = sorted(path for path in (folder / "raw").rglob("*") if path.is_file())
        for path in landed:
            lake.put_if_absent(path.relative_to(folder).as_posix(), path.read_bytes())
    return len(landed)


def main() -> int:
    """Land the demo, and tell how much of it or why not."""
    settings = load_settings()
    as_of = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    try:
        count = land_demo(open_store(settings.lake_uri, settings), as_of=as_of)
    except PipelineError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(
        f"Landed {count} objects in {settings.lake_uri}, up to {as_of:%F %H:%M} UTC.\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
