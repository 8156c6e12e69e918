//! The short form of `tests/power-loss`: a few images of what a power cut leaves of a whole cluster.

mod harness;

use harness::HEXALOG;
use harness::process::run_limited;
use std::process::Command;
use std::time::Duration;

/// What `power_loss.py` ends with where packages or rights are missing.
const EXIT_SKIPPED: i32 = 77;
/// Against a hang; it takes about 40 s.
const RUN_MAX: Duration = Duration::from_secs(400);

#[test]
fn acknowledged_commits_survive_power_cuts() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/power-loss/power_loss.py");
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-B", script, "--binary", HEXALOG, "--images=12", "--seconds=6", "--keep"]);
    let output = run_limited(command.arg(concat!(env!("CARGO_TARGET_TMPDIR"), "/power-loss")), RUN_MAX);
    if output.code == Some(EXIT_SKIPPED) {
        eprintln!("{}", output.stdout);
        return;
    }
    assert!(output.is_success, "{}\n{}", output.stdout, output.stderr);
    assert!(output.stdout.contains("12 images, 0 bad"), "{}", output.stdout);
}

/// That the model of the device and the judge can find something.
#[test]
fn the_judge_can_say_no() {
    let mut command = Command::new("/usr/bin/python3");
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/power-loss"));
    let output = run_limited(command.args(["-B", "-m", "unittest", "test_recording"]), RUN_MAX);
    assert!(output.is_success, "{}\n{}", output.stdout, output.stderr);
}
