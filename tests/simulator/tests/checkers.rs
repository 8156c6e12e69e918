//! The checkers can fail: histories written by hand, some that a database with snapshots may show, some that it may not.

use simulator::checkers::{find_violation, has_write_skew};
use simulator::history::{History, Level, Op, Outcome, TaggedRow};
use simulator::workload::{text_of, version_of};
use std::collections::BTreeMap;

const STALE_US: u64 = 50;
const RC: Level = Level::ReadCommitted;
const RR: Level = Level::RepeatableRead;
const SER: Level = Level::Serializable;

/// A transaction of process 1 as (level, began, ended, outcome, operations).
type Row = (Level, u64, u64, Outcome, Vec<Op>);

fn a(key: u32, element: u64) -> Op {
    Op::Append { key, element }
}

/// A read of one list.
fn r(key: u32, elements: &[u64]) -> Op {
    let lists =
        if elements.is_empty() { BTreeMap::new() } else { BTreeMap::from([(key, elements.to_vec())]) };
    Op::ReadLists { from: key, to: key + 1, lists }
}

/// A read of lists 0 to 9.
fn range(lists: &[(u32, &[u64])]) -> Op {
    let lists = lists.iter().map(|(key, elements)| (*key, elements.to_vec())).collect();
    Op::ReadLists { from: 0, to: 10, lists }
}

/// A write over a register, told what it replaced.
fn w(key: u32, value: u64, replaced: u64) -> Op {
    Op::WriteRegister { key, value, replaced: Some(replaced) }
}

/// A read of registers 0 to 9, as (key, value, what that replaced).
fn look(rows: &[(u32, u64, u64)]) -> Op {
    let found = rows.iter().map(|(key, value, replaced)| (*key, (*value, *replaced))).collect();
    Op::ReadRegisters { from: 0, to: 10, shelf: None, found }
}

/// The same of one.
fn look_at(key: u32, found: Option<(u64, u64)>) -> Op {
    let found = found.into_iter().map(|found| (key, found)).collect();
    Op::ReadRegisters { from: key, to: key + 1, shelf: None, found }
}

fn tags(through_index: bool, rows: &[(u32, &str)]) -> Op {
    let rows = rows.iter().map(|(id, tag)| TaggedRow { id: *id, tag: (*tag).to_owned() }).collect();
    Op::ReadTags { from: "a".to_owned(), to: "z".to_owned(), through_index, rows }
}

fn check(rows: Vec<Row>) -> Result<(), String> {
    check_in(rows.into_iter().map(|row| (1, row)).collect())
}

fn history_of(rows: Vec<(u64, Row)>) -> History {
    let mut history = History::default();
    for (client, (run, (level, began, ended, outcome, ops))) in rows.into_iter().enumerate() {
        let id = history.begin(client, run, level, began);
        history.txns[id].ops = ops;
        history.end(id, outcome, ended);
    }
    history
}

fn check_in(rows: Vec<(u64, Row)>) -> Result<(), String> {
    find_violation(&history_of(rows), STALE_US).map_err(|violation| violation.to_string())
}

fn ok(level: Level, ops: Vec<Op>) -> Row {
    (level, 0, 100, Outcome::Ok, ops)
}

#[track_caller]
fn accepts(rows: Vec<Row>) {
    assert_eq!(check(rows), Ok(()));
}

#[track_caller]
fn rejects(wanted: &str, rows: Vec<Row>) {
    let found = check(rows).expect_err("it must be rejected");
    assert!(found.contains(wanted), "{wanted} is wanted: {found}");
}

