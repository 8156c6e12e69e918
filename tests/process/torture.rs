//! The short form of `tests/torture`: some seconds of load and faults against real processes, judged by its own invariants, and
//! the history of its lists by the simulator's checkers too.

mod harness;

use harness::process::run_limited;
use harness::{HEXALOG, free_port};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Against a hang; it takes about a minute.
const RUN_MAX: Duration = Duration::from_secs(600);
const SEED: &str = "41";

#[test]
fn no_fault_costs_what_was_acknowledged() {
    let python = Path::new("/usr/bin/python3");
    let mut import = Command::new(python);
    if !python.exists() || !run_limited(import.args(["-c", "import psycopg2"]), RUN_MAX).is_success {
        eprintln!("skipped: there is no /usr/bin/python3 with psycopg2");
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/torture/torture.py");
    let directory = env!("CARGO_TARGET_TMPDIR");
    let mut command = Command::new(python);
    command.args(["-B", script, "--binary", HEXALOG, "--work-dir", directory, "--seed", SEED]);
    command.args([&format!("--port={}", free_port()), "--phases=1", "--seconds=12"]);
    let output = run_limited(&mut command, RUN_MAX);
    assert!(output.is_success, "{}\n{}", output.stdout, output.stderr);
    let file = Path::new(directory).join(format!("torture-plain-{SEED}/lists.history"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let history = simulator::recorded::parse(&text).expect("a history");
    assert!(history.txns.len() > 20, "{} transactions of lists\n{}", history.txns.len(), output.stdout);
    assert_eq!(simulator::recorded::check(&history), Ok(()));
}
