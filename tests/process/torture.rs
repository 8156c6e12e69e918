//! The short form of `tests/torture`: some seconds of load and faults against real processes, judged by its own invariants, and
//! the history of its lists by the simulator's checkers too.

mod harness;

use harness::HEXALOG;
use harness::process::run_limited;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Against a hang; it takes about a minute.
const RUN_MAX: Duration = Duration::from_secs(600);
const SEED: &str = "41";

#[test]
fn no_fault_costs_what_was_acknowledged() {
    let mut python = Command::new("/usr/bin/python3");
    if !run_limited(python.args(["-c", "import psycopg2"]), RUN_MAX).is_success {
        eprintln!("skipped: /usr/bin/python3 has no psycopg2");
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/torture/torture.py");
    let directory = env!("CARGO_TARGET_TMPDIR");
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-B", script, "--binary", HEXALOG, "--work-dir", directory, "--seed", SEED]);
    let output = run_limited(command.args(["--port=26200", "--phases=1", "--seconds=12"]), RUN_MAX);
    assert!(output.is_success, "{}\n{}", output.stdout, output.stderr);
    let file = Path::new(directory).join(format!("torture-plain-{SEED}/lists.history"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let history = simulator::recorded::parse(&text).expect("a history");
    assert!(history.txns.len() > 20, "{} transactions of lists\n{}", history.txns.len(), output.stdout);
    assert_eq!(simulator::recorded::check(&history), Ok(()));
}
