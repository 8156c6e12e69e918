//! Metadata goes away under a running cluster: nothing that runs is told, and what is started anew says what is missing.
#![allow(clippy::disallowed_methods)] // Files and sleeps are what a test of processes is made of.

mod harness;

use harness::process::{run_limited, wait_until};
use harness::{COMMAND_MAX, Cluster, HEXALOG};
use std::process::Command;
use std::time::{Duration, Instant};

/// How long metadata is away: a few times as long as anything that runs waits for it.
const AWAY: Duration = Duration::from_secs(12);

/// Load of all kinds, as long as metadata is away; none of it fails.
fn run_sql(cluster: &Cluster, port: u16, name: &str) {
    let sql = |text: &str| {
        harness::psql(port, text)
            .unwrap_or_else(|error| panic!("{text}: {error}\n{}", harness::logs(&cluster.data_dir)))
    };
    let deadline = Instant::now() + AWAY;
    let mut rows = 0;
    sql(&format!("create table {name} (id int primary key, v text)"));
    while Instant::now() < deadline {
        // New pages, and definitions beside them.
        sql(&format!(
            "insert into {name} select i, repeat('x', 500) from generate_series({rows} + 1, {rows} + 200) i; \
             create index {name}_{rows} on {name} (v, id); drop index {name}_{rows}; \
             update {name} set v = 'y' where id = {rows} + 1"
        ));
        rows += 200;
        assert_eq!(sql(&format!("select count(*) from {name}")), rows.to_string());
    }
    assert!(rows > 0);
}

#[test]
fn a_cluster_runs_on_without_its_metadata() {
    let mut cluster = Cluster::start(&["--restart"]);
    let away = cluster.data_dir.join("away");
    std::fs::create_dir(&away).expect("a directory");
    let file = |name: &str| cluster.data_dir.join(name);
    let names = ["metadata.sqlite", "metadata.sqlite-wal", "metadata.sqlite-shm"];
    for name in names.iter().filter(|name| file(name).exists()) {
        std::fs::rename(file(name), away.join(name)).expect("moves");
    }
    std::thread::scope(|scope| {
        let load = scope.spawn(|| run_sql(&cluster, cluster.port, "while_away"));
        // A daemon that dies meanwhile is started again and catches up: it needs no metadata either.
        cluster.kill("node-3");
        load.join().expect("no statement failed");
    });
    let status = run_limited(
        Command::new(HEXALOG).arg("status").arg("--data-dir").arg(&cluster.data_dir),
        COMMAND_MAX,
    );
    assert_eq!(status.code, Some(14), "{status:?}");
    assert!(status.stderr.contains("metadata.sqlite does not exist"), "{status:?}");
    // What is started anew needs it, and says so.
    cluster.kill("compute");
    cluster.wait_for_line(|line| {
        line.contains("its last words") && line.contains("metadata.sqlite does not exist")
    });
    for name in names.iter().filter(|name| away.join(name).exists()) {
        std::fs::rename(away.join(name), cluster.data_dir.join(name)).expect("moves");
    }
    wait_until(COMMAND_MAX, "compute to come back by itself", || cluster.psql("select 1").is_ok());
    assert!(cluster.sql("select count(*) from while_away").parse::<u64>().expect("a number") > 0);
    cluster.wait_until_well();
    cluster.stop();
}

#[cfg(any(feature = "etcd", feature = "dynamodb"))]
mod servers {
    use super::*;
    use harness::free_port;
    use harness::process::Process;
    use hexalog_cluster::{Location, Opening};
    use std::ffi::OsStr;

    /// Copies a cluster's metadata to another store.
    fn copy(cluster: &Cluster, location: &str) {
        let open = |location: &OsStr, opening| Location::parse(location).expect("a location").open(opening);
        let from =
            open(cluster.data_dir.join("metadata.sqlite").as_os_str(), Opening::Existing).expect("opens");
        let to = open(OsStr::new(location), Opening::OrCreate).expect("opens");
        for entry in from.list("").expect("lists") {
            to.create(&entry.key, &entry.value).expect("creates").expect("it is empty");
        }
    }

