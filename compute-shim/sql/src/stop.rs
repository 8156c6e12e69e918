//! Why a call into this crate stopped: it waits for something, or it failed.
//!
//! Owns [`Stop`] and the translation of the engine's errors into PostgreSQL's. Never waits itself: the caller waits for
//! the [`Need`] through `Engine::poll_need` and calls again with the same arguments.

use hexalog_engine::page_file::FileError;
use hexalog_engine::{Cycle, EngineError, Need};
use hexalog_sql_types::{SqlError, SqlState};

/// What every call that may touch storage returns: the answer, or why there is none yet or ever.
pub type Step<T> = Result<T, Stop>;

/// Why a call did not return its answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stop {
    /// Wait for this, then call again with the same arguments. What was done before stays done.
    Need(Need),
    /// The statement failed. The caller hands the error to [`crate::Session::fail`] and reports it.
    Error(SqlError),
}

impl From<Need> for Stop {
    fn from(need: Need) -> Stop {
        Stop::Need(need)
    }
}

impl From<SqlError> for Stop {
    fn from(error: SqlError) -> Stop {
        Stop::Error(error)
    }
}

impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Stop {
        Stop::Error(engine_error(&error))
    }
}

impl From<hexalog_engine::Stop> for Stop {
    fn from(stop: hexalog_engine::Stop) -> Stop {
        match stop {
            hexalog_engine::Stop::Need(need) => Stop::Need(need),
            hexalog_engine::Stop::Fail(error) => error.into(),
        }
    }
}

/// The engine's error with PostgreSQL's state and, where it has one, its wording.
pub(crate) fn engine_error(error: &EngineError) -> SqlError {
    if let EngineError::TemporaryFile(error) = error {
        return file_error("use", error);
    }
    let state = error.sqlstate().as_bytes().first_chunk::<5>().expect("states have five characters");
    let message = match error {
        EngineError::Fenced => {
            "terminating connection because another writer has opened the volume".to_owned()
        }
        EngineError::ReadOnly => "cannot execute the statement in a read-only transaction".to_owned(),
        other => other.to_string(),
    };
    let error_out = SqlError::new(SqlState::new(state), message);
    match error {
        EngineError::NotSerializable(cycle) => error_out
            .with_detail(format!("Reason code: {}.", reason(*cycle)))
            .with_hint("The transaction might succeed if retried."),
        EngineError::Deadlock => error_out.with_hint("See server log for query details."),
        EngineError::StorageFull => error_out.with_hint(
            "Reads, ROLLBACK, DELETE, DROP and TRUNCATE still work. Make room, or give the storage daemons larger devices.",
        ),
        _ => error_out,
    }
}

/// What is wrong with a temporary file, in PostgreSQL's words.
pub(crate) fn file_error(doing: &str, error: &FileError) -> SqlError {
    let failed = |state, why: &str| SqlError::new(state, format!("could not {doing} temporary file: {why}"));
    match error {
        FileError::Full => failed(SqlState::DISK_FULL, "No space left on device"),
        FileError::Failed(why) => failed(SqlState::IO_ERROR, why),
        FileError::Refused { what, mend } => {
            SqlError::new(SqlState::CONFIGURATION_LIMIT_EXCEEDED, what.clone()).with_hint(mend.clone())
        }
        FileError::NotCreated { directory, why } => {
            let message = format!("could not create temporary file in \"{directory}\": {why}");
            SqlError::new(SqlState::IO_ERROR, message).with_hint(
                "Start compute with TMPDIR naming a directory that is there and that its user may write to.",
            )
        }
        FileError::TooManyOpen(why) => {
            let message = format!("could not create temporary file: {why}");
            SqlError::new(SqlState::INSUFFICIENT_RESOURCES, message).with_hint(
                "Have fewer large statements at once, or raise compute's limit of open files (ulimit -n).",
            )
        }
    }
}

/// PostgreSQL's reason codes, and one of our own.
fn reason(cycle: Cycle) -> &'static str {
    match cycle {
        Cycle::PivotAtRead => "Canceled on identification as a pivot, during conflict out checking",
        Cycle::PivotAtWrite => "Canceled on identification as a pivot, during write",
        Cycle::PivotAtCommit => "Canceled on identification as a pivot, during commit attempt",
        Cycle::OutToPivot => "Canceled on conflict out to pivot, during read",
        Cycle::PreparedPivot => "Canceled on commit attempt with conflict in from prepared pivot",
        Cycle::TooMany => "Canceled for the memory that concurrent transactions of its long life had come to",
    }
}
