//! `hexalog local` as a person meets it: start, use, stop, start again, and every way in which it can refuse.
#![allow(clippy::disallowed_methods)] // Files and sleeps are what a test of processes is made of.

mod harness;

use harness::process::{children_of, run_limited, wait_until};
use harness::{COMMAND_MAX, Cluster, HEXALOG, START_MAX, free_port, logs, test_directory};
use rustix::process::Signal;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

#[test]
fn data_is_found_again_after_a_stop_and_after_a_kill() {
    let directory = test_directory();
    let data_dir = directory.path().join("data");
    let cluster = Cluster::start_in(&data_dir, &[]);
    cluster.sql("create table kept (id int primary key, word text)");
    cluster.sql("insert into kept values (1, 'one'), (2, 'two')");
    cluster.wait_until_well();
    cluster.stop();

    let cluster = Cluster::start_in(&data_dir, &[]);
    assert_eq!(cluster.sql("select id, word from kept order by id"), "1|one\n2|two");
    cluster.sql("insert into kept values (3, 'three')");
    // The supervisor dies without a word: its children must follow, and the next start must find everything.
    drop(cluster);

    let cluster = Cluster::start_in(&data_dir, &[]);
    assert_eq!(cluster.sql("select count(*) from kept"), "3");
    cluster.stop();
}

#[test]
fn children_end_with_their_supervisor() {
    let cluster = Cluster::start(&[]);
    let children: Vec<i32> = ["node-1", "node-2", "node-3", "node-4", "node-5", "node-6", "compute"]
        .iter()
        .map(|name| cluster.pid_of(name))
        .collect();
    let supervisor = children_of(std::process::id() as i32)
        .into_iter()
        .find(|pid| children_of(*pid).contains(&children[0]))
        .expect("the supervisor is our child");
    harness::process::send(supervisor, Signal::KILL);
    let is_gone = |pid: &i32| harness::process::arguments(*pid).is_empty();
    wait_until(COMMAND_MAX, "all children to end", || children.iter().all(is_gone));
}

/// A child that hangs holds up the stop; a second Ctrl-C kills what is left, and the next start finds the data.
#[test]
fn a_second_interrupt_kills() {
    let directory = test_directory();
    let data_dir = directory.path().join("data");
    let mut cluster = Cluster::start_in(&data_dir, &[]);
    cluster.sql("create table t (id int primary key); insert into t values (1)");
    let compute = cluster.pid_of("compute");
    cluster.signal("compute", Signal::STOP);
    cluster.interrupt();
    cluster.wait_for_line(|line| line.contains("stopping"));
    assert!(!harness::process::arguments(compute).is_empty(), "it cannot stop");
    cluster.interrupt();
    cluster.wait_for_line(|line| line.contains("killing"));
    assert!(cluster.wait_end().success());
    let is_gone = || harness::process::arguments(compute).is_empty();
    wait_until(COMMAND_MAX, "the child to be gone", is_gone);
    let cluster = Cluster::start_in(&data_dir, &[]);
    assert_eq!(cluster.sql("select count(*) from t"), "1");
    cluster.stop();
}

/// The command that is printed is run as it stands, by a shell.
#[test]
fn a_dead_child_is_reported_with_its_command() {
    let mut cluster = Cluster::start(&[]);
    for child in ["node-4", "compute"] {
        cluster.kill(child);
        cluster.wait_for_line(|line| line.contains(child) && line.contains("signal 9"));
        let mark = if child == "compute" { " compute --metadata " } else { "--node 4 " };
        let is_it = |line: &str| line.contains("to start it again: ") && line.contains(mark);
        cluster.wait_for_line(is_it);
        let output = cluster.output();
        let line = output.lines().find(|line| is_it(line)).expect("it was waited for");
        let command = line.split_once("to start it again: ").expect("it was waited for").1;
        cluster.run_by_hand(child, command);
    }
    cluster.wait_until_caught_up();
    wait_until(COMMAND_MAX, "compute to answer", || cluster.psql("select 1").is_ok());
    cluster.kill_by_hand("compute");
}

#[test]
fn with_restart_a_dead_child_comes_back() {
    let mut cluster = Cluster::start(&["--restart"]);
    cluster.sql("create table t (id int primary key)");
    cluster.kill("node-2");
    cluster.wait_for_line(|line| line.contains("node-2 started again"));
    cluster.kill("compute");
    cluster.wait_for_line(|line| line.contains("compute started again"));
    wait_until(START_MAX, "compute to answer", || cluster.psql("select 1").is_ok());
    cluster.sql("insert into t values (1)");
    cluster.wait_until_caught_up();
}

/// Runs `hexalog` with arguments that must be refused; returns exit code and message.
fn refused(arguments: &[&str]) -> (i32, String) {
    let output = run_limited(Command::new(HEXALOG).args(arguments), COMMAND_MAX);
    assert!(!output.is_success, "{output:?}");
    (output.code.expect("an exit code"), output.stderr)
}

