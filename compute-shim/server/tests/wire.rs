//! The session loop as raw messages see it.
#![allow(clippy::disallowed_methods)] // Tests wait.

mod fixture;

use fixture::{
    Client, TestServer, answer, bind, describe_portal, execute, field, message, parse, sync, text,
};
use hexalog_server::{ServerOptions, StopState};
use hexalog_sql::spill::{SpillBusy, SpillCall, SpillEnd, SpillFile, SpillSpace};
use hexalog_sql::{CancelReason, Environment};
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Long enough to see that nothing comes.
const SILENCE: Duration = Duration::from_millis(200);

#[test]
fn encryption_is_declined_and_the_session_announced() {
    let server = TestServer::start();
    let mut client = Client::connect(server.address);
    for code in [80_877_104, 80_877_103] {
        client.packet(code, b"");
        let mut byte = [0];
        client.stream.read_exact(&mut byte).expect("one byte");
        assert_eq!(&byte, b"N");
    }
    client.startup(&[("user", "postgres"), ("application_name", "wire test")]);
    let messages = client.until(b'Z');
    assert_eq!(messages[0], (b'R', vec![0, 0, 0, 0]));
    assert_eq!(answer(&messages).kinds, "RKZ");
    let status = |name: &str| {
        let found = messages.iter().find(|(kind, body)| *kind == b'S' && body.starts_with(&text(name)));
        found.map(|(_, body)| String::from_utf8_lossy(&body[name.len() + 1..body.len() - 1]).into_owned())
    };
    for (name, value) in [
        ("server_encoding", "UTF8"),
        ("client_encoding", "UTF8"),
        ("DateStyle", "ISO, MDY"),
        ("integer_datetimes", "on"),
        ("standard_conforming_strings", "on"),
        ("application_name", "wire test"),
    ] {
        assert_eq!(status(name).as_deref(), Some(value), "{name}");
    }
    assert!(status("server_version").is_some_and(|version| version.starts_with("15.")), "drivers parse it");
}

#[test]
fn who_may_not_come_in_is_told_why() {
    let server = TestServer::start();
    for (parameters, sqlstate) in [
        (&[("user", "postgres"), ("database", "nowhere")][..], "3D000"),
        (&[("user", "nobody"), ("database", "postgres")], "28000"),
        (&[("database", "postgres")], "28000"),
        (&[("user", "postgres"), ("replication", "true")], "0A000"),
    ] {
        let mut client = Client::connect(server.address);
        client.startup(parameters);
        let messages = client.until_end();
        let (_, body) = messages.iter().find(|(kind, _)| *kind == b'E').expect("an error");
        assert_eq!(field(body, b'C'), sqlstate, "{parameters:?}");
        assert_eq!(field(body, b'S'), "FATAL");
    }
}

#[test]
fn one_query_many_statements() {
    let server = TestServer::start();
    let mut client = server.connect();
    let done =
        client.run("create table t (id int primary key); insert into t values (1), (2); select id from t");
    assert_eq!((done.kinds.as_str(), done.rows), ("CCTDDCZ", vec!["1".to_owned(), "2".to_owned()]));
    assert_eq!(client.run("").kinds, "IZ");
    assert_eq!(client.run(" ; ").kinds, "IZ");
    // The statements of one Query are one transaction: the second fails, the first is undone.
    let failed = client.run("insert into t values (3); insert into t values (1)");
    assert_eq!((failed.kinds.as_str(), failed.sqlstate.as_deref()), ("CEZ", Some("23505")));
    assert_eq!(client.run("select count(*) from t").rows, ["2"]);
    assert_eq!(client.run("begin").status, Some(b'T'));
    assert_eq!(client.run("select * from missing").status, Some(b'E'));
    assert_eq!(client.run("select 1").sqlstate.as_deref(), Some("25P02"));
    assert_eq!(client.run("rollback").status, Some(b'I'));
}

