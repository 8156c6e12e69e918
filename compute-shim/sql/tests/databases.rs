//! Several databases: what is in them over starts, what a drop frees, and what goes on beside it.

mod harness;

use harness::{Client, Cluster, Progress};
use hexalog_engine::Budget;
use std::sync::atomic::Ordering;

fn to<'a>(cluster: &'a Cluster, database: &str) -> Client<'a> {
    cluster.connect_as("postgres", database, &[]).expect("connects")
}

/// Lets purge run to its end.
fn purge(cluster: &Cluster) {
    for _ in 0..10_000 {
        let beyond = cluster.volume.beyond_vdl();
        cluster.volume.advance_vdl(&cluster.engine, beyond);
        if !cluster.run(|| Ok(cluster.engine.background(Budget::default())?)).expect("background work") {
            return;
        }
    }
    panic!("purge comes to no end");
}

#[test]
fn databases_are_there_after_a_crash() {
    let cluster = Cluster::new();
    let mut first = cluster.connect();
    first.query("CREATE DATABASE shop");
    first.query("CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
    first.query("COMMENT ON DATABASE shop IS 'sells'; COMMENT ON TABLE t IS 'first'");
    first.query("ALTER DATABASE shop SET work_mem = '3MB'");
    let mut shop = to(&cluster, "shop");
    shop.query("CREATE TYPE mood AS ENUM ('good'); CREATE TABLE t (a mood PRIMARY KEY, b serial)");
    shop.query("INSERT INTO t VALUES ('good'); CREATE TEMP TABLE gone (a int); ANALYZE t");
    drop(first);
    // The session of `shop` goes with its process, and leaves its temporary table behind.
    std::mem::forget(shop);
    let cluster = cluster.crash();
    let (mut first, mut shop) = (cluster.connect(), to(&cluster, "shop"));
    assert_eq!(first.lines("SELECT a, obj_description('t'::regclass) FROM t"), ["1|first"]);
    assert_eq!(shop.lines("SELECT a, b FROM t"), ["good|1"]);
    assert_eq!(shop.lines("SELECT count(*) FROM pg_class WHERE relname = 'gone'"), ["0"]);
    assert_eq!(shop.lines("SELECT count(*) FROM pg_stats WHERE tablename = 't'"), ["2"]);
    assert_eq!(shop.lines("SHOW work_mem"), ["3MB"]);
    let comment = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'shop'";
    assert_eq!(shop.lines(comment), ["sells"]);
    // Numbers are given once over all databases.
    shop.query("CREATE TABLE later (a int)");
    first.query("CREATE TABLE later (a int)");
    first.query("CREATE DATABASE other");
    let number = |client: &mut Client<'_>| client.value("SELECT 'later'::regclass::oid");
    assert_ne!(number(&mut shop), number(&mut first));
    assert_eq!(to(&cluster, "other").lines("SELECT count(*) FROM pg_class WHERE oid >= 16384"), ["0"]);
}

/// Text that cannot be compressed.
fn noise(bytes: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'0' + (state >> 32) as u8 % 64)
    };
    (0..bytes).map(|_| next()).filter(|character| !matches!(character, '\'' | '\\')).collect()
}

/// 40 databases of 2 MB and more on a volume of 64 MiB: pages of those that fell are used again.
#[test]
fn what_a_dropped_database_had_is_free_again() {
    let cluster = Cluster::new();
    let mut admin = cluster.connect();
    let noise = noise(190_000);
    for round in 0..40 {
        admin.query("CREATE DATABASE shop");
        let mut shop = to(&cluster, "shop");
        shop.query("CREATE TABLE t (a serial PRIMARY KEY, b text, c int UNIQUE)");
        shop.query(&format!("INSERT INTO t (b, c) SELECT '{noise}', n FROM generate_series(1, 12) n"));
        // It waits for the session to leave.
        let mut dropping = admin.start("DROP DATABASE shop");
        assert!(matches!(admin.go_on(&mut dropping), Progress::Waits), "round {round}");
        drop(shop);
        assert!(matches!(admin.go_on(&mut dropping), Progress::Done(Ok(_))), "round {round}");
        let storage = cluster.database.storage();
        assert_eq!((storage.trees.len(), storage.sequences.len()), (0, 0));
        purge(&cluster);
    }
    let cluster = {
        drop(admin);
        cluster.crash()
    };
    assert_eq!(
        cluster.connect().lines("SELECT datname FROM pg_database WHERE NOT datistemplate"),
        ["postgres"]
    );
}

#[test]
fn whoever_stays_keeps_a_database() {
    let cluster = Cluster::new();
    let mut admin = cluster.connect();
    admin.query("CREATE DATABASE shop");
    let mut shop = to(&cluster, "shop");
    let mut dropping = admin.start("DROP DATABASE shop");
    let Some(Progress::Done(Err(error))) =
        (0..1_000).map(|_| admin.go_on(&mut dropping)).find(|progress| matches!(progress, Progress::Done(_)))
    else {
        panic!("five seconds are over");
    };
    assert_eq!(error.fields().message, "database \"shop\" is being accessed by other users");
    assert_eq!(error.fields().detail.as_deref(), Some("There is 1 other session using the database."));
    assert_eq!(shop.lines("SELECT current_database()"), ["shop"]);
    to(&cluster, "shop");
    // Nobody new comes while it waits.
    let mut dropping = admin.start("DROP DATABASE shop");
    assert!(matches!(admin.go_on(&mut dropping), Progress::Waits));
    let Err(error) = cluster.connect_as("postgres", "shop", &[]) else { panic!("it is reserved") };
    assert_eq!(error.to_string(), "ERROR 57P03: database \"shop\" is being dropped or renamed");
    drop(shop);
    assert!(matches!(admin.go_on(&mut dropping), Progress::Done(Ok(_))));
}

