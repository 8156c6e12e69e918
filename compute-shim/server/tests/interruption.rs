//! Statements that wait, search or sleep are ended: by cancel, by a time limit, by their client's going.
#![allow(clippy::disallowed_methods)] // Tests wait.

mod fixture;

use fixture::{Client, TestServer, answer, field, message};
use hexalog_server::ServerOptions;
use std::time::Duration;

/// Long enough to see that nothing comes.
const SILENCE: Duration = Duration::from_millis(200);

#[test]
fn a_waiting_statement_is_cancelled_by_key_only() {
    let server = TestServer::start();
    let (mut holder, mut waiter) = (server.connect(), server.connect());
    holder.run("create table t (id int primary key, v int); insert into t values (1, 0)");
    holder.run("begin; update t set v = 1 where id = 1");
    waiter.query("update t set v = 2 where id = 1");
    assert!(waiter.is_silent_for(SILENCE));
    let (process_id, secret) = (waiter.process_id, waiter.secret);
    let cancel = |secret: i32| {
        let mut other = Client::connect(server.address);
        other.packet(80_877_102, &[process_id.to_be_bytes(), secret.to_be_bytes()].concat());
        assert_eq!(other.until_end(), []);
    };
    cancel(secret.wrapping_add(1));
    assert!(waiter.is_silent_for(SILENCE), "a wrong secret changes nothing");
    cancel(secret);
    let cancelled = answer(&waiter.until(b'Z'));
    assert_eq!((cancelled.sqlstate.as_deref(), cancelled.status), (Some("57014"), Some(b'I')));
    waiter.run("set statement_timeout = 100");
    assert_eq!(waiter.run("update t set v = 3 where id = 1").sqlstate.as_deref(), Some("57014"));
    waiter.run("set statement_timeout = 0; set lock_timeout = 100");
    assert_eq!(waiter.run("update t set v = 3 where id = 1").sqlstate.as_deref(), Some("55P03"));
    holder.run("commit");
    assert_eq!(waiter.run("update t set v = v + 10 where id = 1").kinds, "CZ");
    assert_eq!(waiter.run("select v from t").rows, ["11"]);
}

/// Advisory locks fall with their connection; a wait for one is cancelled like any other.
#[test]
fn advisory_locks_of_a_connection_that_ends() {
    let server = TestServer::start();
    let (mut holder, mut waiter) = (server.connect(), server.connect());
    holder.run("select pg_advisory_lock(1); begin; select pg_advisory_xact_lock(2)");
    waiter.query("select pg_advisory_lock(2)");
    assert!(waiter.is_silent_for(SILENCE));
    let mut other = Client::connect(server.address);
    let key = [waiter.process_id.to_be_bytes(), waiter.secret.to_be_bytes()].concat();
    other.packet(80_877_102, &key);
    assert_eq!(other.until_end(), []);
    assert_eq!(answer(&waiter.until(b'Z')).sqlstate.as_deref(), Some("57014"));
    waiter.query("select pg_advisory_lock(1), pg_advisory_lock(2)");
    assert!(waiter.is_silent_for(SILENCE));
    drop(holder);
    assert_eq!(answer(&waiter.until(b'Z')).kinds, "TDCZ");
    let held = "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()";
    assert_eq!(waiter.run(held).rows, ["2"]);
}

/// An index that waits for writers is cancelled, timed out, and ended with its client like any other statement; whatever it
/// held falls.
#[test]
fn an_index_that_waits_for_writers_is_given_up() {
    let server = TestServer::start();
    let (mut writer, mut builder) = (server.connect(), server.connect());
    writer.run("create table t (id int primary key, v int)");
    writer.run("begin; insert into t values (1, 0)");
    builder.query("create index concurrently i on t (v)");
    assert!(builder.is_silent_for(SILENCE));
    let mut other = Client::connect(server.address);
    let key = [builder.process_id.to_be_bytes(), builder.secret.to_be_bytes()].concat();
    other.packet(80_877_102, &key);
    assert_eq!(other.until_end(), []);
    assert_eq!(answer(&builder.until(b'Z')).sqlstate.as_deref(), Some("57014"));
    builder.run("set statement_timeout = 100");
    assert_eq!(builder.run("drop index concurrently i").sqlstate.as_deref(), Some("57014"));
    builder.run("set statement_timeout = 0");
    builder.query("create index concurrently j on t (v)");
    assert!(builder.is_silent_for(SILENCE));
    drop(builder);
    // With the locks of what was given up the table could not be changed.
    writer.run("set statement_timeout = 10000; insert into t values (2, 0)");
    assert_eq!(writer.run("alter table t add column w int").kinds, "CZ");
    writer.run("commit");
    assert_eq!(writer.run("select relname, indisvalid from pg_index join pg_class on oid = indexrelid where relname in ('i', 'j') order by 1").rows, ["i|f", "j|f"]);
    assert_eq!(writer.run("drop index concurrently i").kinds, "CZ");
    assert_eq!(writer.run("create index concurrently i on t (v)").kinds, "CZ");
}