/// What started the cluster names it to every other command too.
#[test]
fn a_cluster_is_found_by_its_directory() {
    let cluster = Cluster::start(&[]);
    cluster.wait_until_well();
    let data_dir = cluster.data_dir.to_str().expect("UTF-8");
    let metadata = cluster.data_dir.join("metadata.sqlite");
    let metadata = metadata.to_str().expect("UTF-8");
    let run = |arguments: &[&str]| run_limited(Command::new(HEXALOG).args(arguments), COMMAND_MAX);
    let output = run(&["status", "--data-dir", data_dir]);
    assert!(output.is_success && output.stdout.ends_with("\nall is well\n"), "{output:?}");
    assert_eq!(run(&["status", "--metadata", metadata]).code, Some(0));
    // Compute listens on another port than the default one.
    let output = run(&["sql", "--data-dir", data_dir, "-A", "-c", "select 1"]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "1\n"), "{output:?}");

    let both = refused(&["status", "--data-dir", data_dir, "--metadata", metadata]);
    assert!(both.0 == 2 && both.1.contains("cannot be used with"), "{both:?}");
    let both = refused(&["sql", "--data-dir", data_dir, "--connect", "127.0.0.1:1"]);
    assert!(both.0 == 2 && both.1.contains("cannot be used with"), "{both:?}");
    // Before the command it would be an option of `hexalog local`.
    let misplaced = refused(&["--data-dir", data_dir, "status"]);
    assert!(misplaced.0 == 2 && misplaced.1.contains("cannot be used with"), "{misplaced:?}");
    let elsewhere = cluster.data_dir.join("elsewhere");
    for command in ["status", "sql", "compute"] {
        let (code, message) = refused(&[command, "--data-dir", elsewhere.to_str().expect("UTF-8")]);
        assert_eq!(code, 14, "{message}");
        assert!(message.contains("elsewhere/metadata.sqlite does not exist"), "{message}");
    }
    cluster.stop();
}

/// Sorts so many rows of some hundred bytes in little memory.
fn sort(cluster: &Cluster, rows: u32) -> Result<String, String> {
    let rows = format!("select repeat('x', 100) || i as d from generate_series(1, {rows}) i order by d");
    cluster.psql(&format!("set work_mem = '64kB'; select count(*) from ({rows}) s"))
}

#[test]
fn temporary_files_have_a_bound() {
    let cluster = Cluster::start(&["--temporary-bytes", "1MiB"]);
    assert_eq!(sort(&cluster, 2_000).expect("fits"), "2000");
    let refused = sort(&cluster, 20_000).expect_err("does not fit");
    assert!(refused.contains("temporary files of all sessions exceed 1024kB"), "{refused}");
    assert!(refused.contains("--temporary-bytes"), "{refused}");
    assert_eq!(sort(&cluster, 2_000).expect("fits"), "2000");
    cluster.stop();
}

#[test]
fn prepared_transactions_have_a_bound() {
    let cluster = Cluster::start(&["--max-prepared-transactions", "1"]);
    let prepare = |name: &str| cluster.psql(&format!("begin; prepare transaction '{name}'"));
    prepare("one").expect("there is room for it");
    let refused = prepare("two").expect_err("there is none for two");
    assert!(refused.contains("maximum number of prepared transactions reached"), "{refused}");
    cluster.stop();
}

/// A database that serves is worth more than one that does not for want of a directory which few statements need.
#[test]
fn without_a_place_for_temporary_files_the_rest_is_served() {
    let directory = test_directory();
    let data_dir = directory.path().join("data");
    let cluster = Cluster::start_with_temporary(&data_dir, &[], Path::new("/nowhere"));
    assert_eq!(sort(&cluster, 10).expect("fits memory"), "10");
    let refused = sort(&cluster, 2_000).expect_err("needs a file");
    assert!(refused.contains("could not create temporary file in \"/nowhere\": No such file"), "{refused}");
    assert!(refused.contains("TMPDIR naming a directory"), "{refused}");
    assert_eq!(cluster.psql("select 1").expect("is served"), "1");
    let logs = logs(&data_dir);
    assert!(logs.contains("cannot make temporary files in /nowhere: No such file"), "{logs}");
    cluster.stop();
}

#[test]
fn a_port_in_use_is_named() {
    let directory = test_directory();
    let taken = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    let address = taken.local_addr().expect("bound").to_string();
    let data_dir = directory.path().join("data");
    let (code, message) =
        refused(&["local", "--data-dir", data_dir.to_str().expect("UTF-8"), "--listen", &address]);
    assert_eq!(code, 10, "{message}");
    assert!(message.contains(&address) && message.contains("in use"), "{message}");
}

