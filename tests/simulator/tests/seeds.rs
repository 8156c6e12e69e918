//! A few seeds on every test run; many of them are for `cargo run --release -p simulator`.

use simulator::plan::{KEPT, Plan};
use simulator::world::World;

/// Shorter than a drawn run: these tests share a debug build's patience with all others.
const WORK_US: u64 = 300_000;

fn run(plan: Plan) -> simulator::world::Outcome {
    World::new(Plan { work_us: WORK_US, ..plan }, false).run()
}

#[test]
fn a_handful_of_seeds_holds() {
    let (mut acknowledged, mut faults, mut reads) = (0, 0, 0);
    for seed in [3, 5, 7, 8, 10] {
        let outcome = run(Plan::draw(seed));
        acknowledged += outcome.acknowledged.0;
        faults += outcome.faults;
        reads += outcome.reads_checked;
    }
    assert!(acknowledged > 500, "the runs do something: {acknowledged} LSNs");
    assert!(faults > 3, "{faults} faults");
    assert!(reads > 100, "{reads} reads");
}

#[test]
fn plans_that_failed_once_hold() {
    let kept: Vec<Plan> = KEPT.lines().filter_map(Plan::kept).collect();
    assert!(kept.len() >= 10, "the file is read");
    // One in three here, all of them with `--kept`.
    for plan in kept.into_iter().step_by(3) {
        run(plan);
    }
}

/// Without this no failing seed could be looked at twice.
#[test]
fn one_seed_run_twice_gives_one_trace() {
    for seed in [11, 12] {
        let first = run(Plan::draw(seed));
        assert_eq!(first, run(Plan::draw(seed)), "seed {seed}");
        assert_ne!(
            first.trace_hash,
            run(Plan::draw(seed + 100)).trace_hash,
            "the hash takes in what happens"
        );
    }
}