/// Temporary tables go with their connection.
#[test]
fn temporary_tables_of_a_connection_that_ends() {
    let server = TestServer::start();
    let (mut gone, mut other) = (server.connect(), server.connect());
    gone.run("create temp table t (id serial primary key); insert into t default values");
    gone.run("begin; insert into t default values");
    let left = "select count(*) from pg_namespace where nspname like 'pg_temp%'";
    assert_eq!(other.run(left).rows, ["1"]);
    drop(gone);
    let is_gone = (0..100).any(|_| {
        std::thread::sleep(SILENCE / 10);
        other.run(left).rows == ["0"]
    });
    assert!(is_gone, "what was temporary is still there");
}

/// A client that leaves a transaction open is ended, its locks fall; one that is between transactions may be idle.
#[test]
fn idle_in_a_transaction_for_too_long() {
    let server = TestServer::start();
    let (mut idle, mut other) = (server.connect(), server.connect());
    other.run("create table t (id int primary key, v int); insert into t values (1, 0)");
    idle.run("set idle_in_transaction_session_timeout = 300");
    assert!(idle.is_silent_for(2 * Duration::from_millis(300)), "there is no transaction");
    idle.run("begin; update t set v = 1 where id = 1");
    let messages = idle.until_end();
    assert_eq!(field(&messages[0].1, b'C'), "25P03");
    assert_eq!(field(&messages[0].1, b'S'), "FATAL");
    assert_eq!(other.run("update t set v = v + 5 where id = 1").kinds, "CZ");
    assert_eq!(other.run("select v from t").rows, ["5"], "the transaction was rolled back");
}

/// Who holds purge back for too long is ended, at work or not; an old snapshot that keeps nothing may stay.
#[test]
fn a_snapshot_that_is_too_old() {
    let threshold = Some(Duration::from_secs(2));
    let server = TestServer::start_with(ServerOptions {
        old_snapshot_threshold: threshold,
        ..ServerOptions::default()
    });
    let (mut idle, mut busy, mut other) = (server.connect(), server.connect(), server.connect());
    other.run("create table t (id int primary key)");
    let begin = "begin isolation level repeatable read; select count(*) from t";
    assert_eq!(idle.run(begin).rows, ["0"]);
    assert!(idle.is_silent_for(Duration::from_secs(4)), "nothing was changed since");
    busy.run(begin);
    busy.query("select pg_sleep(60)");
    other.run("insert into t values (1)");
    for mut ended in [idle, busy] {
        let messages = ended.until_end();
        let (_, error) = messages.iter().find(|(kind, _)| *kind == b'E').expect("it is told why");
        assert_eq!((field(error, b'S'), field(error, b'C')), ("FATAL".into(), "72000".into()));
    }
    other.run("begin; insert into t values (2)");
    assert!(other.is_silent_for(Duration::from_secs(4)), "READ COMMITTED holds none between statements");
    assert_eq!(other.run("commit; select count(*) from t").rows, ["2"]);
}

/// statement_timeout strikes while COPY waits for its client too.
#[test]
fn a_copy_that_stalls_is_timed_out() {
    let server = TestServer::start();
    let mut client = server.connect();
    client.run("create table t (id int primary key); set statement_timeout = 200");
    client.query("copy t from stdin");
    client.until(b'G');
    client.send(&message(b'd', b"1\n"));
    let done = answer(&client.until(b'Z'));
    assert_eq!((done.sqlstate.as_deref(), done.status), (Some("57014"), Some(b'I')));
    client.send(&[message(b'd', b"2\n"), message(b'c', b"")].concat());
    assert_eq!(client.run("select count(*) from t").rows, ["0"]);
}

