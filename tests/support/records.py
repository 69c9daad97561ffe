"""Reads records out of the embedded log's files while adtally runs, see stored_block.hpp."""

import contextlib
import json
from pathlib import Path

import lz4.block


def blocks_in(log):
    """The unpacked blocks in the bytes of a write-ahead log, newest first: see stored_block.hpp.
    One that lies there in two pieces is left out."""
    at = len(log)
    while (at := log.rfind(b"\x02\0\0\0", 0, at)) >= 6:
        # In front of it a checksum, and in front of that the length of all, as a varint.
        low, high = log[at - 6], log[at - 5]
        length = high if high < 0x80 and low < 0x80 else (low & 0x7F) | high << 7
        size = int.from_bytes(log[at + 4:at + 8], "little")
        with contextlib.suppress(lz4.block.LZ4BlockError, MemoryError):
            if size < 1 << 20:
                packed = log[at + 8:at - 4 + length]
                yield lz4.block.decompress(packed, uncompressed_size=size)


def stored_record(data_dir, begin, end):
    """The newest JSON record in the write-ahead log that begins and ends so. None when the log's
    file has it in two pieces, which is rare: then the next one is read."""
    for path in Path(data_dir).rglob("*.log"):
        for block in blocks_in(path.read_bytes()):
            _, found, rest = block.rpartition(begin)
            text, ended, _ = (found + rest).partition(end)
            if found and ended:
                return json.loads(text + ended)
    return None
