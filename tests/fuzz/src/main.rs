//! `fuzz`: runs targets for as long as one likes and keeps what breaks them.

#![allow(clippy::disallowed_methods)] // The clock chooses the seed.

use fuzz::target::Target;
use fuzz::targets::TARGETS;
use fuzz::{corpus, run};
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "usage: fuzz [--target NAME] [--seconds S] [--seed N] | --record
  --target NAME   this target alone; all of them in turn without
  --seconds S     for each target (default 60)
  --seed N        decides the inputs (default: from the clock)
  --record        write the valid inputs anew: after a change of a format";

struct Arguments {
    targets: Vec<&'static Target>,
    seconds: u64,
    seed: u64,
    is_recording: bool,
}

fn arguments() -> Option<Arguments> {
    let clock =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |t| t.as_nanos());
    let mut found =
        Arguments { targets: TARGETS.iter().collect(), seconds: 60, seed: clock as u64, is_recording: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--target" => {
                let name = arguments.next()?;
                found.targets.retain(|target| target.name == name);
                if found.targets.is_empty() {
                    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
                    eprintln!("there is no target {name}: {}", names.join(", "));
                    return None;
                }
            }
            "--seconds" => found.seconds = arguments.next()?.parse().ok()?,
            "--seed" => found.seed = arguments.next()?.parse().ok()?,
            "--record" => found.is_recording = true,
            _ => return None,
        }
    }
    Some(found)
}

fn main() -> ExitCode {
    let Some(arguments) = arguments() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    if arguments.is_recording {
        for target in &arguments.targets {
            for (name, bytes) in (target.seeds)() {
                corpus::write(target, &format!("valid-{name}"), name, &bytes);
            }
        }
        return ExitCode::SUCCESS;
    }
    run::hush_panics();
    let mut broken = 0;
    for target in &arguments.targets {
        match run::run(target, arguments.seed, Duration::from_secs(arguments.seconds)) {
            Ok(report) => println!("{}: {} inputs, {} answers", target.name, report.inputs, report.answers),
            Err(finding) => {
                broken += 1;
                let name = format!("broke-{:08x}", crc32c::crc32c(&finding.input));
                let path = corpus::write(target, &name, &finding.what, &finding.input);
                println!(
                    "{} BROKE (seed {}): {}\n  kept as {}",
                    target.name,
                    arguments.seed,
                    finding.what,
                    path.display()
                );
            }
        }
    }
    if broken > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