#[test]
fn what_snapshots_may_show_is_accepted() {
    accepts(vec![]);
    accepts(vec![ok(RR, vec![a(1, 1)]), ok(RR, vec![r(1, &[1])])]);
    // Reads its own appends, after others'.
    accepts(vec![ok(RC, vec![a(1, 1)]), ok(RR, vec![r(1, &[1]), a(1, 2), r(1, &[1, 2])])]);
    // Write skew: two rw in a row.
    accepts(vec![
        ok(RR, vec![r(1, &[]), a(2, 1)]),
        ok(RR, vec![r(2, &[]), a(1, 2)]),
        ok(RR, vec![range(&[(1, &[2]), (2, &[1])])]),
    ]);
    // READ COMMITTED may see a newer snapshot in each statement.
    accepts(vec![
        ok(RC, vec![r(1, &[]), r(2, &[2])]),
        ok(RR, vec![a(1, 1), a(2, 2)]),
        ok(RR, vec![r(1, &[1])]),
    ]);
    // An unknown commit may be there or not.
    accepts(vec![
        (RR, 0, 100, Outcome::Unknown, vec![a(1, 1), a(2, 2)]),
        ok(RR, vec![range(&[(1, &[1]), (2, &[2])])]),
    ]);
    accepts(vec![
        (RR, 0, 100, Outcome::Unknown, vec![a(1, 1), a(2, 2)]),
        (RR, 200, 300, Outcome::Ok, vec![range(&[])]),
    ]);
    // A failed one is not there, and what it read was right.
    accepts(vec![(RR, 0, 100, Outcome::Fail, vec![r(1, &[]), a(1, 1)]), ok(RR, vec![r(1, &[])])]);
    // Concurrent: may be seen or not.
    accepts(vec![(RC, 0, 100, Outcome::Ok, vec![a(1, 1)]), (RR, 50, 60, Outcome::Ok, vec![r(1, &[])])]);
}

#[test]
fn what_no_snapshot_could_show_is_rejected() {
    let read_both = || ok(RC, vec![range(&[(1, &[1, 2]), (2, &[4, 3])])]);
    rejects("G0", vec![ok(RC, vec![a(1, 1), a(2, 3)]), ok(RC, vec![a(1, 2), a(2, 4)]), read_both()]);
    rejects("G1a", vec![(RC, 0, 1, Outcome::Fail, vec![a(1, 1)]), ok(RC, vec![r(1, &[1])])]);
    rejects(
        "G1b",
        vec![ok(RC, vec![a(1, 1), a(1, 2)]), ok(RC, vec![r(1, &[1])]), ok(RC, vec![r(1, &[1, 2])])],
    );
    rejects("G1c", vec![ok(RC, vec![a(1, 1), r(2, &[2])]), ok(RC, vec![a(2, 2), r(1, &[1])])]);
    // Lost update: both read nothing, both append.
    rejects(
        "G-single",
        vec![ok(RR, vec![r(1, &[]), a(1, 1)]), ok(RR, vec![r(1, &[]), a(1, 2)]), ok(RR, vec![r(1, &[1, 2])])],
    );
    // Read skew: half of another transaction.
    rejects(
        "G-single",
        vec![ok(RR, vec![r(1, &[]), r(2, &[2])]), ok(RC, vec![a(1, 1), a(2, 2)]), ok(RR, vec![r(1, &[1])])],
    );
    // The same, read as a range: a row that is not there is a version too.
    rejects(
        "G-single",
        vec![ok(RR, vec![range(&[(2, &[2])])]), ok(RC, vec![a(1, 1), a(2, 2)]), ok(RC, vec![r(1, &[1])])],
    );
    // A failed reader was told it too.
    rejects(
        "G-single",
        vec![
            (RR, 0, 100, Outcome::Fail, vec![r(1, &[]), r(2, &[2])]),
            ok(RC, vec![a(1, 1), a(2, 2)]),
            ok(RR, vec![r(1, &[1])]),
        ],
    );
    // Long fork: two readers see two independent commits in opposite orders.
    rejects(
        "G-nonadjacent",
        vec![
            ok(RC, vec![a(1, 1)]),
            ok(RC, vec![a(2, 2)]),
            ok(RR, vec![r(1, &[1]), r(2, &[])]),
            ok(RR, vec![r(1, &[]), r(2, &[2])]),
            ok(RC, vec![range(&[(1, &[1]), (2, &[2])])]),
        ],
    );
}

