"""Recordings of a block device by device-mapper's `log-writes` target, and images of what a power cut may leave of it.

Owns the format of the recording (Linux, Documentation/admin-guide/device-mapper/log-writes.rst) and the model of a device with a volatile
write cache. Knows nothing of file systems or databases.

The model. A device keeps for sure what a completed flush covers and what was written with FUA. Of every other write it keeps, each by itself,
all, nothing, or some of its 512-byte sectors: a cache is destaged in any order, and power fails between two sectors of one write. `log-writes`
logs a plain write when the flush that covers it completes, so the entries between two flushes are exactly those that were in the cache.
"""

import dataclasses
import mmap
import os
import random
import struct

MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
SECTOR_BYTES = 512
# Of the writes in the cache this share is lost, and this share of the rest is torn. Guesses: high enough that no image is whole.
LOST_SHARE, TORN_SHARE = 0.5, 0.3


@dataclasses.dataclass
class Entry:
    """One write, flush or mark; `data_at` is where in the recording its bytes stand."""

    sector: int
    flags: int
    data_at: int
    data_bytes: int
    mark: str = ""


class Recording:
    """The entries of one recording, in the order in which the device completed them."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        magic, version, count, self.sector_bytes = struct.unpack("<QQQI", self._at(0, 28))
        if (magic, version) != (MAGIC, 1):
            raise ValueError(f"{path} is not a log-writes recording of version 1")
        self.entries = []
        at = self.sector_bytes
        for _ in range(count):
            sector, sectors, flags, mark_bytes = struct.unpack("<QQQQ", self._at(at, 32))
            entry = Entry(sector, flags, at + self.sector_bytes, 0)
            if flags & MARK:
                entry.mark = self._at(at + 32, mark_bytes).rstrip(b"\0").decode()
            elif not flags & DISCARD:
                entry.data_bytes = sectors * self.sector_bytes
            self.entries.append(entry)
            at += self.sector_bytes + entry.data_bytes

    def _at(self, at, length):
        data = self.bytes[at : at + length]
        if len(data) != length:
            raise ValueError(f"the recording ends at {at + len(data)}, in the midst of an entry")
        return data

    def data(self, entry):
        return self._at(entry.data_at, entry.data_bytes)

    def marks(self):
        """(index, text) of every mark."""
        return [(index, entry.mark) for index, entry in enumerate(self.entries) if entry.flags & MARK]

    def fullest_before_flush(self):
        """The entries that are flushes with the most writes in the cache before them: of all flushes the upper quarter."""
        cached, found = 0, []
        for index, entry in enumerate(self.entries):
            if entry.flags & FLUSH:
                found.append((cached, index))
                cached = 0
            cached += bool(entry.data_bytes) and not entry.flags & FUA
        return sorted(index for _, index in sorted(found)[-(len(found) + 3) // 4 :])


class Images:
    """Makes images at rising cuts: `base` holds what is durable at the newest cut and only ever moves forward."""

    def __init__(self, recording, base, device_bytes):
        self.recording, self.base = recording, base
        self.durable = 0  # entries below are in the base, or were FUA writes above it that are there too
        with open(base, "wb") as file:
            file.truncate(device_bytes)

    def cut(self, cut, seed, copy_to):
        """Writes the image of a power cut before entry `cut`; returns how many writes in the cache were kept, torn and lost."""
        entries = self.recording.entries
        flushes = [index for index in range(self.durable, cut) if entries[index].flags & FLUSH]
        # What was written with the flush itself is in the cache again, unless it was FUA.
        durable = flushes[-1] if flushes else self.durable
        assert durable >= self.durable, "cuts rise"
        with open(self.base, "r+b") as file:
            for entry in entries[self.durable : durable]:
                self._write(file, entry)
        self.durable = durable
        copy_sparse(self.base, copy_to)
        return self._write_cached(durable, cut, random.Random(seed), copy_to)

    def _write_cached(self, durable, cut, rng, path):
        kept = torn = lost = 0
        with open(path, "r+b") as file:
            for entry in self.recording.entries[durable:cut]:
                if not entry.data_bytes:
                    continue
                if entry.flags & FUA:
                    self._write(file, entry)
                elif rng.random() < LOST_SHARE:
                    lost += 1
                elif rng.random() < TORN_SHARE:
                    torn += 1
                    self._write_some_sectors(file, entry, rng)
                else:
                    kept += 1
                    self._write(file, entry)
        return {"kept": kept, "torn": torn, "lost": lost}

    def _write(self, file, entry):
        if entry.data_bytes:
            file.seek(entry.sector * self.recording.sector_bytes)
            file.write(self.recording.data(entry))

    def _write_some_sectors(self, file, entry, rng):
        data = self.recording.data(entry)
        first = entry.sector * self.recording.sector_bytes
        for at in range(0, len(data), SECTOR_BYTES):
            if rng.random() < 0.5:
                file.seek(first + at)
                file.write(data[at : at + SECTOR_BYTES])


def copy_sparse(source, target):
    """A copy in which holes stay holes: images are mostly hole, and one is made per cut."""
    with open(source, "rb") as reader, open(target, "wb") as writer:
        size = os.fstat(reader.fileno()).st_size
        writer.truncate(size)
        at = 0
        while at < size:
            try:
                at = os.lseek(reader.fileno(), at, os.SEEK_DATA)
            except OSError:  # ENXIO: nothing but hole from here on
                return
            end = os.lseek(reader.fileno(), at, os.SEEK_HOLE)
            while at < end:
                done = os.copy_file_range(reader.fileno(), writer.fileno(), end - at, at, at)
                assert done > 0, "a data extent is readable"
                at += done
