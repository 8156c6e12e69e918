//! A few seeds on every test run; many of them are for `cargo run --release -p simulator`.

use simulator::plan::{KEPT, Plan, Profile};
use simulator::report::run_plan;
use simulator::trace::Trace;
use simulator::workload::{Levels, Mix};
use simulator::world::Outcome;

/// Shorter than a drawn run: these tests share a debug build's patience with all others.
const WORK_US: u64 = 300_000;

#[track_caller]
fn run(plan: Plan) -> Outcome {
    let plan = Plan { work_us: plan.work_us.min(WORK_US), ..plan };
    match run_plan(&plan, Trace::hashed()).0 {
        Ok(outcome) => outcome,
        Err(failure) => panic!("{plan}\n{}: {}", failure.place, failure.what),
    }
}

/// Fresh seeds for every commit, the same for all who test it.
fn fresh_seeds() -> impl Iterator<Item = u64> {
    // Of a tree without git, and of one whose head is packed away, the seeds are the same as ever.
    let git = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.git");
    let read = |name: &str| std::fs::read_to_string(format!("{git}/{name}")).unwrap_or_default();
    let head = read("HEAD");
    let commit = head.trim().strip_prefix("ref: ").map_or(head.clone(), read);
    let hash = commit
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let first = hash % 1_000_000_000;
    first..
}

#[test]
fn a_handful_of_seeds_holds() {
    for profile in [Profile::Volume, Profile::Sql] {
        let (mut acknowledged, mut faults, mut reads, mut committed) = (0, 0, 0, 0);
        for seed in [3, 5, 7, 8, 10] {
            let outcome = run(Plan::draw(seed, Some(profile)));
            acknowledged += outcome.acknowledged.0;
            faults += outcome.faults;
            reads += outcome.reads_checked;
            committed += outcome.committed;
        }
        assert!(acknowledged > 500, "the runs do something: {acknowledged} LSNs");
        assert!(faults > 3, "{faults} faults");
        assert!(reads > 30, "{reads} reads");
        assert!(committed > 50 || profile == Profile::Volume, "{committed} transactions");
    }
}

#[test]
fn seeds_of_this_commit_hold() {
    for (count, seed) in fresh_seeds().take(6).enumerate() {
        let profile = if count % 2 == 0 { Profile::Sql } else { Profile::Volume };
        run(Plan::draw(seed, Some(profile)));
    }
}

#[test]
fn plans_that_failed_once_hold() {
    let kept: Vec<Plan> = KEPT.lines().filter_map(Plan::parse).collect();
    assert!(kept.len() >= 10, "the file is read");
    // One in three here, all of them with `--kept`.
    for plan in kept.into_iter().step_by(3) {
        run(plan);
    }
}

#[test]
fn a_plan_is_the_same_after_it_was_written_down() {
    for profile in [None, Some(Profile::Bulk)] {
        for seed in 0..200 {
            let plan = Plan::draw(seed, profile);
            assert_eq!(Plan::parse(&plan.to_string()), Some(plan));
        }
    }
    let shortened = Plan { only_faults: Some([3, 7].into()), ..Plan::draw(1, None) };
    assert_eq!(Plan::parse(&shortened.to_string()), Some(shortened));
}

/// Lists and registers at each level alone. At REPEATABLE READ, write skew is found in what some of the runs did, so the checkers can
/// see it; at SERIALIZABLE each run has looked for it.
#[test]
fn each_level_keeps_what_it_promises_and_no_more() {
    let mix = Mix { lists: 6, registers: 6, ..Mix::NONE };
    let none = Levels { read_committed: 0, repeatable_read: 0, serializable: 0 };
    for (level, may_skew) in [
        (Levels { read_committed: 1, ..none }, false),
        (Levels { repeatable_read: 1, ..none }, true),
        (Levels { serializable: 1, ..none }, false),
    ] {
        let (mut committed, mut skews) = (0, 0);
        for seed in 560_000_000..560_000_004 {
            let plan = Plan { mix, levels: level, ..Plan::draw(seed, Some(Profile::Sql)) };
            let outcome = run(plan);
            committed += outcome.committed;
            skews += u64::from(outcome.has_write_skew);
        }
        assert!(committed > 50, "{level:?}: {committed} transactions");
        assert_eq!(skews > 0, may_skew, "{level:?}: {skews} runs show write skew");
    }
}

/// Without this no failing seed could be looked at twice.
#[test]
fn one_seed_run_twice_gives_one_trace() {
    for (seed, profile) in (20..26).zip([Profile::Volume, Profile::Sql].into_iter().cycle()) {
        let plan = || Plan { work_us: 100_000, ..Plan::draw(seed, Some(profile)) };
        let first = run(plan());
        assert_eq!(first, run(plan()), "seed {seed}");
        let other = run(Plan { seed: seed + 100, ..plan() });
        assert_ne!(first.trace_hash, other.trace_hash, "the hash takes in what happens");
    }
}
