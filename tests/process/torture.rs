//! The short form of `tests/torture`: some seconds of load against real processes, judged by its own invariants, and the history of
//! its lists and registers by the simulator's checkers too.

mod harness;

use harness::process::run_limited;
use harness::{HEXALOG, free_port};
use simulator::history::{History, Level, Outcome};
use simulator::recorded;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Against a hang; a run takes about a minute.
const RUN_MAX: Duration = Duration::from_secs(600);

#[test]
fn no_fault_costs_what_was_acknowledged() {
    let Some(history) = run("41", "mixed", &["--seconds=12"]) else { return };
    assert_eq!(recorded::check(&history), Ok(()));
}

/// What each level forbids is not there, and what it does not forbid is: write skew at REPEATABLE READ. A history of that level which
/// says that it was SERIALIZABLE is refused.
#[test]
fn each_level_keeps_what_it_promises_and_no_more() {
    for (seed, isolation, level, may_skew) in [
        ("42", "read-committed", Level::ReadCommitted, false),
        ("43", "repeatable-read", Level::RepeatableRead, true),
        ("44", "serializable", Level::Serializable, false),
    ] {
        let Some(history) = run(seed, isolation, &["--seconds=6", "--no-faults"]) else { return };
        let committed =
            history.txns.iter().filter(|txn| txn.level == level && txn.outcome == Outcome::Ok).count();
        assert!(committed > 50, "{isolation}: {committed} transactions");
        assert_eq!(recorded::check(&history), Ok(()), "{isolation}");
        let relabelled = recorded::check(&history.as_serializable());
        assert_eq!(relabelled.is_err(), may_skew, "{isolation}: {relabelled:?}");
        if let Err(violation) = relabelled {
            assert!(violation.what.starts_with("G2"), "{violation}");
        }
    }
}

/// The history of a run in which nothing was wrong; `None` where the script cannot be run.
fn run(seed: &str, isolation: &str, more: &[&str]) -> Option<History> {
    let python = Path::new("/usr/bin/python3");
    let mut import = Command::new(python);
    if !python.exists() || !run_limited(import.args(["-c", "import psycopg2"]), RUN_MAX).is_success {
        eprintln!("skipped: there is no /usr/bin/python3 with psycopg2");
        return None;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/torture/torture.py");
    let directory = env!("CARGO_TARGET_TMPDIR");
    let mut command = Command::new(python);
    command.args(["-B", script, "--binary", HEXALOG, "--work-dir", directory, "--seed", seed]);
    command.args([&format!("--port={}", free_port()), "--phases=1", "--isolation", isolation]).args(more);
    let output = run_limited(&mut command, RUN_MAX);
    assert!(output.is_success, "{}\n{}", output.stdout, output.stderr);
    let file = Path::new(directory).join(format!("torture-plain-{seed}/recorded.history"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let history = recorded::parse(&text).expect("a history");
    assert!(history.txns.len() > 20, "{} transactions\n{}", history.txns.len(), output.stdout);
    Some(history)
}
