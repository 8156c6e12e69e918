//! Sessions side by side: locks, definitions that others wait for, what is told when.

mod harness;

use harness::{Cluster, Progress};
use hexalog_engine::Need;
use hexalog_sql::Stop;

fn rows(progress: Progress) -> Vec<String> {
    match progress {
        Progress::Done(Ok(answers)) => answers.last().expect("a statement").lines(),
        other => panic!("{other:?}"),
    }
}

fn error(progress: Progress) -> String {
    match progress {
        Progress::Done(Err(error)) => format!("{} {}", error.fields().sqlstate, error.fields().message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_update_waits_and_sees_the_newest_row() {
    let cluster = Cluster::new();
    let (mut a, mut b) = (cluster.connect(), cluster.connect());
    a.query("CREATE TABLE t (k int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 10)");
    a.query("BEGIN; UPDATE t SET v = v + 1 WHERE k = 1");
    assert_eq!(b.lines("SELECT v FROM t"), ["10"]);
    let mut waiting = b.start("UPDATE t SET v = v * 2 WHERE k = 1 RETURNING v");
    assert!(matches!(b.go_on(&mut waiting), Progress::Waits));
    assert!(matches!(b.go_on(&mut waiting), Progress::Waits));
    a.query("COMMIT");
    assert_eq!(rows(b.go_on(&mut waiting)), ["22"]);
    b.query("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM t");
    a.query("UPDATE t SET v = 0");
    assert_eq!(b.error("UPDATE t SET v = 1"), "40001 could not serialize access due to concurrent update");
    assert_eq!(b.tag("COMMIT"), "ROLLBACK");
}

#[test]
fn on_conflict_waits_for_a_rival_and_never_writes_over_what_its_snapshot_does_not_see() {
    let cluster = Cluster::new();
    let (mut a, mut b) = (cluster.connect(), cluster.connect());
    a.query("CREATE TABLE t (k serial PRIMARY KEY, name text UNIQUE, n int DEFAULT 1)");
    let upsert = "INSERT INTO t (name) VALUES ('x') ON CONFLICT (name) DO UPDATE SET n = t.n + 1 RETURNING n";
    a.query("BEGIN");
    assert_eq!(a.lines(upsert), ["1"]);
    let mut waiting = b.start(upsert);
    assert!(matches!(b.go_on(&mut waiting), Progress::Waits));
    a.query("COMMIT");
    assert_eq!(rows(b.go_on(&mut waiting)), ["2"]);
    b.query("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM t");
    a.query("INSERT INTO t (name) VALUES ('y')");
    for action in ["DO NOTHING", "DO UPDATE SET n = 0"] {
        let upsert = format!("INSERT INTO t (name) VALUES ('y') ON CONFLICT (name) {action}");
        assert_eq!(b.error(&upsert), "40001 could not serialize access due to concurrent update");
        b.query("ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM t");
        a.query("DELETE FROM t WHERE name = 'y'; INSERT INTO t (name) VALUES ('y')");
    }
    assert_eq!(b.lines(upsert), ["3"], "a row that the snapshot sees");
}

#[test]
fn a_deadlock_fails_one() {
    let cluster = Cluster::new();
    let (mut a, mut b) = (cluster.connect(), cluster.connect());
    a.query("CREATE TABLE t (k int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 0), (2, 0)");
    a.query("BEGIN; UPDATE t SET v = 1 WHERE k = 1");
    b.query("BEGIN; UPDATE t SET v = 2 WHERE k = 2");
    let mut waiting = a.start("UPDATE t SET v = 1 WHERE k = 2");
    assert!(matches!(a.go_on(&mut waiting), Progress::Waits));
    assert_eq!(b.error("UPDATE t SET v = 2 WHERE k = 1"), "40P01 deadlock detected");
    assert!(matches!(a.go_on(&mut waiting), Progress::Done(Ok(_))));
    assert_eq!(b.tag("ROLLBACK"), "ROLLBACK");
    a.query("COMMIT");
    assert_eq!(b.lines("SELECT * FROM t ORDER BY k"), ["1|1", "2|1"]);
}

#[test]
fn definitions_are_private_until_commit_and_waiters_find_them() {
    let cluster = Cluster::new();
    let (mut a, mut b) = (cluster.connect(), cluster.connect());
    a.query("CREATE TABLE t (k int PRIMARY KEY)");
    a.query("INSERT INTO t VALUES (1)");
    b.query("PREPARE p AS SELECT * FROM t");
    assert_eq!(b.lines("EXECUTE p"), ["1"]);
    a.query("BEGIN; CREATE TABLE u (x int); INSERT INTO u VALUES (7)");
    assert_eq!(a.lines("SELECT * FROM u"), ["7"]);
    assert_eq!(b.error("SELECT * FROM u"), "42P01 relation \"u\" does not exist");
    a.query("ALTER TABLE t ADD COLUMN v int DEFAULT 5");
    assert_eq!(a.lines("SELECT * FROM t"), ["1|5"]);
    let mut waiting = b.start("SELECT * FROM t");
    assert!(matches!(b.go_on(&mut waiting), Progress::Waits));
    a.query("COMMIT");
    assert_eq!(rows(b.go_on(&mut waiting)), ["1|5"]);
    assert_eq!(b.lines("SELECT * FROM u"), ["7"]);
    assert_eq!(b.error("EXECUTE p"), "0A000 cached plan must not change result type");
    // Rolled back: nobody ever sees it, the session itself no longer.
    a.query("BEGIN; DROP TABLE u; CREATE TABLE w (x int)");
    assert_eq!(a.error("SELECT * FROM u"), "42P01 relation \"u\" does not exist");
    a.query("ROLLBACK");
    assert_eq!(a.lines("SELECT * FROM u"), ["7"]);
    assert_eq!(a.error("SELECT * FROM w"), "42P01 relation \"w\" does not exist");
    let mut dropping = a.start("BEGIN; DROP TABLE u");
    assert!(matches!(a.go_on(&mut dropping), Progress::Done(Ok(_))));
    let mut waiting = b.start("SELECT * FROM u");
    assert!(matches!(b.go_on(&mut waiting), Progress::Waits));
    a.query("COMMIT");
    assert_eq!(error(b.go_on(&mut waiting)), "42P01 relation \"u\" does not exist");
}

#[test]
fn definitions_survive_a_crash_only_if_they_were_durable() {
    let cluster = Cluster::new();
    let mut a = cluster.connect();
    a.query("CREATE TABLE t (k int PRIMARY KEY, v text DEFAULT 'd'); CREATE INDEX t_v ON t (v)");
    a.query("INSERT INTO t VALUES (1), (2)");
    a.query("BEGIN; CREATE TABLE lost (x int); DROP TABLE t");
    // Committed, yet no storage has it: the client was not told.
    let mut b = cluster.connect();
    cluster.volume.hold_vdl(true);
    b.session.query_start("CREATE TABLE unheard (x int)").expect("parses");
    cluster.run(|| b.session.query_step(&mut harness::Silent)).expect("runs");
    assert!(b.session.answer_lsn() > cluster.engine.volume().vdl());
    drop((a, b));
    let cluster = cluster.crash();
    let mut a = cluster.connect();
    assert_eq!(a.lines("SELECT * FROM t ORDER BY k"), ["1|d", "2|d"]);
    assert_eq!(a.lines("SELECT k FROM t WHERE v = 'd' ORDER BY 1"), ["1", "2"]);
    assert_eq!(a.error("SELECT * FROM lost"), "42P01 relation \"lost\" does not exist");
    assert_eq!(a.error("SELECT * FROM unheard"), "42P01 relation \"unheard\" does not exist");
    // Numbers of objects are not given twice.
    a.query("CREATE TABLE next (x serial)");
    let oids = a.lines("SELECT count(*), count(DISTINCT oid) FROM pg_class WHERE oid >= 16384");
    let (all, distinct) = oids[0].split_once('|').expect("two columns");
    assert_eq!(all, distinct);
}

#[test]
fn lock_table_excludes_and_its_winner_sees_what_the_owner_did() {
    let cluster = Cluster::new();
    let (mut a, mut b) = (cluster.connect(), cluster.connect());
    a.query("CREATE TABLE t (k int PRIMARY KEY, v int)");
    a.query("INSERT INTO t VALUES (1, 0)");
    a.query("BEGIN; LOCK TABLE t IN EXCLUSIVE MODE; UPDATE t SET v = 1");
    assert_eq!(b.lines("SELECT v FROM t"), ["0"], "readers pass");
    let mut waiting = b.start("BEGIN; LOCK TABLE t IN EXCLUSIVE MODE; SELECT v FROM t");
    assert!(matches!(b.go_on(&mut waiting), Progress::Waits));
    let mut reader = cluster.connect();
    a.query("COMMIT");
    assert_eq!(rows(b.go_on(&mut waiting)), ["1"]);
    b.query("COMMIT");
    assert_eq!(reader.lines("SELECT v FROM t"), ["1"]);
}

#[test]
fn answers_wait_for_what_they_rest_on() {
    let cluster = Cluster::new();
    let (mut a, mut b) = (cluster.connect(), cluster.connect());
    a.query("CREATE TABLE t (k int PRIMARY KEY, v int)");
    a.query("INSERT INTO t VALUES (1, 0)");
    cluster.volume.hold_vdl(true);
    let before = cluster.engine.volume().vdl();
    // A commit that is not durable: the session's answer has to wait for it.
    a.session.query_start("UPDATE t SET v = 1 WHERE k = 1").expect("parses");
    cluster.run(|| a.session.query_step(&mut harness::Silent)).expect("runs");
    let commit = a.session.answer_lsn();
    assert!(commit > before);
    // Who overwrites the row rests on it too; who reads at an older snapshot does not.
    b.session.query_start("BEGIN; SELECT v FROM t; UPDATE t SET v = v + 1 WHERE k = 1").expect("parses");
    cluster.run(|| b.session.query_step(&mut harness::Silent)).expect("begins");
    cluster.run(|| b.session.query_step(&mut harness::Silent)).expect("reads");
    assert!(b.session.answer_lsn() <= before);
    cluster.run(|| b.session.query_step(&mut harness::Silent)).expect("writes");
    assert_eq!(b.session.answer_lsn(), commit);
    // Who is told that a lock is there no more, or waited for no more, is told of that commit.
    let looks = ["SELECT count(*) FROM pg_locks", "SELECT pg_blocking_pids(1)"];
    let mut observers = looks.map(|look| {
        let mut observer = cluster.connect();
        observer.session.query_start(&format!("SELECT count(*) FROM pg_class; {look}")).expect("parses");
        cluster.run(|| observer.session.query_step(&mut harness::Silent)).expect("reads");
        assert!(observer.session.answer_lsn() <= before);
        cluster.run(|| observer.session.query_step(&mut harness::Silent)).expect("looks");
        assert!(observer.session.answer_lsn() >= commit, "{look}");
        observer
    });
    // A definition that is not durable is waited for before a statement rests on it.
    a.session.query_start("CREATE TABLE u (x int)").expect("parses");
    let step = |a: &mut harness::Client<'_>| a.session.query_step(&mut harness::Silent);
    loop {
        match step(&mut a) {
            Ok(_) => break,
            Err(Stop::Need(need @ Need::Durable(_))) => panic!("{need:?}"),
            Err(Stop::Need(need)) => assert!(cluster.meet(&need)),
            Err(Stop::Error(error)) => panic!("{error:?}"),
        }
    }
    let mut c = cluster.connect();
    c.session.query_start("SELECT * FROM u").expect("parses");
    let stop = c.session.query_step(&mut harness::Silent).expect_err("waits");
    assert_eq!(stop, Stop::Need(Need::Durable(a.session.answer_lsn())));
    cluster.volume.hold_vdl(false);
    a.make_durable();
    cluster.run(|| c.session.query_step(&mut harness::Silent)).expect("runs");
    c.fail(&hexalog_sql_types::SqlError::internal("end of the test"));
    for observer in &mut observers {
        observer.fail(&hexalog_sql_types::SqlError::internal("end of the test"));
    }
    b.fail(&hexalog_sql_types::SqlError::internal("end of the test"));
    b.query("ROLLBACK");
    a.fail(&hexalog_sql_types::SqlError::internal("end of the test"));
}

#[test]
fn a_single_write_commits_with_itself() {
    let cluster = Cluster::new();
    let mut a = cluster.connect();
    a.query("CREATE TABLE t (k int PRIMARY KEY, v int)");
    let counts = |cluster: &Cluster| {
        let stats = cluster.engine.stats();
        (stats.commits, stats.mini_transactions)
    };
    for text in ["INSERT INTO t VALUES (1, 0)", "UPDATE t SET v = 1 WHERE k = 1", "DELETE FROM t WHERE k = 1"]
    {
        let before = counts(&cluster);
        a.query(text);
        let after = counts(&cluster);
        assert_eq!((after.0 - before.0, after.1 - before.1), (1, 1), "{text}");
    }
    let before = counts(&cluster);
    a.extended("INSERT INTO t VALUES ($1, $2)", &[Some("5"), Some("6")]).expect("inserts");
    assert_eq!(counts(&cluster).1 - before.1, 1);
    // Not inside a block, nor with others in one text.
    let before = counts(&cluster);
    a.query("BEGIN; UPDATE t SET v = 1 WHERE k = 5; COMMIT");
    assert_eq!(counts(&cluster).1 - before.1, 2);
    let before = counts(&cluster);
    a.query("UPDATE t SET v = 2 WHERE k = 5; UPDATE t SET v = 3 WHERE k = 5");
    assert_eq!((counts(&cluster).0 - before.0, counts(&cluster).1 - before.1), (1, 3));
    assert_eq!(a.lines("SELECT * FROM t"), ["5|3"]);
}

/// `nextval` found the sequence, waited for its lock, and drew from a page that its dropper had given back.
#[test]
fn a_sequence_that_was_dropped_while_its_lock_was_waited_for_gives_no_value() {
    let cluster = Cluster::new();
    let (mut a, mut b) = (cluster.connect(), cluster.connect());
    a.query("CREATE SEQUENCE q; CREATE SEQUENCE r");
    for call in ["nextval('q')", "setval('q', 5)"] {
        a.query("BEGIN; DROP SEQUENCE q; CREATE SEQUENCE q");
        let mut waiting = b.start(&format!("SELECT {call}"));
        assert!(matches!(b.go_on(&mut waiting), Progress::Waits), "{call}");
        a.query("COMMIT");
        assert!(error(b.go_on(&mut waiting)).starts_with("XX000 could not open relation with OID"), "{call}");
    }
    // Rolled back: it is there still.
    a.query("BEGIN; DROP SEQUENCE q");
    let mut waiting = b.start("SELECT nextval('q')");
    assert!(matches!(b.go_on(&mut waiting), Progress::Waits));
    a.query("ROLLBACK; DROP SEQUENCE r");
    assert_eq!(rows(b.go_on(&mut waiting)), ["1"]);
    // A transaction's own, while others define things.
    a.query("BEGIN; CREATE SEQUENCE own");
    b.query("CREATE TABLE other (x int)");
    assert_eq!(a.lines("SELECT nextval('own')"), ["1"]);
    a.query("ROLLBACK");
}

/// A writer lets go of its row locks when its commit is appended. Whoever then deletes the row that it refers to must see
/// the row that refers, though that commit is not durable yet.
#[test]
fn a_reference_that_is_not_durable_yet_is_seen_by_a_delete() {
    let cluster = Cluster::new();
    let (mut a, mut b) = (cluster.connect(), cluster.connect());
    a.query("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int REFERENCES p)");
    a.query("INSERT INTO p VALUES (1), (2)");
    a.query("BEGIN; INSERT INTO c VALUES (1)");
    let mut waiting = b.start("DELETE FROM p WHERE id = 1");
    assert!(matches!(b.go_on(&mut waiting), Progress::Waits));
    cluster.volume.hold_vdl(true);
    let before = cluster.engine.volume().vdl();
    a.session.query_start("COMMIT").expect("parses");
    cluster.run(|| a.session.query_step(&mut harness::Silent)).expect("commits");
    let refused = loop {
        match b.session.query_step(&mut harness::Silent) {
            Err(Stop::Need(need @ Need::Durable(_))) => panic!("{need:?}"),
            Err(Stop::Need(need)) => assert!(cluster.meet(&need)),
            Err(Stop::Error(error)) => break error,
            Ok(_) => panic!("a row is referred to"),
        }
    };
    let message =
        "update or delete on table \"p\" violates foreign key constraint \"c_id_fkey\" on table \"c\"";
    assert_eq!(refused.message(), message);
    assert_eq!(cluster.engine.volume().vdl(), before, "nothing has become durable meanwhile");
    assert!(b.session.answer_lsn() > before, "the answer waits for what it rests on");
    cluster.volume.hold_vdl(false);
    b.fail(&refused);
    assert_eq!(b.lines("SELECT count(*) FROM p"), ["2"]);
}

/// Checks of references are too small to let others run by themselves: thousands of them once ran in one call.
#[test]
fn many_references_let_others_run() {
    let cluster = Cluster::new();
    let mut a = cluster.connect();
    a.query("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int REFERENCES p)");
    a.query("INSERT INTO p SELECT generate_series(1, 5000)");
    a.session.query_start("INSERT INTO c SELECT generate_series(1, 5000)").expect("parses");
    let mut yields = 0;
    loop {
        match a.session.query_step(&mut harness::Silent) {
            Err(Stop::Need(Need::Yield)) => yields += 1,
            Err(Stop::Need(need)) => assert!(cluster.meet(&need)),
            Err(Stop::Error(error)) => panic!("{error:?}"),
            Ok(_) => break,
        }
    }
    // 5,000 rows are read and as many references checked, a thousand at a time.
    assert!(yields >= 9, "{yields}");
    a.fail(&hexalog_sql_types::SqlError::internal("end of the test"));
}

/// Two transactions take one key each from the other, checked at commit: who comes first waits, and the second one ends it.
#[test]
fn keys_that_are_checked_late_wait_for_rivals_and_for_each_other() {
    let cluster = Cluster::new();
    let (mut a, mut b) = (cluster.connect(), cluster.connect());
    a.query("CREATE TABLE t (k int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, v int)");
    a.query("BEGIN; INSERT INTO t VALUES (1, 1)");
    b.query("BEGIN; INSERT INTO t VALUES (2, 2); INSERT INTO t VALUES (1, 2)");
    a.query("INSERT INTO t VALUES (2, 1)");
    let mut waiting = a.start("COMMIT");
    assert!(matches!(a.go_on(&mut waiting), Progress::Waits));
    assert_eq!(b.error("COMMIT"), "40P01 deadlock detected");
    assert!(matches!(a.go_on(&mut waiting), Progress::Done(Ok(_))));
    assert_eq!(b.status(), 'I');
    assert_eq!(a.lines("SELECT * FROM t ORDER BY k"), ["1|1", "2|1"]);
    // The rival may give the key up while the commit waits.
    a.query("BEGIN; UPDATE t SET k = 3 WHERE k = 1");
    b.query("BEGIN; INSERT INTO t VALUES (1, 2)");
    let mut waiting = b.start("COMMIT");
    assert!(matches!(b.go_on(&mut waiting), Progress::Waits));
    a.query("COMMIT");
    assert!(matches!(b.go_on(&mut waiting), Progress::Done(Ok(_))));
    // Or keep it.
    a.query("BEGIN; UPDATE t SET k = 4 WHERE k = 1");
    b.query("BEGIN; INSERT INTO t VALUES (1, 9)");
    let mut waiting = b.start("SET CONSTRAINTS ALL IMMEDIATE");
    assert!(matches!(b.go_on(&mut waiting), Progress::Waits));
    a.query("ROLLBACK");
    assert!(error(b.go_on(&mut waiting)).starts_with("23505"));
    b.query("ROLLBACK");
    assert_eq!(a.lines("SELECT * FROM t ORDER BY k"), ["1|2", "2|1", "3|1"]);
}