/// Write skew: each reads what the other writes.
fn skew(first: (Level, Outcome), second: (Level, Outcome)) -> Vec<Row> {
    vec![
        (first.0, 0, 100, first.1, vec![r(1, &[]), a(2, 1)]),
        (second.0, 0, 100, second.1, vec![r(2, &[]), a(1, 2)]),
        ok(SER, vec![range(&[(1, &[2]), (2, &[1])])]),
    ]
}

#[test]
fn what_no_order_could_show_is_rejected_among_serializable_transactions_alone() {
    let (ser, maybe) = ((SER, Outcome::Ok), (SER, Outcome::Unknown));
    rejects("G2", skew(ser, ser));
    rejects("G2", skew(maybe, ser));
    accepts(skew(ser, (RR, Outcome::Ok)));
    // A reader that fails has been told no order.
    accepts(vec![
        (SER, 0, 100, Outcome::Fail, vec![r(1, &[]), r(2, &[])]),
        ok(SER, vec![r(1, &[]), a(2, 1)]),
        ok(SER, vec![r(2, &[1]), a(1, 2)]),
        ok(SER, vec![range(&[(1, &[2]), (2, &[1])])]),
    ]);
    // The read-only anomaly: the report sees the batch closed, and a receipt comes into it all the same.
    rejects(
        "G2",
        vec![
            ok(SER, vec![r(1, &[]), a(2, 1)]),
            ok(SER, vec![a(1, 2)]),
            ok(SER, vec![range(&[(1, &[2])])]),
            ok(SER, vec![range(&[(1, &[2]), (2, &[1])])]),
        ],
    );
}

#[test]
fn statements_at_read_committed_have_snapshots_that_follow_each_other() {
    let both = || ok(RC, vec![a(1, 1), a(2, 2)]);
    // Half of a transaction in one statement.
    rejects(
        "G-single",
        vec![both(), ok(RC, vec![range(&[(2, &[2])])]), ok(RC, vec![range(&[(1, &[1]), (2, &[2])])])],
    );
    // In two it may be.
    accepts(vec![both(), ok(RC, vec![r(1, &[]), r(2, &[2])]), ok(RC, vec![range(&[(1, &[1]), (2, &[2])])])]);
    // What was seen once does not vanish (OTV).
    rejects(
        "G-single",
        vec![both(), ok(RC, vec![r(2, &[2]), r(1, &[])]), ok(RC, vec![range(&[(1, &[1]), (2, &[2])])])],
    );
    // A fork of statements.
    rejects(
        "G-nonadjacent",
        vec![
            ok(RC, vec![a(1, 1)]),
            ok(RC, vec![a(2, 2)]),
            ok(RC, vec![range(&[(1, &[1])])]),
            ok(RC, vec![range(&[(2, &[2])])]),
            ok(RC, vec![range(&[(1, &[1]), (2, &[2])])]),
        ],
    );
    // Of transactions at READ COMMITTED a lost update is none, if the update rests on no read.
    accepts(vec![
        ok(RC, vec![r(1, &[]), a(1, 1)]),
        ok(RC, vec![r(1, &[]), a(1, 2)]),
        ok(RR, vec![r(1, &[1, 2])]),
    ]);
}