    /// A compute on a cluster whose metadata is at `location`; its server is killed under it and comes back.
    fn check(location: &str, mark: &str, start_server: impl Fn() -> Process) {
        let server = start_server();
        let mut cluster = Cluster::start(&[]);
        wait_until(COMMAND_MAX, "the server to answer", || {
            let place = Location::parse(OsStr::new(location)).expect("a location");
            place.open(Opening::OrCreate).is_ok_and(|store| store.get("cluster").is_ok())
        });
        copy(&cluster, location);
        // No two writers: the supervised one would be fenced.
        cluster.kill("compute");
        let port = free_port();
        let compute = ["compute", "--metadata", location, "--listen", &format!("127.0.0.1:{port}")]
            .map(str::to_owned)
            .to_vec();
        let arguments: Vec<String> = std::iter::once(HEXALOG.to_owned()).chain(compute).collect();
        cluster.start_by_hand("compute on a server", &arguments);
        wait_until(COMMAND_MAX, "compute to answer", || harness::psql(port, "select 1").is_ok());
        let status =
            || run_limited(Command::new(HEXALOG).args(["status", "--metadata", location]), COMMAND_MAX);
        wait_until(COMMAND_MAX, "all to be well", || status().code == Some(0));

        // Killed by its id.
        drop(server);
        run_sql(&cluster, port, "while_away");
        let told = status();
        assert_eq!(told.code, Some(14), "{told:?}");
        assert!(told.stderr.contains(mark), "{told:?}");
        cluster.kill_by_hand("compute on a server");
        let refused = run_limited(Command::new(HEXALOG).args(&arguments[1..]), COMMAND_MAX);
        assert_eq!(refused.code, Some(14), "{refused:?}");
        assert!(refused.stderr.contains(mark), "{refused:?}");

        let _server = start_server();
        wait_until(COMMAND_MAX, "the server to answer", || status().code == Some(19));
        cluster.start_by_hand("compute on a server", &arguments);
        wait_until(COMMAND_MAX, "compute to answer", || harness::psql(port, "select 1").is_ok());
        assert!(harness::psql(port, "select count(*) > 0 from while_away").expect("reads") == "t");
        cluster.stop();
    }

    #[cfg(feature = "etcd")]
    #[test]
    fn compute_runs_on_without_etcd() {
        if Command::new("etcd").arg("--version").output().is_err() {
            eprintln!("skipped: there is no etcd (apt install etcd-server)");
            return;
        }
        let directory = harness::test_directory();
        let [client, peer] = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
        let start = || {
            let (client, peer) = (format!("http://{client}"), format!("http://{peer}"));
            let mut command = Command::new("etcd");
            command.arg("--data-dir").arg(directory.path().join("etcd"));
            command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
            command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
            command.args(["--initial-cluster", &format!("default={peer}")]);
            Process::start("etcd", command)
        };
        check(&format!("etcd://{client}/clusters/test"), &client, start);
    }

    #[cfg(feature = "dynamodb")]
    #[test]
    fn compute_runs_on_without_its_table() {
        let packages = std::env::var_os("NODE_PATH").unwrap_or_default();
        let program = std::path::Path::new(&packages).join("dynalite/cli.js");
        if !program.exists() {
            eprintln!("skipped: NODE_PATH names no directory with dynalite (npm install dynalite)");
            return;
        }
        let directory = harness::test_directory();
        let port = free_port().to_string();
        let start = || {
            let mut command = Command::new("node");
            command.arg(&program).args(["--host", "127.0.0.1", "--port", &port, "--createTableMs", "20"]);
            command.arg("--path").arg(directory.path().join("tables"));
            Process::start("dynalite", command)
        };
        let server = format!("http://127.0.0.1:{port}");
        check(
            &format!("dynamodb://hexalog?region=test-1&endpoint={server}&credentials=none"),
            &server,
            start,
        );
    }
}
