//! Drivers, ORMs and migration tools of other languages against this server. Each script of `drivers/` is skipped, with a message,
//! where its language, or a package that it imports, is not installed. `HEXALOG_TEST_PYTHON` names another interpreter than
//! `python3`, `NODE_PATH` the directory of Node's packages, `HEXALOG_TEST_JDBC` the JDBC driver.
#![allow(clippy::disallowed_methods)] // Processes and waits are what a test of tools is made of.

mod fixture;

use fixture::TestServer;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A script that takes longer hangs.
const SCRIPT_MAX: Duration = Duration::from_secs(120);
/// Where Debian's package puts it.
const JDBC: &str = "/usr/share/java/postgresql.jar";
/// What an interpreter says of a package that it does not find.
const MISSING: [&str; 2] = ["ModuleNotFoundError", "Error: Cannot find module"];

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drivers").join(name)
}

fn set_or(variable: &str, default: &str) -> OsString {
    std::env::var_os(variable).unwrap_or_else(|| default.into())
}

/// A script of Python's.
fn run(name: &str) {
    run_with(name, Command::new(set_or("HEXALOG_TEST_PYTHON", "python3")).arg(script(name)));
}

fn run_with(name: &str, command: &mut Command) {
    let server = TestServer::start();
    command.arg(server.address.port().to_string());
    let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = started else {
        eprintln!("skipped: {name}: there is no {:?}", command.get_program());
        return;
    };
    // Read as it comes: a pipe that is full would hold up the script.
    let mut pipe = child.stderr.take().expect("it is piped");
    let reader = std::thread::spawn(move || {
        let mut errors = Vec::new();
        pipe.read_to_end(&mut errors).map(|_| String::from_utf8_lossy(&errors).into_owned())
    });
    let deadline = Instant::now() + SCRIPT_MAX;
    let status = loop {
        if let Some(status) = child.try_wait().expect("can be asked") {
            break status;
        }
        if Instant::now() > deadline {
            child.kill().expect("can be ended");
            panic!("{name} hangs");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let errors = reader.join().expect("it reads").expect("a pipe is read");
    let missing = errors.lines().find(|line| MISSING.iter().any(|missing| line.starts_with(missing)));
    if let Some(missing) = missing {
        eprintln!("skipped: {name}: {missing}");
        return;
    }
    assert!(status.success(), "{name}: {errors}");
}

#[test]
fn node_postgres() {
    run_with("node_postgres.js", Command::new("node").arg(script("node_postgres.js")));
}

#[test]
fn jdbc() {
    let driver = set_or("HEXALOG_TEST_JDBC", JDBC);
    if !Path::new(&driver).exists() {
        eprintln!("skipped: Jdbc.java: there is no {driver:?}");
        return;
    }
    run_with("Jdbc.java", Command::new("java").arg("-cp").arg(driver).arg(script("Jdbc.java")));
}

#[test]
fn psycopg2_cursors() {
    run("psycopg2_cursors.py");
}

#[test]
fn psycopg_cursors() {
    run("psycopg_cursors.py");
}

#[test]
fn asyncpg_cursors() {
    run("asyncpg_cursors.py");
}

#[test]
fn psycopg2_copy() {
    run("psycopg2_copy.py");
}

#[test]
fn psycopg_copy() {
    run("psycopg_copy.py");
}

#[test]
fn asyncpg_copy() {
    run("asyncpg_copy.py");
}

#[test]
fn django_migrations() {
    run("django_migrations.py");
}

#[test]
fn django_test_database() {
    run("django_test_database.py");
}

#[test]
fn sqlalchemy_and_alembic() {
    run("sqlalchemy_alembic.py");
}

#[test]
fn psycopg_enums() {
    run("psycopg_enums.py");
}

#[test]
fn sqlalchemy_enums() {
    run("sqlalchemy_enums.py");
}