#[test]
fn registers_tell_the_order_of_their_versions() {
    accepts(vec![
        ok(RC, vec![w(1, 5, 0), w(1, 6, 5)]),
        ok(RR, vec![look(&[(1, 6, 5)]), w(1, 7, 6), look(&[(1, 7, 6)])]),
        ok(SER, vec![look_at(1, Some((7, 6))), look_at(2, None)]),
    ]);
    rejects("lost", vec![ok(RC, vec![w(1, 5, 0)]), ok(RC, vec![w(1, 6, 0)])]);
    rejects("do not lead back", vec![ok(RC, vec![w(1, 5, 6)]), ok(RC, vec![w(1, 6, 5)])]);
    rejects("nobody was told", vec![ok(RC, vec![w(1, 5, 9)])]);
    rejects("nobody wrote", vec![ok(RC, vec![w(1, 5, 0)]), ok(RC, vec![look_at(1, Some((9, 5)))])]);
    rejects("nobody made", vec![ok(RC, vec![w(1, 5, 0)]), ok(RC, vec![look(&[(2, 9, 5)])])]);
    rejects("replaced 0 and 4", vec![ok(RC, vec![w(1, 5, 0)]), ok(RC, vec![look_at(1, Some((5, 4)))])]);
    rejects("wrote 5 to register 1 and read", vec![ok(RR, vec![w(1, 5, 0), look(&[])])]);
    rejects("got register 11", vec![ok(RC, vec![w(11, 5, 0)]), ok(RC, vec![look(&[(11, 5, 0)])])]);
    // Of an aborted one, unfinished, taken back.
    rejects("G1a", vec![(RC, 0, 1, Outcome::Fail, vec![w(1, 5, 0)]), ok(RC, vec![look_at(1, Some((5, 0)))])]);
    rejects("G1b", vec![ok(RC, vec![w(1, 5, 0), w(1, 6, 5)]), ok(RC, vec![look_at(1, Some((5, 0)))])]);
    rejects(
        "savepoint",
        vec![ok(RC, vec![w(1, 5, 0), Op::RollbackTo { from: 0 }]), ok(RC, vec![look_at(1, Some((5, 0)))])],
    );
    let at = |began, ended, ops| (RR, began, ended, Outcome::Ok, ops);
    rejects("freshness", vec![at(0, 10, vec![w(1, 5, 0)]), at(20, 30, vec![look(&[])])]);
    rejects(
        "atomicity",
        vec![
            (RR, 0, 10, Outcome::Unknown, vec![w(1, 5, 0), w(2, 6, 0)]),
            at(20, 30, vec![look(&[(1, 5, 0)])]),
        ],
    );
}

#[test]
fn registers_have_the_dependencies_of_lists() {
    let both = || ok(RC, vec![w(1, 5, 0), w(2, 6, 0)]);
    let end = || ok(RR, vec![look(&[(1, 5, 0), (2, 6, 0)])]);
    rejects("G-single", vec![both(), ok(RR, vec![look_at(1, None), look_at(2, Some((6, 0)))]), end()]);
    accepts(vec![both(), ok(RC, vec![look_at(1, None), look_at(2, Some((6, 0)))]), end()]);
    rejects("G0", vec![ok(RC, vec![w(1, 5, 0), w(2, 6, 8)]), ok(RC, vec![w(1, 7, 5), w(2, 8, 0)])]);
    // An update of what has changed since the snapshot.
    rejects("G-single", vec![ok(RR, vec![look_at(1, None), w(1, 6, 5)]), ok(RC, vec![w(1, 5, 0)])]);
    // Across lists and registers; by a shelf, where a row is missing.
    let shelf = Op::ReadRegisters { from: 0, to: u32::MAX, shelf: Some(1), found: BTreeMap::new() };
    rejects(
        "G-single",
        vec![
            ok(RC, vec![a(1, 1), w(4, 5, 0)]),
            ok(RR, vec![shelf, r(1, &[1])]),
            ok(RR, vec![look(&[(4, 5, 0)])]),
        ],
    );
}

/// Write skew of registers: each reads what the other writes.
fn register_skew(level: Level) -> Vec<Row> {
    vec![
        ok(level, vec![look_at(1, None), w(2, 5, 0)]),
        ok(level, vec![look_at(2, None), w(1, 6, 0)]),
        ok(level, vec![look(&[(1, 6, 0), (2, 5, 0)])]),
    ]
}

