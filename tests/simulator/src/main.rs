//! `simulator`: runs seeds and says which fail and how to run one again.

use simulator::plan::{KEPT, Plan};
use simulator::world::World;
use std::process::ExitCode;

const USAGE: &str = "usage: simulator [--seed N | --first N --seeds K | --kept] [--trace]
  --seed N    this seed alone
  --first N   first of several seeds (default 1)
  --seeds K   how many (default 100)
  --kept      every seed that failed once, under the plan that it failed under
  --trace     print every event";

fn main() -> ExitCode {
    let (mut seed, mut seeds, mut is_traced, mut is_kept) = (1u64, 100u64, false, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse().ok());
        let is_known = match argument.as_str() {
            "--seed" => number().map(|n| (seed, seeds) = (n, 1)).is_some(),
            "--first" => number().map(|n| seed = n).is_some(),
            "--seeds" => number().map(|n| seeds = n).is_some(),
            "--kept" => {
                is_kept = true;
                true
            }
            "--trace" => {
                is_traced = true;
                true
            }
            _ => false,
        };
        if !is_known {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    let mut failed = 0;
    let drawn = || (seed..seed + seeds).map(Plan::draw).collect();
    let plans: Vec<Plan> = if is_kept { KEPT.lines().filter_map(Plan::kept).collect() } else { drawn() };
    for plan in plans {
        let seed = plan.seed;
        let shown = format!("{plan:?}");
        match std::panic::catch_unwind(|| World::new(plan, is_traced).run()) {
            Ok(outcome) => println!(
                "seed {seed}: {} events, {} acknowledged, {} openings, {} faults, {} hydrated, {} reads, {} of members, {} extents collected, hash {:016x}",
                outcome.events,
                outcome.acknowledged,
                outcome.openings,
                outcome.faults,
                outcome.hydrated,
                outcome.reads_checked,
                outcome.member_reads_checked,
                outcome.extents_collected,
                outcome.trace_hash
            ),
            Err(_) => {
                failed += 1;
                println!(
                    "seed {seed} FAILED: {shown}\n  again: cargo run --release -p simulator -- --seed {seed} --trace"
                );
            }
        }
    }
    if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
