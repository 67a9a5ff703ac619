"""Bytes in blocks, plain or gzip; what a block unpacks to comes in blocks of the same size, however much it is."""

import hashlib
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

from core.csv.records import BLOCK
from core.errors import NotPossible

_GZIP = b"\x1f\x8b"


class CutGzip(Exception):
    """Bytes that are no gzip file, or only the beginning of one (`is_broken` is false then)."""

    def __init__(self, *, is_broken: bool) -> None:
        super().__init__()
        self.is_broken = is_broken


def read_blocks(file: BinaryIO, name: str, digest: "hashlib._Hash", advance: Callable[[int], None]) -> Iterator[bytes]:
    """Read a file in blocks, unpacked where it is gzip; the digest is that of the file as it is.

    Raises `NotPossible` where the file cannot be read to its end.
    """
    blocks = _read(file, name, digest, advance)
    first = next(blocks, b"")
    if not first.startswith(_GZIP):
        yield first
        yield from blocks
        return
    try:
        yield from unpack(_chain(first, blocks))
    except CutGzip as fault:
        if fault.is_broken:
            raise NotPossible(f"{name} is no whole gzip file: get it again.") from None
        raise NotPossible(f"{name} is cut: the end of the gzip file is missing. Get it again.") from None


def unpack(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack gzip (RFC 1952), which may have several members, in blocks of at most `BLOCK` bytes. Raises `CutGzip`.

    Zeros after a member are left out, as gzip(1) does: what writes whole blocks, as tapes do, fills the last one up.
    """
    member = zlib.decompressobj(wbits=31)
    for block in blocks:
        rest = block
        while rest:
            if member.eof:
                rest = rest.lstrip(b"\0")
                if not rest:
                    break
                member = zlib.decompressobj(wbits=31)
            try:
                data = member.decompress(rest, BLOCK)
            except zlib.error:
                raise CutGzip(is_broken=True) from None
            if data:
                yield data
            rest = member.unused_data if member.eof else member.unconsumed_tail
    if not member.eof:
        raise CutGzip(is_broken=False)


def _chain(first: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from blocks


def _read(file: BinaryIO, name: str, digest: "hashlib._Hash", advance: Callable[[int], None]) -> Iterator[bytes]:
    while True:
        try:
            block = file.read(BLOCK)
        except OSError as error:
            raise NotPossible(f"{name} cannot be read: {error.strerror}.") from None
        if not block:
            return
        digest.update(block)
        advance(len(block))
        yield block