#[test]
fn write_skew_is_seen_where_it_may_be() {
    let shows = |rows: Vec<Row>| has_write_skew(&history_of(rows.into_iter().map(|row| (1, row)).collect()));
    for skew in [register_skew, |level| skew((level, Outcome::Ok), (level, Outcome::Ok))] {
        accepts(skew(RR));
        assert!(shows(skew(RR)));
        rejects("G2", skew(SER));
        accepts(skew(RC));
        assert!(!shows(skew(RC)), "of READ COMMITTED nothing is said");
    }
    assert!(!shows(vec![
        ok(RR, vec![look_at(1, None), w(2, 5, 0)]),
        ok(RR, vec![look_at(2, Some((5, 0))), w(1, 6, 0)])
    ]));
}

#[test]
fn what_was_told_must_stay() {
    rejects(
        "lists",
        vec![
            ok(RC, vec![a(1, 1)]),
            ok(RC, vec![a(1, 2)]),
            ok(RC, vec![r(1, &[1, 2])]),
            ok(RC, vec![r(1, &[2])]),
        ],
    );
    rejects("lists", vec![ok(RR, vec![a(1, 1), r(1, &[])])]);
    rejects("lists", vec![ok(RR, vec![r(1, &[7])])]);
    rejects("twice", vec![ok(RR, vec![a(1, 1)]), ok(RR, vec![r(1, &[1, 1])])]);
    let at = |began, ended, ops| (RR, began, ended, Outcome::Ok, ops);
    rejects("durability", vec![at(0, 10, vec![a(1, 1)]), at(20, 30, vec![r(1, &[])])]);
    rejects(
        "atomicity",
        vec![(RR, 0, 10, Outcome::Unknown, vec![a(1, 1), a(2, 2)]), at(20, 30, vec![range(&[(1, &[1])])])],
    );
    rejects(
        "freshness",
        vec![at(0, 10, vec![a(1, 1)]), at(20, 30, vec![r(1, &[])]), at(40, 50, vec![r(1, &[1])])],
    );
}

#[test]
fn a_replaced_writer_may_be_a_little_behind_and_no_more() {
    let history = |read_at| {
        vec![
            (2, (RC, 0, 10, Outcome::Ok, vec![a(1, 1)])),
            (1, (RR, read_at, read_at + 1, Outcome::Ok, vec![r(1, &[])])),
            (2, (RC, 500, 510, Outcome::Ok, vec![r(1, &[1])])),
        ]
    };
    assert_eq!(check_in(history(10 + STALE_US)), Ok(()));
    let found = check_in(history(11 + STALE_US)).expect_err("too old");
    assert!(found.contains("freshness"), "{found}");
}

#[test]
fn money_tags_numbers_and_private_tables_are_checked() {
    let next = |value| Op::NextValue { value };
    accepts(vec![ok(RC, vec![Op::Sum { total: 1_200 }, tags(true, &[(1, "b"), (2, "c")])])]);
    rejects("bank", vec![ok(RC, vec![Op::Sum { total: 1_190 }])]);
    rejects("unique", vec![ok(RC, vec![tags(false, &[(1, "b"), (2, "b")])])]);
    rejects("unique", vec![ok(RC, vec![tags(false, &[(1, "b"), (1, "c")])])]);
    rejects("unique", vec![ok(RC, vec![tags(true, &[(1, "zz")])])]);
    rejects("unique", vec![ok(RR, vec![tags(true, &[(1, "b")]), tags(false, &[])])]);
    accepts(vec![ok(RR, vec![tags(true, &[(1, "b")]), Op::ChangesTags, tags(false, &[])])]);
    accepts(vec![ok(RC, vec![tags(true, &[(1, "b")]), tags(false, &[])])]);
    accepts(vec![ok(RR, vec![Op::ChangesTags, tags(false, &[(1, "b"), (2, "b")])])]);
    rejects("unique", vec![ok(RR, vec![tags(false, &[(1, "b"), (2, "b")]), Op::ChangesTags])]);
    accepts(vec![ok(RC, vec![next(Some(1)), next(None), next(Some(3))])]);
    rejects("sequence", vec![ok(RC, vec![next(Some(1))]), ok(RC, vec![next(Some(1))])]);
    rejects("sequence", vec![ok(RC, vec![next(Some(1)), next(Some(3))])]);
    rejects("scratch", vec![ok(RC, vec![Op::Scratch { expected: (2, 3), read: (1, 1) }])]);
}

