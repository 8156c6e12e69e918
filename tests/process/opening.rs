//! Opening the volume on real processes: with members missing, after a kill, and against another opener.
#![allow(clippy::disallowed_methods)] // Files and sleeps are what a test of processes is made of.

mod harness;

use harness::process::wait_until;
use harness::{COMMAND_MAX, Cluster, free_port};
use hexalog::sql::Connection;
use rustix::process::Signal;
use std::time::Duration;

/// Whether a session can be had on a port.
fn answers(port: u16) -> bool {
    let address = ([127, 0, 0, 1], port).into();
    Connection::connect(address, "postgres", "postgres", "test", Some(Duration::from_millis(500))).is_ok()
}

/// The writer's epoch as compute tells it, once it is open for writing.
fn writing_epoch(cluster: &Cluster) -> Option<u64> {
    let status = cluster.status();
    let report = &status["compute"]["report"];
    let is_open = report["state"] == "open";
    report["epoch"].as_u64().filter(|epoch| is_open && Some(*epoch) == status["epoch_metadata"].as_u64())
}

#[test]
fn status_of_a_healthy_cluster() {
    let cluster = Cluster::start(&[]);
    assert!(answers(cluster.port));
    cluster.wait_until_well();
    let status = cluster.status();
    assert_eq!(status["daemons"].as_array().map(Vec::len), Some(6));
    let zones: Vec<_> =
        status["daemons"].as_array().expect("six").iter().map(|daemon| &daemon["az"]).collect();
    assert_eq!(zones, ["a", "a", "b", "b", "c", "c"]);
    assert_eq!(status["groups"].as_array().map(Vec::len), Some(8));
    assert!(status["groups"].as_array().expect("eight").iter().all(|group| group["members_up"] == 6));
    assert_eq!(writing_epoch(&cluster), Some(1));
    cluster.stop();
}

/// Compute is killed and started again; then again with a whole zone gone.
#[test]
fn compute_opens_again_and_without_a_zone() {
    let mut cluster = Cluster::start(&[]);
    let arguments = cluster.arguments_of("compute");
    cluster.kill("compute");
    cluster.start_by_hand("compute", &arguments);
    wait_until(COMMAND_MAX, "compute to open again", || writing_epoch(&cluster) == Some(2));
    assert!(answers(cluster.port));
    cluster.kill_by_hand("compute");
    cluster.kill("node-5");
    cluster.kill("node-6");
    cluster.start_by_hand("compute", &arguments);
    wait_until(COMMAND_MAX, "compute to open without a zone", || writing_epoch(&cluster) == Some(3));
    assert!(answers(cluster.port));
    let problems = cluster.problems();
    assert!(problems.iter().any(|problem| problem.contains("daemon 5 (az c)")), "{problems:?}");
    assert!(!problems.iter().any(|problem| problem.contains("quorum lost")), "{problems:?}");
}

/// With three of six gone the volume cannot be opened for writing; it is, by itself, once a fourth is back.
#[test]
fn an_opening_waits_for_its_quorum() {
    let mut cluster = Cluster::start(&[]);
    let (compute, node) = (cluster.arguments_of("compute"), cluster.arguments_of("node-3"));
    cluster.kill("compute");
    for node in ["node-1", "node-2", "node-3"] {
        cluster.kill(node);
    }
    cluster.start_by_hand("compute", &compute);
    wait_until(COMMAND_MAX, "status to name the lost quorum", || {
        cluster.problems().iter().any(|problem| problem == "write quorum lost: group 0, 3/6")
    });
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(writing_epoch(&cluster), None, "three members do not make a writer");
    cluster.start_by_hand("node-3", &node);
    wait_until(COMMAND_MAX, "the writer to open", || writing_epoch(&cluster) == Some(2));
    wait_until(COMMAND_MAX, "a session", || answers(cluster.port));
}

/// A compute that was paused while another opened the volume is fenced by storage: it ends with a code of its own
/// and is not started again.
#[test]
fn a_paused_compute_is_fenced_by_its_successor() {
    let mut cluster = Cluster::start(&["--restart"]);
    let mut arguments = cluster.arguments_of("compute");
    cluster.signal("compute", Signal::STOP);
    let port = free_port();
    let listen = arguments.iter().position(|word| word == "--listen").expect("an option of compute");
    arguments[listen + 1] = format!("127.0.0.1:{port}");
    cluster.start_by_hand("new compute", &arguments);
    wait_until(COMMAND_MAX, "the successor to open", || writing_epoch(&cluster) == Some(2));
    cluster.signal("compute", Signal::CONT);
    cluster.wait_for_line(|line| line.contains("compute") && line.contains("exit code 16"));
    cluster.wait_for_line(|line| line.contains("not started again by itself"));
    assert!(answers(port), "the successor is not disturbed");
    assert_eq!(writing_epoch(&cluster), Some(2));
}

