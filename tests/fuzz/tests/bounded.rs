//! A bounded run on every test run. Longer ones: `cargo run -p fuzz -- --seconds 600`.

use fuzz::target::TAKEN;
use fuzz::targets::TARGETS;
use fuzz::{corpus, run};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

/// For each target; all together stay below 20 s.
const DURATION: Duration = Duration::from_millis(800);

/// The allocator counts the whole process: one test at a time, and all targets in one.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn every_decoder_holds() {
    let _turn = TURN.lock();
    run::hush_panics();
    let mut broken = Vec::new();
    for target in TARGETS {
        for (name, input) in corpus::read(target) {
            if let Err(what) = run::try_once(target, &input) {
                broken.push(format!("{} {name}: {what}", target.name));
            }
        }
        match run::run(target, 1, DURATION) {
            Ok(report) => {
                println!("{}: {} inputs, {} answers", target.name, report.inputs, report.answers);
                if report.answers < 3 {
                    broken.push(format!("{}: mutants reach nothing: {report:?}", target.name));
                }
            }
            Err(finding) => broken.push(format!(
                "{}: {}\n  to keep the input: cargo run -p fuzz -- --target {} --seed 1",
                target.name, finding.what, target.name
            )),
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// What is kept is what the encoders write today, and is taken.
#[test]
fn valid_inputs_are_as_recorded() {
    let _turn = TURN.lock();
    for target in TARGETS {
        let kept = corpus::read(target);
        let recorded: BTreeSet<(String, Vec<u8>)> =
            kept.into_iter().filter(|(name, _)| name.starts_with("valid-")).collect();
        let seeds = (target.seeds)();
        let written: BTreeSet<(String, Vec<u8>)> =
            seeds.into_iter().map(|(name, bytes)| (format!("valid-{name}"), bytes)).collect();
        for (name, bytes) in &written {
            assert_eq!((target.check)(bytes), TAKEN, "{} {name}", target.name);
        }
        assert!(
            recorded == written,
            "{}: a format has changed; if it was meant to: cargo run -p fuzz -- --record",
            target.name
        );
    }
}
