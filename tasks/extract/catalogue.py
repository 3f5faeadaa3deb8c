"""The declared sources: loaded, checked, and matched to object keys."""

import hashlib
import reprlib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from tasks.common.errors import ConfigurationError
from tasks.common.results import SourceFacts
from tasks.extract.declaration import Source

SHIPPED: Final = Path(__file__).with_name("sources")
"""Folder of the sources that come with the project."""


class _Loader(yaml.SafeLoader):
    """YAML that names no key twice; in Python, as libyaml crashes on ten thousand brackets."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if twice := [name for name in names if names.count(name) > 1]:
            msg = f"key {twice[0]!r} stands twice"
            raise yaml.MarkedYAMLError(problem=msg, problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


def load_sources(further: Path | None = None) -> dict[str, Source]:
    """Load the shipped sources and those of a further folder, which replace the same ids.

    Raises:
        ConfigurationError: a file is unreadable, or a key, unit, zone or variable is unknown;
            names file, key, value and remedy.
    """
    if further is not None and not further.is_dir():
        msg = f"SOURCES_DIR is {str(further)!r}, which is no folder; create it or unset it."
        raise ConfigurationError(msg)
    folders = [SHIPPED, *([further] if further else [])]
    sources = [load_source(path) for folder in folders for path in sorted(folder.glob("*.y*ml"))]
    return {source.id: source for source in sources}


def load_source(path: Path) -> Source:
    """Load one source.

    Raises:
        ConfigurationError: as `load_sources`.
    """
    try:
        declared = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506
        source = Source.model_validate(declared)
    except ValidationError as error:
        raise ConfigurationError(_explain(path, error)) from None
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        msg = f"Source file {path} is not readable YAML: {error}; correct it or take it away."
        raise ConfigurationError(" ".join(msg.split())) from None
    if source.id != path.stem:
        msg = f"Source file {path}: id is {source.id!r}; name the file {source.id}.yaml."
        raise ConfigurationError(msg)
    return source


def _explain(path: Path, error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(str(step) for step in first["loc"] if step != "[key]") or "the whole file"
    text = str(first["msg"]).removeprefix("Value error, ").rstrip(".")
    if first["type"] == "extra_forbidden":
        text = "is no key of the vocabulary; see docs/reference/sources.md"
    value = "" if first["type"] == "missing" else f"{reprlib.repr(first['input'])[:200]}: "
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"Source file {path}, key {where}: {value}{text}{more}."


def hash_source(source: Source) -> str:
    """Hash what decides the readings: a changed declaration makes its objects unread again."""
    told = source.model_dump_json(exclude_defaults=True, exclude={"licence"})
    return hashlib.sha256(told.encode()).hexdigest()


def match_source(key: str, sources: Iterable[Source]) -> Source | None:
    """Give the source of a key: of all that match, the one with the longest glob.

    Raises:
        ConfigurationError: two sources match by globs of equal length.
    """
    claims = sorted(
        ((length, source.id, source) for source in sources if (length := _measure(key, source))),
        key=lambda claim: claim[:2],
        reverse=True,
    )
    if len(claims) > 1 and claims[0][0] == claims[1][0]:
        msg = (
            f"Sources {claims[0][1]!r} and {claims[1][1]!r} both match object {key!r} by globs of "
            "the same length; make one of them longer."
        )
        raise ConfigurationError(msg)
    return claims[0][2] if claims else None


def _measure(key: str, source: Source) -> int:
    """Give the number of letters of the longest glob that matches the key or a tail of it."""
    folded, globs = f"/{key.casefold()}", [glob.casefold() for glob in source.match]
    matching = (glob for glob in globs if fnmatchcase(folded, f"*/{glob}"))
    return max((sum(letter not in "*?" for letter in glob) for glob in matching), default=0)


def give_facts(sources: Mapping[str, Source]) -> dict[str, SourceFacts]:
    """Give what later steps need to know of each source."""
    return {
        id_: SourceFacts(
            id=id_,
            network=source.network,
            revision=source.revision,
            step=source.step,
            units={name: rule.unit for name, rule in source.fields.items()},
            label=source.time.label,
            licence=source.licence,
        )
        for id_, source in sources.items()
    }
