"""Records of a JSON document on the disk, one by one, each with its original text.

A list is refused as a whole when it is broken: what follows the fault cannot be told apart. Of
JSON lines only the broken line is lost. Memory holds some MiB, whatever the document holds.
"""

import codecs
import json
import re
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO, Final, NamedTuple

from tasks.common.compression import decompress_chunks
from tasks.common.errors import CorruptObjectError, OversizedObjectError

_GAP: Final = re.compile(r"[\s,]*")
_DECODER: Final = json.JSONDecoder()
BROKEN: Final = object()
"""What a line that is no JSON says."""


class Record(NamedTuple):
    """One record.

    Attributes:
        number: its place in a list, or its line, from 1.
        raw: its original text; bytes that are no UTF-8 as lone surrogates (PEP 383).
        said: what it says; `BROKEN` if it is no JSON.
    """

    number: int
    raw: str
    said: object


def read_records(
    file: BinaryIO, max_bytes: int, max_record_bytes: int, *, key: str
) -> Iterator[Record]:
    """Give the records of a JSON list or of JSON lines; gz and zstd are told by the content.

    Raises:
        CorruptObjectError: damaged, cut short, or no JSON.
        OversizedObjectError: the content, or one record, is larger than allowed.
    """
    decode = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape").decode
    chunks = decompress_chunks(file, key=key, max_bytes=max_bytes)
    texts = map(decode, chunks)
    first = next((text for text in texts if text.strip()), "")
    read = _read_list if first.lstrip().startswith("[") else _read_lines
    for rest, found in read(first, texts, key):
        if len(rest) > max_record_bytes:
            msg = f"Object {key!r} has a record over {max_record_bytes} bytes: raise MAX_LINE_MIB."
            raise OversizedObjectError(msg)
        yield from found


_Step = tuple[str, list[Record]]
"""What is not understood yet, and what was understood."""


def _read_list(first: str, texts: Iterator[str], key: str) -> Iterator[_Step]:
    text, number = first.lstrip()[1:], 0
    while True:
        place, found = 0, []
        while True:
            gap = _GAP.match(text, place)
            place = gap.end() if gap else place
            try:
                said, end = _DECODER.raw_decode(text, place)
            except (ValueError, RecursionError):
                break
            if end == len(text):  # 12 may go on as 123
                break
            number += 1
            found.append(Record(number, text[place:end], said))
            place = end
        text = text[place:]
        yield text, found
        if text.startswith("]") or (following := next(texts, None)) is None:
            break
        text += following
    if text.strip() != "]" or any(more.strip() for more in texts):
        msg = (
            f"Object {key!r} is no whole JSON list: after record {number} stands "
            f"{text[:40]!r}; it was cut short or is being written, have it written anew."
        )
        raise CorruptObjectError(msg)


def _read_lines(first: str, texts: Iterator[str], _key: str) -> Iterator[_Step]:
    rest, number = "", 0
    for text in chain([first], texts, ["\n"]):
        *lines, rest = (rest + text).split("\n")
        numbered = enumerate(lines, number + 1)
        number += len(lines)
        yield rest, [Record(n, line, parse(line)) for n, line in numbered if line.strip()]


def parse(line: str) -> object:
    """Give what a text says, or `BROKEN`."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return BROKEN