/// Comments on what is shared stand beside the first database's own, and stay when it goes.
#[test]
fn the_first_database_goes_and_what_is_shared_stays() {
    let cluster = Cluster::new();
    let mut first = cluster.connect();
    first.query("CREATE DATABASE shop");
    first.query("COMMENT ON DATABASE shop IS 'sells'; COMMENT ON ROLE postgres IS 'all'");
    first.query("COMMENT ON DATABASE postgres IS 'first'; CREATE TABLE t (a int); COMMENT ON TABLE t IS 't'");
    drop(first);
    let mut shop = to(&cluster, "shop");
    shop.query("DROP DATABASE postgres");
    drop(shop);
    let cluster = cluster.crash();
    assert!(cluster.connect_with(&[]).is_err());
    let mut shop = to(&cluster, "shop");
    assert_eq!(shop.lines("SELECT description FROM pg_shdescription ORDER BY 1"), ["all", "sells"]);
    shop.query("COMMENT ON DATABASE shop IS NULL");
    shop.query("CREATE DATABASE postgres");
    drop(shop);
    let cluster = cluster.crash();
    assert_eq!(cluster.connect().lines("SELECT description FROM pg_shdescription"), ["all"]);
}

/// One that was cancelled while it waited for others to leave, and what a template may be.
#[test]
fn a_drop_that_fails_leaves_the_database() {
    let cluster = Cluster::new();
    let mut admin = cluster.connect();
    admin.query("CREATE DATABASE shop");
    let mut shop = to(&cluster, "shop");
    shop.query("CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
    cluster.world.is_cancelled.store(true, Ordering::Relaxed);
    assert!(admin.error("DROP DATABASE shop").starts_with("57014 "));
    cluster.world.is_cancelled.store(false, Ordering::Relaxed);
    drop(shop);
    assert_eq!(to(&cluster, "shop").lines("SELECT a FROM t"), ["1"]);
    // A template is not dropped, and copied only while it is as new.
    admin.query("ALTER DATABASE shop IS_TEMPLATE true");
    assert_eq!(admin.error("DROP DATABASE shop"), "42809 cannot drop a template database");
    assert_eq!(
        admin.error("CREATE DATABASE copy TEMPLATE shop"),
        "0A000 TEMPLATE \"shop\", which holds objects of its own, is not supported"
    );
    to(&cluster, "shop").query("DROP TABLE t");
    admin.query("CREATE DATABASE copy TEMPLATE shop");
    assert_eq!(
        admin.error("ALTER DATABASE template1 CONNECTION LIMIT 3"),
        "0A000 ALTER DATABASE of template1 is not supported"
    );
}

/// A savepoint gives back the lock of a database that was renamed after it: sessions come in again, and others may drop it.
#[test]
fn a_database_is_open_again_after_a_rollback_to_a_savepoint() {
    let cluster = Cluster::new();
    let (mut a, mut b) = (cluster.connect(), cluster.connect());
    a.query("CREATE DATABASE shop");
    a.query("BEGIN; SAVEPOINT s; ALTER DATABASE shop RENAME TO store");
    assert!(cluster.connect_as("postgres", "shop", &[]).is_err(), "it is reserved");
    a.query("ROLLBACK TO s");
    assert_eq!(to(&cluster, "shop").lines("SELECT current_database()"), ["shop"]);
    b.query("DROP DATABASE shop");
    a.query("COMMIT");
}

/// Each looks again once the other has come to his end.
#[test]
fn two_drops_of_one_database_both_succeed() {
    let cluster = Cluster::new();
    let (mut a, mut b) = (cluster.connect(), cluster.connect());
    a.query("CREATE DATABASE shop");
    let visitor = to(&cluster, "shop");
    let mut first = a.start("DROP DATABASE IF EXISTS shop");
    assert!(matches!(a.go_on(&mut first), Progress::Waits), "for the visitor");
    let mut second = b.start("DROP DATABASE IF EXISTS shop");
    assert!(matches!(b.go_on(&mut second), Progress::Waits), "for the first");
    drop(visitor);
    assert!(matches!(a.go_on(&mut first), Progress::Done(Ok(_))));
    let Progress::Done(Ok(_)) = b.go_on(&mut second) else { panic!("there is nothing left to drop") };
    assert_eq!(b.take_notices(), ["NOTICE 00000: database \"shop\" does not exist, skipping"]);
}

/// A long comment stands in several rows. One that waited for it took it for a short one, and left some of these: no start could read
/// them.
#[test]
fn a_comment_that_waited_for_a_longer_one_takes_its_place() {
    let cluster = Cluster::new();
    let (mut a, mut b) = (cluster.connect(), cluster.connect());
    a.query("COMMENT ON ROLE postgres IS 'short'");
    a.query(&format!("BEGIN; COMMENT ON ROLE postgres IS '{}'", noise(9_000)));
    let mut waiting = b.start("COMMENT ON ROLE postgres IS 'x'");
    assert!(matches!(b.go_on(&mut waiting), Progress::Waits));
    a.query("COMMIT");
    assert!(matches!(b.go_on(&mut waiting), Progress::Done(Ok(_))));
    drop((a, b));
    let cluster = cluster.crash();
    assert_eq!(cluster.connect().lines("SELECT description FROM pg_shdescription"), ["x"]);
}
