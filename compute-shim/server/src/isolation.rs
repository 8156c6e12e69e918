//! What a panic ends: one session, if all that the others share is whole; else the process.
//!
//! Owns the panic hook and [`isolated`], which steps a session. A panic inside of a call of the engine ends the process
//! before anything unwinds, and so does one outside of a session's step. What is left is SQL's own work, and that touches
//! nothing but its session between two calls of the engine. `docs/decisions/0140-a-panic-ends-its-session.md` says why
//! that is enough.

use hexalog_engine::call;
use hexalog_sql_types::SqlError;
use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    /// This thread steps a session that can be given up.
    static STEPPING: Cell<bool> = const { Cell::new(false) };
}

/// From now on a panic ends the process with `exit_code` at once, unless it is one session's alone. Either is reported as
/// ever.
pub fn end_process_on_panic(exit_code: i32) {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        if !STEPPING.get() || call::is_inside() {
            std::process::exit(exit_code);
        }
    }));
}

/// Runs one step of a session. XX000 if it panics: the session may then be closed, and nothing else.
pub(crate) fn isolated<T>(step: impl FnOnce() -> T) -> Result<T, SqlError> {
    STEPPING.set(true);
    // The session is not looked at again but for its transaction, which only calls of the engine change.
    let result = catch_unwind(AssertUnwindSafe(step));
    STEPPING.set(false);
    result.map_err(|panic| {
        let is_lost = call::take_lost_transaction();
        assert!(!is_lost, "a panic of a session has left its transaction's locks to nobody");
        broken(&*panic)
    })
}

fn broken(panic: &(dyn Any + Send)) -> SqlError {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    SqlError::internal(format!("internal error: {}", text.unwrap_or("a panic without a message")))
        .with_detail(
            "The session has met a bug of the server and ends. What it had not committed is rolled back.",
        )
        .with_hint("The server's log says where. Please report it with the statement.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hexalog_engine::memory_volume::MemoryVolume;
    use hexalog_engine::{Engine, Isolation, Options};
    use hexalog_protocol::geometry::Geometry;
    use std::sync::Arc;

    #[test]
    fn a_panic_of_a_step_is_an_error_that_says_what_it_was() {
        assert_eq!(isolated(|| 1).expect("no panic"), 1);
        for (error, message) in [
            (isolated(|| panic!("plain")).map(|()| 0), "internal error: plain"),
            (isolated(|| panic!("with {}", 1)).map(|()| 0), "internal error: with 1"),
        ] {
            let error = error.expect_err("a panic");
            assert_eq!(error.fields().message, message);
            assert_eq!(error.sqlstate().as_str(), "XX000");
        }
        assert!(!STEPPING.get());
    }

    /// How this test binary ends if it runs one test alone, with the hook of the process.
    fn exit_code_of(test: &str) -> Option<i32> {
        let this = std::env::current_exe().expect("a test has a binary");
        let mut child = std::process::Command::new(this);
        child.args(["--exact", "--ignored", "--test-threads=1", &format!("isolation::tests::{test}")]);
        child.output().expect("runs").status.code()
    }

    #[test]
    fn a_panic_that_may_leave_shared_state_half_done_ends_the_process() {
        assert_eq!(exit_code_of("inside_of_a_call"), Some(37));
        assert_eq!(exit_code_of("outside_of_a_step"), Some(37));
        assert_eq!(exit_code_of("with_a_transaction_that_it_drops"), Some(37));
        assert_eq!(exit_code_of("between_two_calls"), Some(0));
    }

    fn engine() -> Engine {
        end_process_on_panic(37);
        let volume = MemoryVolume::new(Geometry { pages_per_group: 4096, groups: 1 });
        let engine = Engine::new(Arc::clone(&volume) as _, Options { frames: 1024, ..Options::default() });
        volume.run(&engine, || engine.create()).expect("formats");
        engine
    }

    #[test]
    #[ignore = "ends its process; run by the one above"]
    fn inside_of_a_call() {
        let engine = engine();
        let mut txn = engine.begin(Isolation::ReadCommitted, false);
        let _ = isolated(|| engine.commit_then(&mut txn, |_| panic!("between append and fall of the locks")));
    }

    #[test]
    #[ignore = "ends its process; run by the one above"]
    fn outside_of_a_step() {
        let _engine = engine();
        let _ = catch_unwind(|| panic!("of the process's own work"));
    }

    #[test]
    #[ignore = "ends its process; run by the one above"]
    fn with_a_transaction_that_it_drops() {
        let engine = engine();
        let _ = isolated(|| {
            let _txn = engine.begin(Isolation::ReadCommitted, false);
            panic!("nobody can end it");
        });
    }

    #[test]
    #[ignore = "run by the one above"]
    fn between_two_calls() {
        let engine = engine();
        let mut txn = engine.begin(Isolation::ReadCommitted, false);
        let step = isolated(|| {
            let _ = engine.begin_statement(&mut txn);
            panic!("after a call has returned");
        });
        assert!(step.is_err());
        assert!(engine.abort(&mut txn).is_ok(), "the session ends its transaction");
    }
}