/// Daemons that were killed come back with what they had and count again.
#[test]
fn killed_daemons_come_back() {
    let mut cluster = Cluster::start(&[]);
    for node in ["node-1", "node-4"] {
        let arguments = cluster.arguments_of(node);
        cluster.kill(node);
        cluster.start_by_hand(node, &arguments);
    }
    cluster.wait_until_caught_up();
    cluster.wait_until_well();
    assert_eq!(writing_epoch(&cluster), Some(1), "compute has not noticed more than reconnects");
}

/// Compute is killed while a transaction writes long values. Nothing of it is there afterwards, and no page is lost: what
/// is written each time takes more than half of the volume.
#[test]
fn long_values_of_a_killed_compute_are_gone_and_their_pages_free() {
    let mut cluster = Cluster::start(&["--restart", "--device-bytes", "96MiB", "--groups", "2"]);
    cluster.sql(
        "create table src as select string_agg(md5(i::text), '') as v from generate_series(1, 32768) i; \
         create table t (id int primary key, v text)",
    );
    let digest = cluster.sql("select md5(v) from src");
    let insert = "insert into t select i, v from src, generate_series(1, 28) i";
    for is_under_way in [false, true] {
        let begin = format!("begin; {insert}");
        let address = ([127, 0, 0, 1], cluster.port).into();
        let mut writer = Connection::connect(address, "postgres", "postgres", "test", Some(COMMAND_MAX))
            .expect("connects");
        if is_under_way {
            writer.send_query(&begin).expect("sends");
            std::thread::sleep(Duration::from_millis(400));
        } else {
            writer.query(&begin).expect("an answer").expect("inserts");
        }
        cluster.kill("compute");
        cluster.wait_for_line(|line| line.contains("compute started again"));
        drop(writer);
        wait_until(COMMAND_MAX, "compute to answer", || cluster.psql("select 1").is_ok());
        assert_eq!(cluster.sql("select count(*) from t"), "0");
    }
    // Undo and purge go on beside the sessions. What finds no room takes all that is free first, and gives it to purge again: they
    // have a while to themselves.
    wait_until(COMMAND_MAX, "the pages to be free again", || {
        let inserted = cluster.psql(insert).inspect_err(|error| eprintln!("not yet: {error}")).is_ok();
        if !inserted {
            std::thread::sleep(Duration::from_secs(3));
        }
        inserted
    });
    assert_eq!(
        cluster.sql("select count(*), count(distinct md5(v)), min(md5(v)) from t"),
        format!("28|1|{digest}")
    );
    cluster.stop();
}

/// Who is slow can be seen: each page that was read is counted for the node that served it.
#[test]
fn explain_tells_which_nodes_served_what_was_read() {
    let mut cluster = Cluster::start(&["--restart"]);
    cluster.sql("create table t as select i, repeat('x', 200) as x from generate_series(1, 10000) i");
    cluster.kill("compute");
    cluster.wait_for_line(|line| line.contains("compute started again"));
    wait_until(COMMAND_MAX, "compute to answer", || cluster.psql("select 1").is_ok());
    let text = cluster.sql("explain (analyze, buffers, timing off, costs off) select count(x) from t");
    let number = |of: &str| -> u64 {
        let at = text.find(of).unwrap_or_else(|| panic!("no {of} in {text}")) + of.len();
        let digits: String = text[at..].chars().take_while(char::is_ascii_digit).collect();
        digits.parse().expect("a number")
    };
    let line = text.lines().find(|line| line.contains("Storage Reads: ")).unwrap_or_else(|| panic!("{text}"));
    let nodes = line.split(": ").nth(1).expect("a list").split(", ");
    let counts: Vec<(u64, u64)> = nodes
        .map(|node| {
            let (node, count) = node.strip_prefix("node ").and_then(|node| node.split_once('=')).expect(line);
            (node.parse().expect(line), count.parse().expect(line))
        })
        .collect();
    assert!(counts.iter().all(|(node, _)| (1..=6).contains(node)), "{text}");
    // One that left the cache before it was looked at is counted for nobody.
    let (counted, read) = (counts.iter().map(|(_, count)| count).sum::<u64>(), number(" read="));
    assert!(counted <= read && counted * 2 > read, "{text}");
    assert!(number(" read=") > 100, "it was not in the cache: {text}");
    cluster.stop();
}
