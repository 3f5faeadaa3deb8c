"""A profile of somebody whose AWS is a moto server."""

from pathlib import Path

from tests.fixtures.object_servers import ACCESS_KEY, REGION, SECRET_KEY


def write_profile(folder: Path, endpoint: str) -> dict[str, str]:
    """Write the profile `default` of somebody whose AWS is a moto server; give what names it."""
    (folder / "credentials").write_text(
        f"[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    )
    (folder / "config").write_text(f"[default]\nregion = {REGION}\n")
    return {
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
    }