#[test]
fn the_extended_protocol_in_one_go() {
    let server = TestServer::start();
    let mut client = server.connect();
    client.run("create table t (id int primary key, word text)");
    let all = [
        parse("", "insert into t values ($1, $2)"),
        bind("", &[Some("1"), Some("one")], 0),
        execute(0),
        bind("", &[Some("2"), None], 0),
        execute(0),
        parse("find", "select id, word from t where id = $1"),
        bind("find", &[Some("1")], 0),
        describe_portal(),
        execute(0),
        sync(),
    ]
    .concat();
    client.send(&all);
    let done = answer(&client.until(b'Z'));
    assert_eq!((done.kinds.as_str(), done.rows), ("12C2C12TDCZ", vec!["1|one".to_owned()]));
    // A named statement stays; its result in binary.
    client.send(&[bind("find", &[Some("2")], 1), execute(0), sync()].concat());
    let messages = client.until(b'Z');
    let (_, row) = messages.iter().find(|(kind, _)| *kind == b'D').expect("a row");
    assert_eq!(row, &[0, 2, 0, 0, 0, 4, 0, 0, 0, 2, 0xff, 0xff, 0xff, 0xff]);
    client.send(&[message(b'C', b"Sfind\0"), bind("find", &[Some("2")], 0), sync()].concat());
    let gone = answer(&client.until(b'Z'));
    assert_eq!((gone.kinds.as_str(), gone.sqlstate.as_deref()), ("3EZ", Some("26000")));
}

#[test]
fn an_error_skips_to_sync_and_undoes_the_implicit_transaction() {
    let server = TestServer::start();
    let mut client = server.connect();
    client.run("create table t (id int primary key)");
    let batch = [
        parse("", "insert into t values (1)"),
        bind("", &[], 0),
        execute(0),
        parse("", "insert into missing values (1)"),
        bind("", &[], 0),
        execute(0),
        parse("", "insert into t values (2)"),
        bind("", &[], 0),
        execute(0),
        sync(),
        parse("", "select count(*) from t"),
        bind("", &[], 0),
        execute(0),
        sync(),
    ];
    client.send(&batch.concat());
    let first = answer(&client.until(b'Z'));
    assert_eq!((first.kinds.as_str(), first.sqlstate.as_deref()), ("12CEZ", Some("42P01")));
    let second = answer(&client.until(b'Z'));
    assert_eq!((second.kinds.as_str(), second.rows), ("12DCZ", vec!["0".to_owned()]));
}

#[test]
fn a_portal_is_read_in_parts() {
    let server = TestServer::start();
    let mut client = server.connect();
    client.run("create table t (id int primary key); insert into t values (1), (2), (3)");
    client.send(
        &[parse("", "select id from t order by id"), bind("", &[], 0), execute(2), execute(2), sync()]
            .concat(),
    );
    let done = answer(&client.until(b'Z'));
    assert_eq!(done.kinds, "12DDsDCZ");
    assert_eq!(done.rows, ["1", "2", "3"]);
}

#[test]
fn a_long_result_is_sent_in_pieces() {
    let server = TestServer::start();
    let mut client = server.connect();
    client.run("create table t (id int primary key, filler text)");
    let filler = "x".repeat(500);
    for start in 0..10 {
        let rows: Vec<String> = (0..100).map(|id| format!("({}, '{filler}')", start * 100 + id)).collect();
        assert_eq!(client.run(&format!("insert into t values {}", rows.join(","))).sqlstate, None);
    }
    let all = client.run("select * from t");
    assert_eq!(all.rows.len(), 1000);
    assert!(all.rows.iter().all(|row| row.len() > 500));
}

/// While nothing becomes durable, nothing that rests on a commit is told; the tags of an open block are.
#[test]
fn answers_wait_for_durability() {
    let server = TestServer::start();
    let (mut writer, mut reader) = (server.connect(), server.connect());
    writer.run("create table t (id int primary key, v int); insert into t values (1, 0)");
    server.volume.hold_vdl(true);
    writer.run("begin");
    writer.query("update t set v = 1 where id = 1");
    assert_eq!(answer(&writer.until(b'Z')).kinds, "CZ");
    writer.query("commit");
    assert!(writer.is_silent_for(SILENCE), "the commit is not durable");
    // The next writer of the row gets its lock at once, but must not be told before the commit that it rests on.
    reader.query("update t set v = v + 1 where id = 1");
    assert!(reader.is_silent_for(SILENCE));
    server.volume.hold_vdl(false);
    assert_eq!(answer(&writer.until(b'Z')).kinds, "CZ");
    assert_eq!(answer(&reader.until(b'Z')).kinds, "CZ");
    assert_eq!(reader.run("select v from t").rows, ["2"]);
}