#[test]
fn what_was_taken_back_is_never_read() {
    let back = |from| Op::RollbackTo { from };
    accepts(vec![
        ok(RR, vec![a(1, 1), a(1, 2), r(1, &[1, 2]), back(1), r(1, &[1]), a(1, 3), r(1, &[1, 3])]),
        ok(RR, vec![r(1, &[1, 3])]),
    ]);
    // A savepoint behind one that was gone back to is gone too.
    accepts(vec![
        ok(RR, vec![a(1, 1), a(1, 2), back(1), a(1, 3), back(0), r(1, &[])]),
        ok(RR, vec![r(1, &[])]),
    ]);
    rejects("savepoint", vec![ok(RR, vec![a(1, 1), a(1, 2), back(1)]), ok(RR, vec![r(1, &[1, 2])])]);
    rejects("savepoint", vec![ok(RR, vec![a(1, 1), back(0), r(1, &[1])])]);
    rejects("lists", vec![ok(RR, vec![a(1, 1), a(1, 2), back(1), r(1, &[])])]);
}

#[test]
fn documents_are_whole_and_references_lead_somewhere() {
    let write = |id, version| Op::WriteDocument { id, version };
    let read = |documents: &[(u32, Option<u64>)]| Op::ReadDocuments {
        from: 0,
        to: 9,
        documents: documents.iter().copied().collect(),
    };
    let back = |from| Op::RollbackTo { from };
    accepts(vec![ok(RR, vec![write(1, 5), read(&[(1, Some(5))])]), ok(RC, vec![read(&[(1, Some(5))])])]);
    accepts(vec![ok(RR, vec![write(1, 5), Op::DeleteDocument { id: 1 }, read(&[])])]);
    accepts(vec![ok(RR, vec![write(1, 5), write(1, 6), back(1), read(&[(1, Some(5))])])]);
    rejects("torn", vec![ok(RC, vec![read(&[(1, None)])])]);
    rejects("nobody", vec![ok(RC, vec![write(2, 5)]), ok(RC, vec![read(&[(1, Some(5))])])]);
    rejects(
        "documents",
        vec![(RC, 0, 1, Outcome::Fail, vec![write(1, 5)]), ok(RC, vec![read(&[(1, Some(5))])])],
    );
    rejects("documents", vec![ok(RC, vec![write(1, 5), back(0)]), ok(RC, vec![read(&[(1, Some(5))])])]);
    rejects("savepoint", vec![ok(RR, vec![write(1, 5), back(0), read(&[(1, Some(5))])])]);
    rejects("documents", vec![ok(RR, vec![write(1, 5), read(&[])])]);

    let orphans = |count| Op::Orphans { count };
    accepts(vec![ok(RC, vec![orphans(0), Op::ChangesFamilies, orphans(1)])]);
    rejects("families", vec![ok(RC, vec![orphans(1)])]);
}

#[test]
fn a_document_is_told_from_every_other() {
    for version in 1..100 {
        let text = text_of(version);
        assert_eq!(version_of(&text), Some(version));
        assert_eq!(version_of(&text[..text.len() - 1]), None, "a part of {version}");
        let other = text_of(version + 1);
        let mixed = format!("{}{}", &text[..text.len() / 2], &other[other.len() / 2..]);
        assert_eq!(version_of(&mixed), None, "half of {version}");
    }
}