/// A cancel request that comes while nothing runs does not hit the next statement.
#[test]
fn a_late_cancel_counts_for_nothing() {
    let server = TestServer::start();
    let mut client = server.connect();
    for _ in 0..3 {
        let mut other = Client::connect(server.address);
        let key = [client.process_id.to_be_bytes(), client.secret.to_be_bytes()].concat();
        other.packet(80_877_102, &key);
        assert_eq!(other.until_end(), []);
        assert_eq!(client.run("select 1").rows, ["1"]);
    }
}

/// A timeout, a cancel and the client's going end a sleep at once; others run meanwhile.
#[test]
fn a_sleep_is_ended() {
    let server = TestServer::start();
    let (mut sleeper, mut other) = (server.connect(), server.connect());
    sleeper.run("set statement_timeout = 50");
    assert_eq!(sleeper.run("select pg_sleep(3600)").sqlstate.as_deref(), Some("57014"));
    sleeper.run("set statement_timeout = 0");
    sleeper.query("begin; select pg_sleep('infinity')");
    assert!(sleeper.is_silent_for(SILENCE));
    assert_eq!(other.run("select 1").rows, ["1"]);
    let mut cancel = Client::connect(server.address);
    cancel.packet(80_877_102, &[sleeper.process_id.to_be_bytes(), sleeper.secret.to_be_bytes()].concat());
    let cancelled = answer(&sleeper.until(b'Z'));
    assert_eq!((cancelled.sqlstate.as_deref(), cancelled.status), (Some("57014"), Some(b'E')));
    sleeper.run("rollback");
    assert_eq!(sleeper.run("select pg_sleep(0.02)").kinds, "TDCZ");
    sleeper.query("select pg_sleep_for('1 year')");
    assert!(sleeper.is_silent_for(SILENCE));
    drop(sleeper);
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while server.control.session_count() > 1 {
        assert!(std::time::Instant::now() < deadline, "the session has ended");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A search for a pattern once ran to its end, half a minute and more, whatever `statement_timeout` said.
#[test]
fn a_search_is_ended() {
    let server = TestServer::start();
    let mut client = server.connect();
    client.run("set statement_timeout = 100");
    for search in [
        "repeat('ab', 1000000) ~ '^(a|b)*a((a|b){250}){20}z'",
        "repeat('a', 1000000) like '%' || repeat('a', 100000) || 'b%'",
        "substring(repeat('a', 500000) similar (repeat('a?', 20000) || '#\"' || repeat('a?', 20000) || '#\"%') escape '#')",
        "regexp_replace(repeat('ab', 1000000), 'b|a(.*z)?', '', 'g')",
    ] {
        let answer = client.run(&format!("select {search}"));
        assert_eq!(answer.sqlstate.as_deref(), Some("57014"), "{search}");
    }
    assert_eq!(client.run("select 'ab' ~ 'b'").rows, ["t"]);
}

/// While nothing becomes durable, clients that come, write and go leave no place in any queue, and the commits that
/// they appended are there once it does.
#[test]
fn waiting_for_durability_ends_with_its_client() {
    let server = TestServer::start();
    let mut client = server.connect();
    client.run("create table t (id int primary key)");
    server.volume.hold_vdl(true);
    for id in 0..5 {
        let mut other = server.connect();
        other.query(&format!("insert into t values ({id})"));
        assert!(other.is_silent_for(Duration::from_millis(50)));
    }
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while server.control.session_count() > 1 {
        assert!(std::time::Instant::now() < deadline, "sessions whose client has gone end");
        std::thread::sleep(Duration::from_millis(5));
    }
    server.volume.hold_vdl(false);
    // Nobody waits for the five any more; a commit behind them carries them along.
    client.run("insert into t values (5)");
    assert_eq!(client.run("select count(*) from t").rows, ["6"]);
}

/// A client that goes while its statement waits leaves nothing behind.
#[test]
fn a_vanished_client_holds_no_locks() {
    let server = TestServer::start();
    let (mut holder, mut gone) = (server.connect(), server.connect());
    holder.run("create table t (id int primary key, v int); insert into t values (1, 0), (2, 0)");
    holder.run("begin; update t set v = 1 where id = 1");
    gone.run("begin; update t set v = 5 where id = 2");
    gone.query("update t set v = 5 where id = 1");
    assert!(gone.is_silent_for(SILENCE));
    drop(gone);
    // Row 2 is free without the holder's doing anything.
    holder.run("set statement_timeout = 10000");
    assert_eq!(holder.run("update t set v = 1 where id = 2").kinds, "CZ");
    holder.run("commit");
    assert_eq!(holder.run("select sum(v) from t").rows, ["2"]);
}