/// Fenced with a commit in the air: the connection ends with FATAL, and nothing that looked like success came before.
#[test]
fn a_parked_commit_never_succeeds_once_fenced() {
    let server = TestServer::start();
    let mut client = server.connect();
    client.run("create table t (id int primary key)");
    server.volume.hold_vdl(true);
    client.query("insert into t values (1)");
    assert!(client.is_silent_for(SILENCE));
    server.control.stop(StopState::Fenced);
    let messages = client.until_end();
    assert_eq!(answer(&messages).kinds, "E");
    assert_eq!(field(&messages[0].1, b'S'), "FATAL");
    assert!(field(&messages[0].1, b'M').contains("another writer"), "{messages:?}");
}

#[test]
fn copy_in_good_and_bad() {
    let server = TestServer::start();
    let mut client = server.connect();
    client.run("create table t (id int primary key, word text)");
    client.query("copy t from stdin");
    assert_eq!(answer(&client.until(b'G')).kinds, "G");
    // Lines may be cut anywhere.
    for part in ["1\ton", "e\n2\t\\N\n3", "\tthree\n"] {
        client.send(&message(b'd', part.as_bytes()));
    }
    client.send(&message(b'c', b""));
    assert_eq!(answer(&client.until(b'Z')).kinds, "CZ");
    assert_eq!(client.run("select * from t order by id").rows, ["1|one", "2|NULL", "3|three"]);
    client.query("copy t from stdin");
    client.until(b'G');
    client.send(&message(b'f', &text("changed my mind")));
    assert_eq!(answer(&client.until(b'Z')).sqlstate.as_deref(), Some("57014"));
    client.query("copy t from stdin");
    client.until(b'G');
    client.send(
        &[message(b'd', b"4\tx\nnot a number\ty\n"), message(b'd', b"5\tz\n"), message(b'c', b"")].concat(),
    );
    assert_eq!(answer(&client.until(b'Z')).sqlstate.as_deref(), Some("22P02"));
    assert_eq!(client.run("select count(*) from t").rows, ["3"], "what the server had not read is ignored");
}

#[test]
fn too_many_clients() {
    let server = TestServer::start_with(ServerOptions { connections_max: 2, ..ServerOptions::default() });
    let (_first, second) = (server.connect(), server.connect());
    let mut third = Client::connect(server.address);
    third.startup(&[("user", "postgres")]);
    let messages = third.until_end();
    assert_eq!(field(&messages[0].1, b'C'), "53300");
    assert_eq!(field(&messages[0].1, b'M'), "sorry, too many clients already");
    drop(second);
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while server.control.session_count() > 1 {
        assert!(std::time::Instant::now() < deadline, "a closed session is forgotten");
        std::thread::sleep(Duration::from_millis(5));
    }
    server.connect();
}