#[test]
fn a_directory_in_use_is_refused_and_so_is_a_foreign_one() {
    let cluster = Cluster::start(&[]);
    let listen = format!("127.0.0.1:{}", free_port());
    let data_dir = cluster.data_dir.to_str().expect("UTF-8").to_owned();
    let (code, message) = refused(&["local", "--data-dir", &data_dir, "--listen", &listen]);
    assert_eq!(code, 11, "{message}");
    assert!(message.contains("in use by another hexalog local"), "{message}");
    assert_eq!(cluster.sql("select 1"), "1", "the cluster is not disturbed");

    let directory = test_directory();
    std::fs::write(directory.path().join("letter.txt"), "x").expect("file");
    let foreign = directory.path().to_str().expect("UTF-8");
    let (code, message) = refused(&["local", "--data-dir", foreign, "--listen", &listen]);
    assert_eq!(code, 11, "{message}");
    assert!(message.contains("other files"), "{message}");
}

/// The sizes used to be found wanting when six daemons had been formatted.
#[test]
fn sizes_that_do_not_fit_are_refused_before_anything_is_made() {
    let directory = test_directory();
    let data_dir = directory.path().join("data");
    let path = data_dir.to_str().expect("utf-8");
    for (options, offender, mend) in [
        (["--device-bytes", "1GiB", "--groups", "128"], "--groups 128", "--groups 64 or fewer"),
        (
            ["--device-bytes", "1GiB", "--log-bytes", "1GiB"],
            "--device-bytes 1073741824",
            "a smaller --log-bytes",
        ),
        (["--device-bytes", "16GiB", "--shards", "65"], "--shards", "between 1 and 64"),
        (["--log-bytes", "32MiB", "--lal-bytes", "32MiB"], "--lal-bytes 33554432", "8388608 or less"),
        (["--log-bytes", "1GiB", "--lal-bytes", "64MiB"], "--lal-bytes 67108864", "33554432 or less"),
    ] {
        let mut arguments = vec!["local", "--data-dir", path];
        arguments.extend(options);
        let (code, message) = refused(&arguments);
        assert_eq!(code, 2, "{message}");
        assert!(message.contains(offender) && message.contains(mend), "{message}");
        assert!(!data_dir.exists(), "{options:?}");
    }
}

#[test]
fn an_open_address_is_refused() {
    let directory = test_directory();
    let device = directory.path().join("device");
    let daemon = ["daemon", "--node", "1", "--data-dir", device.to_str().expect("UTF-8")];
    for command in [&["local"][..], &["compute"], &daemon] {
        let (code, message) = refused(&[command, &["--listen", "0.0.0.0:1"]].concat());
        assert_eq!(code, 13, "{message}");
        assert!(message.contains("--insecure-no-auth"), "{message}");
    }
}

#[test]
fn what_is_fixed_at_creation_is_not_changed_silently() {
    let directory = test_directory();
    let data_dir = directory.path().join("data");
    Cluster::start_in(&data_dir, &["--groups", "2"]).stop();
    let listen = format!("127.0.0.1:{}", free_port());
    let data_dir = data_dir.to_str().expect("UTF-8");
    let (code, message) = refused(&["local", "--data-dir", data_dir, "--listen", &listen, "--groups", "3"]);
    assert_eq!(code, 2, "{message}");
    assert!(message.contains("--groups 2"), "{message}");
    // A size that a daemon keeps was taken and not used; now the daemon refuses it.
    let (code, message) =
        refused(&["local", "--data-dir", data_dir, "--listen", &listen, "--log-bytes", "64MiB"]);
    assert_eq!(code, 30, "{message}");
    assert!(message.contains("was formatted with --log-bytes 33554432"), "{message}");
}

/// A device that is gone, or whose file system is not mounted, is one daemon less: the others serve.
#[test]
fn a_cluster_starts_without_a_device_that_is_gone() {
    let directory = test_directory();
    let data_dir = directory.path().join("data");
    let cluster = Cluster::start_in(&data_dir, &[]);
    cluster.sql("create table t as select 1 as id");
    cluster.stop();
    std::fs::remove_dir_all(data_dir.join("node-2")).expect("it is there");
    let cluster = Cluster::start_in(&data_dir, &[]);
    assert_eq!(cluster.sql("select count(*) from t"), "1");
    assert!(!data_dir.join("node-2").exists(), "none is made in its place");
    cluster.stop();
}

#[test]
fn compute_without_metadata_says_so() {
    let directory = test_directory();
    let metadata = directory.path().join("none.sqlite");
    let (code, message) =
        refused(&["compute", "--metadata", metadata.to_str().expect("UTF-8"), "--listen", "127.0.0.1:1"]);
    assert_eq!(code, 14, "{message}");
    assert!(message.contains("none.sqlite"), "{message}");
}
