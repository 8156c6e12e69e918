//! Two compute processes and one volume: storage decides who writes, and the one who lost says why.
#![allow(clippy::disallowed_methods)] // Files and sleeps are what a test of processes is made of.

mod harness;

use harness::process::{start_limited, wait_until};
use harness::{COMMAND_MAX, Cluster, free_port, psql};
use rustix::process::Signal;
use std::process::Command;

/// A compute is paused, another opens the volume, the first goes on: it can commit nothing, tells its clients why
/// and ends with a code of its own.
#[test]
fn a_paused_writer_finds_itself_fenced() {
    let mut cluster = Cluster::start(&[]);
    cluster.sql("create table t (id int primary key, v int); insert into t values (1, 0)");
    // A session of the old writer, with a transaction that is open while it is paused.
    let old = cluster.port.to_string();
    let script = cluster.data_dir.join("late.sql");
    std::fs::write(
        &script,
        "begin; update t set v = 1 where id = 1; \\! sleep 6\ncommit; select 'committed';\n",
    )
    .expect("script");
    let mut late = Command::new("psql");
    late.args(["-h", "127.0.0.1", "-p", &old, "-U", "postgres", "-X", "-A", "-t", "-f"]).arg(&script);
    let late = start_limited(late.arg("postgres"));
    wait_until(COMMAND_MAX, "the row to be locked", || {
        let probe = "set statement_timeout = 200; update t set v = 9 where id = 1";
        cluster.psql(probe).is_err_and(|error| error.contains("57014"))
    });
    cluster.signal("compute", Signal::STOP);

    let mut arguments = cluster.arguments_of("compute");
    let new_port = free_port();
    let listen = arguments.iter().position(|word| word == "--listen").expect("an option of compute");
    arguments[listen + 1] = format!("127.0.0.1:{new_port}");
    cluster.start_by_hand("new compute", &arguments);
    wait_until(COMMAND_MAX, "the new writer to answer", || psql(new_port, "select 1").is_ok());
    psql(new_port, "update t set v = 2 where id = 1").expect("the new writer writes");

    cluster.signal("compute", Signal::CONT);
    let output = late.wait(COMMAND_MAX);
    assert!(!output.stdout.contains("committed"), "{output:?}");
    assert!(output.stderr.contains("another writer has opened the volume"), "{output:?}");
    cluster.wait_for_line(|line| line.contains("compute") && line.contains("exit code 16"));
    cluster.wait_for_line(|line| line.contains("not started again by itself"));
    assert_eq!(psql(new_port, "select v from t where id = 1").expect("answers"), "2");
}

/// A session whose pages are all in the cache of a writer that was paused and replaced: its next read either fails or
/// is answered by nobody; the value of before is never told again.
#[test]
fn a_paused_writer_tells_nothing_stale() {
    let mut cluster = Cluster::start(&[]);
    cluster.sql("create table t (id int primary key, v text); insert into t values (1, 'before')");
    let script = cluster.data_dir.join("late.sql");
    let read = "select v from t where id = 1;";
    std::fs::write(&script, format!("{read}\n\\! sleep 6\n\\echo late\n{read}\n")).expect("script");
    let mut late = Command::new("psql");
    let old = cluster.port.to_string();
    late.args(["-h", "127.0.0.1", "-p", &old, "-U", "postgres", "-X", "-A", "-t", "-f"]).arg(&script);
    let late = start_limited(late.arg("postgres"));
    std::thread::sleep(std::time::Duration::from_secs(1));
    cluster.signal("compute", Signal::STOP);

    let mut arguments = cluster.arguments_of("compute");
    let new_port = free_port();
    let listen = arguments.iter().position(|word| word == "--listen").expect("an option of compute");
    arguments[listen + 1] = format!("127.0.0.1:{new_port}");
    cluster.start_by_hand("new compute", &arguments);
    let update = "update t set v = 'after' where id = 1";
    wait_until(COMMAND_MAX, "the new writer to write", || psql(new_port, update).is_ok());
    // By now the session has sent its second read to the paused process.
    std::thread::sleep(std::time::Duration::from_secs(6));
    cluster.signal("compute", Signal::CONT);
    let output = late.wait(COMMAND_MAX);
    let (first, second) = output.stdout.split_once("late").expect("the script went on");
    assert_eq!(first.trim(), "before", "{output:?}");
    assert_eq!(second.trim(), "", "{output:?}");
    assert!(output.stderr.contains("another writer has opened the volume"), "{output:?}");
}