/// Temporary files that a server has open: unlinked, so that only this process's descriptors name them.
fn temporary_files(server: &TestServer) -> usize {
    let directory = server.temporary.as_ref().expect("has one").path();
    let is_temporary = |entry: std::io::Result<std::fs::DirEntry>| {
        let target = entry.and_then(|entry| std::fs::read_link(entry.path()));
        // One may be closed while it is looked at.
        target.is_ok_and(|target| target.starts_with(directory))
    };
    let entries = std::fs::read_dir("/proc/self/fd").expect("lists");
    entries.filter_map(|entry| is_temporary(entry).then_some(())).count()
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn rows_beyond_work_mem_are_in_files_until_their_portal_ends() {
    let server = TestServer::start();
    let mut client = server.connect();
    client.run("SET work_mem = '64kB'");
    let query = "SELECT repeat('x', 100) || i % 100, i FROM generate_series(1, 5000) i ORDER BY 1, 2";
    client.send(&[parse("", query), bind("", &[], 0), execute(3), message(b'H', b"")].concat());
    client.until(b's');
    assert!(temporary_files(&server) > 0, "the sort has spilled");
    client.send(&sync());
    client.until(b'Z');
    wait_until("a portal that has ended has no files", || temporary_files(&server) == 0);
    let all = client.run(query);
    assert_eq!(all.rows.len(), 5000);
    assert_eq!(all.rows[4999], format!("{}99|4999", "x".repeat(100)));
    // A client that goes away in the midst of it.
    client.send(&[parse("", query), bind("", &[], 0), execute(3), message(b'H', b"")].concat());
    client.until(b's');
    assert!(temporary_files(&server) > 0, "the sort has spilled");
    drop(client);
    wait_until("a closed session has no files", || temporary_files(&server) == 0);
}

/// Temporary files on a disk that does not answer.
#[derive(Debug, Default)]
struct StalledDisk(Arc<Mutex<Vec<SpillEnd>>>);

impl SpillSpace for StalledDisk {
    fn create(&self) -> Box<dyn SpillFile> {
        Box::new(StalledDisk(Arc::clone(&self.0)))
    }
}

impl SpillFile for StalledDisk {
    fn write(&self, _: u64, _: Vec<u8>) -> Result<SpillCall, SpillBusy> {
        let (call, end) = SpillCall::begin();
        self.0.lock().expect("no panic").push(end);
        Ok(call)
    }

    fn read(&self, _: u64, _: Vec<u8>) -> Result<SpillCall, SpillBusy> {
        unreachable!("nothing is ever written")
    }
}

/// Files were written by the session's worker, which the volume client shares: a slow disk held up every commit.
#[test]
fn a_disk_that_stalls_holds_up_its_statement_alone() {
    let stalled = Arc::new(StalledDisk::default());
    let ends = Arc::clone(&stalled.0);
    let begun = || ends.lock().expect("no panic").len();
    let server = TestServer::start_over(ServerOptions::default(), stalled);
    let mut client = server.connect();
    client.run("SET work_mem = '64kB'");
    let query = "SELECT repeat('x', 100), i FROM generate_series(1, 5000) i ORDER BY i DESC";
    let wait = |client: &mut Client| {
        let before = begun();
        client.query(query);
        wait_until("the sort spills", || begun() > before);
    };
    wait(&mut client);
    // The only worker serves others meanwhile.
    let mut other = server.connect();
    assert!(other.run("CREATE TABLE t (a int); INSERT INTO t VALUES (1)").sqlstate.is_none());
    let mut cancel = Client::connect(server.address);
    let body = [client.process_id.to_be_bytes(), client.secret.to_be_bytes()].concat();
    cancel.packet(80_877_102, &body);
    assert_eq!(answer(&client.until(b'Z')).sqlstate.as_deref(), Some("57014"));

    client.run("SET statement_timeout = 50");
    wait(&mut client);
    let timed_out = answer(&client.until(b'Z'));
    assert_eq!((timed_out.sqlstate.as_deref(), timed_out.status), (Some("57014"), Some(b'I')));
    client.run("SET statement_timeout = 0");

    // What fails after all fails its statement.
    wait(&mut client);
    ends.lock().expect("no panic").clear();
    assert_eq!(answer(&client.until(b'Z')).sqlstate.as_deref(), Some("58030"));
    wait(&mut client);
    let sessions = server.control.session_count();
    drop(client);
    wait_until("the session ends", || server.control.session_count() < sessions);
}

/// The same of pages of temporary tables: what does not fit `temp_buffers` waits for the disk, and nothing else does.
#[test]
fn a_disk_that_stalls_holds_up_temporary_tables_alone() {
    let stalled = Arc::new(StalledDisk::default());
    let ends = Arc::clone(&stalled.0);
    let begun = || ends.lock().expect("no panic").len();
    let server = TestServer::start_over(ServerOptions::default(), stalled);
    let mut client = server.connect();
    client.run("SET temp_buffers = 100; CREATE TABLE kept (a int); CREATE TEMP TABLE t (a int, b text)");
    assert!(client.run("INSERT INTO t VALUES (1, 'x')").sqlstate.is_none());
    let query = "INSERT INTO t SELECT i, repeat('x', 400) FROM generate_series(1, 10000) i";
    let before = begun();
    client.query(query);
    wait_until("pages leave", || begun() > before);
    let mut other = server.connect();
    assert!(other.run("INSERT INTO kept VALUES (1)").sqlstate.is_none());
    assert!(other.run("CREATE TEMP TABLE t (a int); INSERT INTO t VALUES (1)").sqlstate.is_none());
    assert_eq!(other.run("SELECT * FROM t").rows, ["1"]);
    let mut cancel = Client::connect(server.address);
    let body = [client.process_id.to_be_bytes(), client.secret.to_be_bytes()].concat();
    cancel.packet(80_877_102, &body);
    assert_eq!(answer(&client.until(b'Z')).sqlstate.as_deref(), Some("57014"));
    // What fails after all fails the statement that waits, once it is the statement that does: before it begins, what the
    // last one left is undone as far as it can be.
    client.query(query);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                ends.lock().expect("no panic").clear();
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let failed = answer(&client.until(b'Z')).sqlstate;
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(failed.as_deref(), Some("58030"));
    });
    // The end of the session waits for no disk.
    client.query(query);
    let sessions = server.control.session_count();
    drop(client);
    wait_until("the session ends", || server.control.session_count() < sessions);
    assert_eq!(other.run("SELECT count(*) FROM pg_class WHERE relpersistence = 't'").rows, ["1"]);
}

