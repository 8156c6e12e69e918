//! One run to its end, with what stopped it if it failed.

use crate::plan::Plan;
use crate::trace::Trace;
use crate::world::{Outcome, World};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

/// Why a run failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// Which file and line said so: a checker, or an assertion of production code.
    pub place: String,
    /// What it said.
    pub what: String,
}

thread_local! {
    static LAST_PANIC: RefCell<Option<Failure>> = const { RefCell::new(None) };
}

static HOOK: Once = Once::new();

/// Panics are kept for the report, and printed without the way that led to them.
fn keep_panics() {
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            let place = info.location().map_or_else(String::new, |at| format!("{}:{}", at.file(), at.line()));
            let text = info.payload().downcast_ref::<String>().map(String::as_str);
            let what =
                text.or(info.payload().downcast_ref::<&str>().copied()).unwrap_or("a panic without words");
            eprintln!("panicked at {place}:\n{what}");
            LAST_PANIC.with_borrow_mut(|last| *last = Some(Failure { place, what: what.to_owned() }));
        }));
    });
}

/// Runs a plan; the trace comes back with its outcome.
pub fn run_plan(plan: &Plan, trace: Trace) -> (Result<Outcome, Failure>, Trace) {
    keep_panics();
    let mut world = World::new(plan.clone(), trace);
    let outcome = catch_unwind(AssertUnwindSafe(|| world.run())).map_err(|_| {
        let last = LAST_PANIC.with_borrow_mut(Option::take);
        last.unwrap_or_else(|| Failure { place: String::new(), what: "a panic that nobody saw".to_owned() })
    });
    (outcome, world.into_trace())
}
