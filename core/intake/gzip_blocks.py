"""A file in blocks, plain or gzip."""

import hashlib
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

from core.csv.records import BLOCK
from core.errors import NotPossible


def read_blocks(file: BinaryIO, name: str, digest: "hashlib._Hash", advance: Callable[[int], None]) -> Iterator[bytes]:
    """Read a file in blocks, unpacked where it is gzip; the digest is that of the file as it is."""
    unpack = None
    is_first = True
    while block := _read(file, name):
        digest.update(block)
        advance(len(block))
        if is_first and block.startswith(b"\x1f\x8b"):
            unpack = zlib.decompressobj(wbits=31)
        is_first = False
        if unpack is None:
            yield block
            continue
        while block:
            try:
                data = unpack.decompress(block)
            except zlib.error:
                raise NotPossible(f"{name} is no whole gzip file: get it again.") from None
            if data:
                yield data
            # A gzip file may have several members.
            block = unpack.unused_data
            if unpack.eof and block:
                unpack = zlib.decompressobj(wbits=31)
            elif not unpack.eof:
                break
    if unpack is not None and not unpack.eof:
        raise NotPossible(f"{name} is cut: the end of the gzip file is missing. Get it again.")


def _read(file: BinaryIO, name: str) -> bytes:
    try:
        return file.read(BLOCK)
    except OSError as error:
        raise NotPossible(f"{name} cannot be read: {error.strerror}.") from None