#[test]
fn nonsense_ends_the_connection_with_a_reason() {
    let server = TestServer::start();
    for bytes in [&b"?\0\0\0\x04"[..], b"Q\0\0\0\x01", b"Q\x7f\xff\xff\xff"] {
        let mut client = server.connect();
        client.send(bytes);
        let messages = client.until_end();
        assert_eq!(field(&messages[0].1, b'C'), "08P01", "{bytes:?}");
        assert_eq!(field(&messages[0].1, b'S'), "FATAL");
    }
    let mut client = Client::connect(server.address);
    client.send(b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(field(&client.until_end()[0].1, b'C'), "08P01");
    // A message whose fields are cut short fails alone.
    let mut client = server.connect();
    client.send(&[message(b'B', b"x"), sync()].concat());
    assert_eq!(answer(&client.until(b'Z')).sqlstate.as_deref(), Some("08P01"));
    assert_eq!(client.run("select 1").rows, ["1"]);
}

#[test]
fn a_silent_start_is_not_waited_for() {
    let options = ServerOptions { startup_timeout: Duration::from_millis(200), ..ServerOptions::default() };
    let server = TestServer::start_with(options);
    let mut client = Client::connect(server.address);
    client.stream.write_all(&[0, 0, 0]).expect("sends");
    assert_eq!(client.until_end(), []);
}

#[test]
fn stopping_tells_everyone_and_ends() {
    let mut server = TestServer::start_with(ServerOptions { workers: 2, ..ServerOptions::default() });
    let mut clients: Vec<Client> = (0..4).map(|_| server.connect()).collect();
    clients[0].run("create table t (id int primary key, v int); insert into t values (1, 0)");
    clients[0].run("begin; update t set v = 1 where id = 1");
    clients[1].query("update t set v = 2 where id = 1");
    assert!(clients[1].is_silent_for(SILENCE));
    server.control.stop(StopState::Stopping);
    for client in &mut clients {
        let messages = client.until_end();
        assert_eq!(field(&messages[0].1, b'C'), "57P01", "{messages:?}");
        assert_eq!(field(&messages[0].1, b'S'), "FATAL");
    }
    server.join();
}

/// A world whose random numbers are a bug.
struct Cracked(Box<dyn Environment>);

impl Environment for Cracked {
    fn wall_clock_us(&self) -> i64 {
        self.0.wall_clock_us()
    }

    fn random_u64(&self) -> u64 {
        panic!("no more random numbers")
    }

    fn cancelled(&self) -> Option<CancelReason> {
        self.0.cancelled()
    }
}

#[test]
fn a_panic_ends_its_session_alone() {
    let options = ServerOptions { environment: |inner| Box::new(Cracked(inner)), ..ServerOptions::default() };
    let server = TestServer::start_with(options);
    let mut other = server.connect();
    other.run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)");
    let by_query = |client: &mut Client| client.query("SELECT id, gen_random_uuid() FROM t");
    let by_portal = |client: &mut Client| {
        let parse = parse("", "SELECT id, gen_random_uuid() FROM t");
        client.send(&[parse, bind("", &[], 0), execute(0), sync()].concat());
    };
    for (at, ask) in [(1, &by_query as &dyn Fn(&mut Client)), (2, &by_portal)] {
        let mut broken = server.connect();
        broken.run("BEGIN");
        broken.run(&format!("UPDATE t SET id = id + 10 WHERE id = {at}"));
        broken.run(&format!("SELECT pg_advisory_lock({at})"));
        ask(&mut broken);
        let messages = broken.until_end();
        let (kind, body) = messages.last().expect("a last word");
        assert_eq!((*kind, &*field(body, b'S'), &*field(body, b'C')), (b'E', "FATAL", "XX000"));
        assert_eq!(field(body, b'M'), "internal error: no more random numbers");
        assert!(messages.iter().all(|(kind, _)| *kind != b'D'), "no row was begun");
        // Its locks are gone, and what it wrote.
        let rows = other.run(&format!("SELECT pg_advisory_lock({at}); UPDATE t SET id = id WHERE id = {at}"));
        assert_eq!(rows.kinds, "TDCCZ");
    }
    assert_eq!(server.control.session_count(), 1);
}

