#!/usr/bin/python3
"""The checks find what they are for: small histories with one thing wrong each. Needs no cluster."""

import unittest

import invariants
from workloads import RC, RR


class FakeShared:
    def __init__(self):
        self.kinds = []

    def violation(self, kind, text):
        self.kinds.append(kind)


class FakeClient:
    def __init__(self, *history):
        self.history = list(history)


def transaction(who, start, operations, outcome="ok", level=RR, seconds=1.0):
    """Operations: ("a", key, value) and ("r", key, [values])."""
    ops = []
    for at, (kind, key, value) in enumerate(operations):
        name = {"a": "append", "r": "read"}[kind]
        moment = start + seconds * (at + 1) / (len(operations) + 2)
        ops.append([name, key, value, moment, moment])
    return {"who": who, "session": (who, 1), "level": level, "ops": ops, "outcome": outcome, "start": start, "end": start + seconds}


def check(final, *history):
    """Kinds of violations, given the final values of each key."""
    shared = FakeShared()
    rows = [(key, "".join(f",{value}" for value in values)) for key, values in final.items()]
    before, invariants.rows_of = invariants.rows_of, lambda cluster, statement: rows
    try:
        invariants.check_lists(None, shared, [FakeClient(*history)])
    finally:
        invariants.rows_of = before
    return set(shared.kinds)


class Lists(unittest.TestCase):
    def expect(self, kinds, final, *history):
        self.assertEqual(set(kinds), check(final, *history))

    def test_all_is_well(self):
        self.expect([], {1: [1, 2, 3], 2: [4]},
                    transaction("a", 0, [("a", 1, 1), ("a", 1, 2)]),
                    transaction("b", 0.5, [("r", 1, []), ("r", 2, [])]),
                    transaction("b", 2, [("r", 1, [1, 2]), ("a", 1, 3), ("r", 1, [1, 2, 3])]),
                    transaction("a", 4, [("a", 2, 4)], "maybe"),
                    transaction("a", 6, [("a", 2, 5)], "maybe"),
                    transaction("a", 8, [("a", 2, 6)], "no"))

    def test_lost(self):
        self.expect(["list-lost"], {1: []}, transaction("a", 0, [("a", 1, 1)]))

    def test_half_a_transaction(self):
        self.expect(["list-half"], {1: [1], 2: []}, transaction("a", 0, [("a", 1, 1), ("a", 2, 2)], "maybe"))

    def test_duplicate(self):
        self.assertIn("list-duplicate", check({1: [1, 1]}, transaction("a", 0, [("a", 1, 1)])))

    def test_of_an_aborted_one(self):
        self.expect(["list-aborted"], {1: [1]}, transaction("a", 0, [("a", 1, 1)], "no"))

    def test_aborted_read(self):
        self.expect(["list-prefix"], {1: []},
                    transaction("a", 0, [("a", 1, 1)], "no"), transaction("b", 2, [("r", 1, [1])]))

    def test_intermediate_read(self):
        self.assertIn("list-intermediate", check({1: [1, 2]},
                    transaction("a", 0, [("a", 1, 1), ("a", 1, 2)]), transaction("b", 0.5, [("r", 1, [1])])))

    def test_reordered(self):
        self.assertIn("list-prefix", check({1: [1, 2]}, transaction("a", 0, [("a", 1, 1)]),
                                           transaction("c", 0, [("a", 1, 2)]), transaction("b", 5, [("r", 1, [2, 1])])))

    def test_stale(self):
        self.expect(["list-stale"], {1: [1]}, transaction("a", 0, [("a", 1, 1)]), transaction("b", 2, [("r", 1, [])]))

    def test_backwards(self):
        self.assertIn("list-backwards", check({1: [1]}, transaction("a", 0, [("a", 1, 1)], seconds=9),
                                              transaction("b", 1, [("r", 1, [1])]), transaction("b", 3, [("r", 1, [])])))

    def test_unrepeatable(self):
        self.assertIn("list-unrepeatable", check({1: [1]}, transaction("a", 0, [("a", 1, 1)], seconds=9),
                                                 transaction("b", 1, [("r", 1, []), ("r", 1, [1])])))
        self.expect([], {1: [1]}, transaction("a", 0, [("a", 1, 1)], seconds=9),
                    transaction("b", 1, [("r", 1, []), ("r", 1, [1])], level=RC))

    def test_circular_information(self):
        self.assertIn("G1c", check({1: [1], 2: [2]}, transaction("a", 0, [("a", 1, 1), ("r", 2, [2])]),
                                   transaction("b", 0, [("a", 2, 2), ("r", 1, [1])])))

    def test_single_anti_dependency(self):
        # b sees a's append to key 2 and not the one to key 1, which was of the same transaction.
        history = [transaction("a", 0, [("a", 1, 1), ("a", 2, 2)], seconds=9)]
        read = [("r", 1, []), ("r", 2, [2])]
        self.expect(["G-single"], {1: [1], 2: [2]}, *history, transaction("b", 1, read))
        self.expect([], {1: [1], 2: [2]}, *history, transaction("b", 1, read, level=RC))

    def test_write_skew_is_allowed(self):
        self.expect([], {1: [1], 2: [2]}, transaction("a", 0, [("r", 2, []), ("a", 1, 1)]),
                    transaction("b", 0, [("r", 1, []), ("a", 2, 2)]))


if __name__ == "__main__":
    unittest.main()
