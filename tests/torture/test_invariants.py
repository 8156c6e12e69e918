#!/usr/bin/python3
"""The checks find what they are for: small histories with one thing wrong each. Needs no cluster."""

import unittest

import invariants
from workloads import RC, RR, SER


class FakeShared:
    def __init__(self):
        self.kinds, self.write_skews = [], 0

    def violation(self, kind, text):
        self.kinds.append(kind)


class FakeClient:
    def __init__(self, *history):
        self.history = list(history)


def transaction(who, start, operations, outcome="ok", level=RR, seconds=1.0):
    """Operations: ("a", key, value) and ("r", key, [values]) of lists; ("w", key, value, replaced) and
    ("l", (from, to, shelf), {key: (value, replaced)}) of registers."""
    ops = []
    for at, (kind, key, value, *more) in enumerate(operations):
        name = {"a": "append", "r": "read", "w": "write", "l": "look"}[kind]
        moment = start + seconds * (at + 1) / (len(operations) + 2)
        ops.append([name, key, value, moment, moment, *more])
    return {"who": who, "session": (who, 1), "level": level, "ops": ops, "outcome": outcome, "start": start, "end": start + seconds}


def run_check(checker, rows, history):
    shared = FakeShared()
    before, invariants.rows_of = invariants.rows_of, lambda cluster, statement: rows
    try:
        checker(None, shared, [FakeClient(*history)])
    finally:
        invariants.rows_of = before
    return shared


def check(final, *history):
    """Kinds of violations, given the final values of each list."""
    rows = [(key, "".join(f",{value}" for value in values)) for key, values in final.items()]
    return set(run_check(invariants.check_lists, rows, history).kinds)


def check_registers(final, *history):
    """The same, given what each register holds and what that has replaced."""
    rows = [(key, *row) for key, row in final.items()]
    return set(run_check(invariants.check_registers, rows, history).kinds)


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

    def test_each_transaction_is_held_to_its_own_level(self):
        def skew(one, other):
            return (transaction("a", 0, [("r", 2, []), ("a", 1, 1)], level=one),
                    transaction("b", 0, [("r", 1, []), ("a", 2, 2)], level=other))

        self.expect([], {1: [1], 2: [2]}, *skew(RR, RR))
        self.expect([], {1: [1], 2: [2]}, *skew(SER, RR))
        self.expect(["G2"], {1: [1], 2: [2]}, *skew(SER, SER))
        for level, count in ((RR, 2), (RC, 0), (SER, 0)):
            shared = run_check(invariants.check_lists, [(1, ",1"), (2, ",2")], skew(level, level))
            self.assertEqual(shared.write_skews, count)


class Registers(unittest.TestCase):
    def expect(self, kinds, final, *history):
        self.assertEqual(set(kinds), check_registers(final, *history))

    def test_all_is_well(self):
        self.expect([], {1: (6, 5), 2: (8, 0)},
                    transaction("a", 0, [("w", 1, 5, 0), ("w", 1, 6, 5)]),
                    transaction("b", 2, [("l", (0, 9, None), {1: (6, 5)}), ("w", 2, 8, 0), ("l", (2, 3, None), {2: (8, 0)})]),
                    transaction("a", 4, [("w", 1, 7, 6)], "no"),
                    transaction("c", 6, [("l", (0, 9, 2), {2: (8, 0)}), ("l", (0, 9, 1), {1: (6, 5)})], level=SER))

    def test_lost(self):
        self.assertIn("register-lost", check_registers({1: (6, 0)}, transaction("a", 0, [("w", 1, 5, 0)]), transaction("b", 0, [("w", 1, 6, 0)])))
        self.assertIn("register-final", check_registers({1: (5, 0)}, transaction("a", 0, [("w", 1, 5, 0)]), transaction("b", 2, [("w", 1, 6, 5)])))
        self.assertIn("register-final", check_registers({}, transaction("a", 0, [("w", 1, 5, 0)])))

    def test_no_order(self):
        self.assertIn("register-chain", check_registers({1: (6, 7)}, transaction("a", 0, [("w", 1, 6, 7)])))
        self.assertIn("register-replaced", check_registers({1: (6, 0)}, transaction("a", 0, [("w", 1, 6, 7)])))
        self.assertIn("register-unknown", check_registers({1: (6, 0)}, transaction("a", 0, [("l", (0, 9, None), {1: (6, 0)})])))

    def test_of_an_aborted_one(self):
        self.assertIn("register-aborted", check_registers({1: (6, 5)}, transaction("a", 0, [("w", 1, 5, 0)], "no"), transaction("b", 2, [("w", 1, 6, 5)])))

    def test_half_a_transaction(self):
        self.expect(["register-half"], {1: (5, 0)}, transaction("a", 0, [("w", 1, 5, 0), ("w", 2, 6, 0)], "maybe"))

    def test_reads(self):
        writes = transaction("a", 0, [("w", 1, 5, 0), ("w", 1, 6, 5)], seconds=9)
        for kind, operations in (
            ("register-intermediate", [("l", (1, 2, None), {1: (5, 0)})]),
            ("register-unrepeatable", [("l", (1, 2, None), {}), ("l", (0, 9, 1), {1: (6, 5)})]),
            ("register-asked", [("l", (0, 9, 2), {1: (6, 5)})]),
            ("register-own", [("w", 2, 7, 0), ("l", (2, 3, None), {})]),
        ):
            final = {1: (6, 5), 2: (7, 0)} if kind == "register-own" else {1: (6, 5)}
            self.assertIn(kind, check_registers(final, writes, transaction("b", 1, operations)), kind)
        self.expect(["list-stale"], {1: (6, 5)}, dict(writes, end=1), transaction("b", 2, [("l", (1, 2, None), {})]))

    def test_each_transaction_is_held_to_its_own_level(self):
        writes = transaction("a", 0, [("w", 1, 5, 0), ("w", 2, 6, 0)], seconds=9)
        halves = [("l", (1, 2, None), {}), ("l", (2, 3, None), {2: (6, 0)})]
        final = {1: (5, 0), 2: (6, 0)}
        self.expect(["G-single"], final, writes, transaction("b", 1, halves))
        self.expect([], final, writes, transaction("b", 1, halves, level=RC))
        for level, kinds in ((RC, []), (RR, []), (SER, ["G2"])):
            self.expect(kinds, {1: (5, 0), 2: (6, 0)},
                        transaction("a", 0, [("l", (2, 3, None), {}), ("w", 1, 5, 0)], level=level),
                        transaction("b", 0, [("l", (1, 2, None), {}), ("w", 2, 6, 0)], level=level))


if __name__ == "__main__":
    unittest.main()