#[test]
fn a_table_that_has_changed_much_is_analysed_by_itself() {
    let options =
        ServerOptions { analyse_pause: Some(Duration::from_millis(20)), ..ServerOptions::default() };
    let server = TestServer::start_with(options);
    let mut client = server.connect();
    client.run("CREATE TABLE few (a int); CREATE TABLE many (a int); CREATE TABLE quiet (a int) WITH (autovacuum_enabled = false)");
    for (table, rows) in [("few", 50), ("many", 51), ("quiet", 5_000)] {
        client.run(&format!("INSERT INTO {table} SELECT generate_series(1, {rows})"));
    }
    let sizes = "SELECT string_agg(relname || ':' || reltuples, ' ' ORDER BY relname) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
    let mut until = |wanted: &str| {
        for _ in 0..500 {
            if client.run(sizes).rows == [wanted] {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("never {wanted}: {:?}", client.run(sizes).rows);
    };
    until("few:-1 many:51 quiet:-1");
    let mut other = server.connect();
    other.run("BEGIN; DELETE FROM many; ROLLBACK");
    other.run("INSERT INTO few VALUES (0); UPDATE many SET a = 0 WHERE a < 10");
    until("few:51 many:51 quiet:-1");
    other.run("INSERT INTO many SELECT generate_series(1, 47)");
    until("few:51 many:98 quiet:-1");
}

/// The pass that meets the lock leaves the table out, and a later one takes it up.
#[test]
fn a_table_whose_lock_is_taken_is_analysed_later() {
    let options =
        ServerOptions { analyse_pause: Some(Duration::from_millis(20)), ..ServerOptions::default() };
    let server = TestServer::start_with(options);
    let (mut client, mut other) = (server.connect(), server.connect());
    client.run("CREATE TABLE t (a int)");
    client.run("BEGIN; LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE");
    other.run("INSERT INTO t SELECT generate_series(1, 100)");
    std::thread::sleep(Duration::from_millis(200));
    let size = "SELECT reltuples FROM pg_class WHERE relname = 't'";
    assert_eq!(other.run(size).rows, ["-1"]);
    client.run("COMMIT");
    for _ in 0..1_500 {
        if other.run(size).rows == ["100"] {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("it rests for ten seconds after it found the lock taken");
}

/// What `pg_stat_activity` says of a session.
fn seen(watcher: &mut Client, columns: &str, process_id: i32) -> Vec<String> {
    watcher.run(&format!("SELECT {columns} FROM pg_stat_activity WHERE pid = {process_id}")).rows
}

fn wait_until_seen(watcher: &mut Client, columns: &str, process_id: i32, expected: &str) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while seen(watcher, columns, process_id) != [expected] {
        assert!(std::time::Instant::now() < deadline, "{:?}", seen(watcher, columns, process_id));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn sessions_see_each_other() {
    let server = TestServer::start();
    let (mut watcher, mut client) = (server.connect(), server.connect());
    let id = client.process_id;
    let port = client.stream.local_addr().expect("connected").port();
    let columns = "state, wait_event, client_port, query, query_start IS NULL, backend_type";
    assert_eq!(seen(&mut watcher, columns, id), [format!("idle|ClientRead|{port}||t|client backend")]);
    client.run("CREATE TABLE t (id int PRIMARY KEY)");
    // A commit that storage does not confirm is waited for, and that is seen.
    server.volume.hold_vdl(true);
    client.query("INSERT INTO t VALUES (1)");
    let columns = "state, wait_event_type, wait_event, query";
    wait_until_seen(&mut watcher, columns, id, "active|IO|WALSync|INSERT INTO t VALUES (1)");
    server.volume.hold_vdl(false);
    assert_eq!(answer(&client.until(b'Z')).kinds, "CZ");
    assert_eq!(seen(&mut watcher, "state", id), ["idle"]);
    drop(client);
    let gone =
        || watcher.run(&format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {id}")).rows == ["0"];
    wait_until_mut("the session to be gone", gone);
    // It has not said good-bye.
    assert_eq!(
        watcher.run("SELECT sessions_abandoned FROM pg_stat_database WHERE datname = 'postgres'").rows,
        ["1"]
    );
}

fn wait_until_mut(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "waited for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_session_is_cancelled_and_ended_by_another() {
    let server = TestServer::start();
    let (mut watcher, mut holder, mut client) = (server.connect(), server.connect(), server.connect());
    holder.run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    holder.run("BEGIN; DELETE FROM t");
    let id = client.process_id;
    client.query("SELECT * FROM t FOR UPDATE");
    wait_until_seen(&mut watcher, "wait_event_type, wait_event", id, "Lock|transactionid");
    assert_eq!(watcher.run(&format!("SELECT pg_cancel_backend({id})")).rows, ["t"]);
    assert_eq!(answer(&client.until(b'Z')).sqlstate.as_deref(), Some("57014"));
    client.query("SELECT pg_sleep(60)");
    wait_until_seen(&mut watcher, "wait_event_type, wait_event", id, "Timeout|PgSleep");
    assert_eq!(watcher.run(&format!("SELECT pg_cancel_backend({id})")).rows, ["t"]);
    assert_eq!(answer(&client.until(b'Z')).sqlstate.as_deref(), Some("57014"));
    // An idle session has nothing to cancel, and is not harmed later.
    assert_eq!(watcher.run(&format!("SELECT pg_cancel_backend({id})")).rows, ["t"]);
    assert_eq!(client.run("SELECT 1").rows, ["1"]);
    // The one that holds the row is ended: it is told why, its transaction is undone, and whoever waited goes on.
    client.query("SELECT id FROM t FOR UPDATE");
    wait_until_seen(&mut watcher, "wait_event_type, wait_event", id, "Lock|transactionid");
    let ended = watcher.run(&format!("SELECT pg_terminate_backend({}, 20000)", holder.process_id));
    assert_eq!(ended.rows, ["t"], "it was waited for");
    assert_eq!(seen(&mut watcher, "pid", holder.process_id), [""; 0]);
    let messages = holder.until_end();
    let (_, body) = messages.iter().find(|(kind, _)| *kind == b'E').expect("an error");
    assert_eq!((field(body, b'C').as_str(), field(body, b'S').as_str()), ("57P01", "FATAL"));
    assert_eq!(field(body, b'M'), "terminating connection due to administrator command");
    assert_eq!(answer(&client.until(b'Z')).rows, ["1"]);
    // In the midst of a statement, without being waited for.
    assert_eq!(watcher.run("SELECT pg_advisory_lock(7)").kinds, "TDCZ");
    client.query("SELECT pg_advisory_lock(7)");
    wait_until_seen(&mut watcher, "wait_event", id, "advisory");
    assert_eq!(watcher.run(&format!("SELECT pg_terminate_backend({id})")).rows, ["t"]);
    let messages = client.until_end();
    let (_, body) = messages.iter().find(|(kind, _)| *kind == b'E').expect("an error");
    assert_eq!((field(body, b'C').as_str(), field(body, b'S').as_str()), ("57P01", "FATAL"));
    let killed = "SELECT sessions_killed FROM pg_stat_database WHERE datname = 'postgres'";
    wait_until_mut("both to be counted", || watcher.run(killed).rows == ["2"]);
}

#[test]
fn who_means_himself_stops_in_the_statement_that_says_so() {
    let server = TestServer::start();
    let mut client = server.connect();
    let cancelled = client.run("SELECT pg_cancel_backend(pg_backend_pid())");
    assert_eq!(cancelled.sqlstate.as_deref(), Some("57014"));
    assert_eq!(client.run("SELECT 1").rows, ["1"]);
    client.query("SELECT pg_terminate_backend(pg_backend_pid())");
    let messages = client.until_end();
    let (_, body) = messages.iter().find(|(kind, _)| *kind == b'E').expect("an error");
    assert_eq!((field(body, b'C').as_str(), field(body, b'S').as_str()), ("57P01", "FATAL"));
}
