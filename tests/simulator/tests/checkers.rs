//! The checkers can fail: histories written by hand, some that a database with snapshots may show, some that it may not.

use simulator::checkers::find_violation;
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

fn tags(through_index: bool, rows: &[(u32, &str)]) -> Op {
    let rows = rows.iter().map(|(id, tag)| TaggedRow { id: *id, tag: (*tag).to_owned() }).collect();
    Op::ReadTags { from: "a".to_owned(), to: "z".to_owned(), through_index, rows }
}

fn check(rows: Vec<Row>) -> Result<(), String> {
    check_in(rows.into_iter().map(|row| (1, row)).collect())
}

fn check_in(rows: Vec<(u64, Row)>) -> Result<(), String> {
    let mut history = History::default();
    for (client, (run, (level, began, ended, outcome, ops))) in rows.into_iter().enumerate() {
        let id = history.begin(client, run, level, began);
        history.txns[id].ops = ops;
        history.end(id, outcome, ended);
    }
    find_violation(&history, STALE_US).map_err(|violation| violation.to_string())
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
