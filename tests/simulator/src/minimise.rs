//! Shortens the fault plan of a run that fails: fewer faults are easier to follow.
//!
//! Delta debugging (Zeller and Hildebrandt 2002) over the numbers of the faults that were made: leaves out parts, keeps
//! what still fails at the same place. Another failure does not count: with fewer faults most of them are of the same cause, but
//! say less of it.

use crate::plan::Plan;
use crate::report::run_plan;
use crate::trace::Trace;
use std::collections::BTreeSet;

/// Runs after which it stops with what it has.
const RUNS_MAX: usize = 200;

/// A plan that fails with as few faults as were found to do; the plan itself if it does not fail.
pub fn minimise(plan: &Plan) -> Plan {
    let all = 0..plan.fault_times().len() as u64;
    let mut faults: Vec<u64> = all.filter(|number| plan.has_fault(*number)).collect();
    let Err(first) = run_plan(plan, Trace::hashed()).0 else { return plan.clone() };
    let mut runs = 0;
    let mut fails = |faults: &[u64]| {
        runs += 1;
        let only = faults.iter().copied().collect::<BTreeSet<u64>>();
        let plan = Plan { only_faults: Some(only), ..plan.clone() };
        let is_same =
            || run_plan(&plan, Trace::hashed()).0.is_err_and(|failure| failure.place == first.place);
        (runs <= RUNS_MAX).then(is_same)
    };
    let mut parts = 1;
    while !faults.is_empty() {
        let length = faults.len().div_ceil(parts);
        let mut shorter = None;
        for start in (0..faults.len()).step_by(length) {
            let end = (start + length).min(faults.len());
            let rest = [&faults[..start], &faults[end..]].concat();
            match fails(&rest) {
                Some(true) => {
                    shorter = Some(rest);
                    break;
                }
                Some(false) => {}
                None => return Plan { only_faults: Some(faults.into_iter().collect()), ..plan.clone() },
            }
        }
        match shorter {
            Some(rest) => {
                faults = rest;
                parts = (parts - 1).max(2);
            }
            None if length == 1 => break,
            None => parts = (2 * parts).min(faults.len()),
        }
    }
    Plan { only_faults: Some(faults.into_iter().collect()), ..plan.clone() }
}
