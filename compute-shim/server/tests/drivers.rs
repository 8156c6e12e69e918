//! Python's drivers, ORMs and migration tools against this server. Each script of `drivers/` is skipped, with a message, where a
//! package that it imports is not installed; `HEXALOG_TEST_PYTHON` names another interpreter than `python3`.
#![allow(clippy::disallowed_methods)] // Processes and waits are what a test of tools is made of.

mod fixture;

use fixture::TestServer;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A script that takes longer hangs.
const SCRIPT_MAX: Duration = Duration::from_secs(120);

fn run(script: &str) {
    let server = TestServer::start();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drivers").join(script);
    let python = std::env::var("HEXALOG_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut command = Command::new(python);
    command.arg(path).arg(server.address.port().to_string());
    let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = started else {
        eprintln!("skipped: there is no python3");
        return;
    };
    let deadline = Instant::now() + SCRIPT_MAX;
    while child.try_wait().expect("can be asked").is_none() {
        if Instant::now() > deadline {
            child.kill().expect("can be ended");
            panic!("{script} hangs");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().expect("it has ended");
    let errors = String::from_utf8_lossy(&output.stderr);
    if let Some(missing) = errors.lines().find(|line| line.starts_with("ModuleNotFoundError")) {
        eprintln!("skipped: {script}: {missing}");
        return;
    }
    assert!(output.status.success(), "{script}: {errors}");
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
