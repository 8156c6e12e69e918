"""The parts that judge, judged: a recording made by hand, and contents with one thing wrong each."""

import os
import struct
import tempfile
import unittest

import load
from recording import FLUSH, FUA, MAGIC, MARK, SECTOR_BYTES, Images, Recording

SECTORS = 64


def recording_of(directory, entries):
    """A recording of (sector, flags, bytes or mark)."""
    path = f"{directory}/log.img"
    with open(path, "wb") as file:
        file.write(struct.pack("<QQQI", MAGIC, 1, len(entries), SECTOR_BYTES).ljust(SECTOR_BYTES, b"\0"))
        for sector, flags, data in entries:
            mark = data if flags & MARK else b""
            written = b"" if flags & MARK else data
            head = struct.pack("<QQQQ", sector, len(written) // SECTOR_BYTES, flags, len(mark)) + mark
            file.write(head.ljust(SECTOR_BYTES, b"\0") + written)
    return Recording(path)


def block(letter, sectors=8):
    return letter.encode() * (sectors * SECTOR_BYTES)


class ImagesTest(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)

    def image(self, recording, cut, seed, images=None):
        images = images or Images(recording, f"{self.scratch.name}/base", SECTORS * SECTOR_BYTES)
        path = f"{self.scratch.name}/crash"
        images.cut(cut, seed, path)
        with open(path, "rb") as file:
            return file.read()

    def test_what_is_flushed_is_kept_by_every_seed(self):
        recording = recording_of(self.scratch.name, [(0, 0, block("a")), (8, 0, block("b")), (0, FLUSH, b""), (0, MARK, b"acked:1")])
        self.assertEqual(recording.marks(), [(3, "acked:1")])
        for seed in range(50):
            self.assertEqual(self.image(recording, 4, seed)[: 16 * SECTOR_BYTES], block("a") + block("b"))

    def test_what_is_not_flushed_is_kept_torn_or_lost_each_by_itself(self):
        recording = recording_of(self.scratch.name, [(0, 0, block("a")), (8, 0, block("b")), (0, FLUSH, b"")])
        seen = {self.image(recording, 2, seed) for seed in range(300)}
        whole = {(image[:4096] == block("a"), image[4096:8192] == block("b")) for image in seen}
        self.assertEqual(whole, {(False, False), (False, True), (True, False), (True, True)})
        torn = [image for image in seen if 0 < image[:4096].count(b"a") < 4096]
        self.assertTrue(torn)
        for image in torn:
            self.assertEqual(image[:4096].count(b"a") % SECTOR_BYTES, 0)

    def test_fua_is_kept_and_a_flush_covers_not_its_own_bytes(self):
        recording = recording_of(self.scratch.name, [(0, FUA, block("a")), (8, FLUSH, block("b"))])
        images = [self.image(recording, 2, seed) for seed in range(60)]
        self.assertTrue(all(image[:4096] == block("a") for image in images))
        self.assertTrue(any(image[4096:8192] != block("b") for image in images))

    def test_cuts_rise_over_one_base(self):
        recording = recording_of(
            self.scratch.name, [(0, 0, block("a")), (0, FLUSH, b""), (0, 0, block("b")), (0, FLUSH, b""), (8, FUA, block("c"))]
        )
        images = Images(recording, f"{self.scratch.name}/base", SECTORS * SECTOR_BYTES)
        self.assertEqual(self.image(recording, 2, 1, images)[:4096], block("a"))
        self.assertEqual(self.image(recording, 4, 1, images)[:4096], block("b"))
        self.assertEqual(self.image(recording, 5, 1, images)[4096:8192], block("c"))
        self.assertEqual(os.path.getsize(f"{self.scratch.name}/crash"), SECTORS * SECTOR_BYTES)


class LoadTest(unittest.TestCase):
    """`violations` against a stand-in that answers the four queries in order."""

    def contents(self, counts):
        history = [(c, s, *choice[:3], choice[3], choice[4]) for c in counts for s in range(1, counts[c] + 1) for choice in [load.choose(c, s)]]
        balances = {id: load.START_BALANCE for id in range(load.ACCOUNTS)}
        lists = {id: "" for id in range(load.LISTS)}
        for client, sequence, debit, credit, amount, list_id, _ in history:
            balances[debit] -= amount
            balances[credit] += amount
            lists[list_id] = lists[list_id][-load.LIST_CHARACTERS :] + load.entry(client, sequence)
        return history, balances, lists

    def violations(self, history, balances, lists, acked, attempted=9, by_index=None):
        answers = [history, sorted(balances.items()), sorted(lists.items()), [(len(history) if by_index is None else by_index,)]]

        class Stand:
            def __enter__(self):
                return self

            def __exit__(self, *_):
                pass

            def cursor(self):
                return self

            def execute(self, _sql):
                self.answer = answers.pop(0)

            def fetchall(self):
                return self.answer

            def fetchone(self):
                return self.answer[0]

        return load.violations(Stand(), [acked] * load.CLIENTS, [attempted] * load.CLIENTS)

    def test_contents(self):
        counts = {client: 5 for client in range(load.CLIENTS)}
        good = self.contents(counts)
        self.assertEqual(self.violations(*good, acked=5), [])
        self.assertEqual(self.violations(*good, acked=3), [])
        history, balances, lists = good
        self.assertTrue(self.violations(*good, acked=6), "lost")
        self.assertTrue(self.violations(*good, acked=4, attempted=4), "invented")
        self.assertTrue(self.violations(history[1:], balances, lists, acked=1), "a gap")
        self.assertTrue(self.violations(history, {**balances, 0: balances[0] + 1}, lists, acked=5), "half a transfer")
        self.assertTrue(self.violations(*good, acked=5, by_index=len(history) - 1), "an index that misses a row")
        longest = max(lists, key=lambda id: len(lists[id]))
        for text in (lists[longest] + ",0:77", lists[longest].rsplit(",", 1)[0]):
            self.assertTrue(self.violations(history, balances, {**lists, longest: text}, acked=5), f"list {text}")


if __name__ == "__main__":
    unittest.main()
