//! Statistics that refresh themselves: ANALYZE of tables of which much has changed.
//!
//! Owns when to look, and the session in which it is run; which tables are due is the SQL layer's to say. One table at a
//! time, on a runtime that is there, giving way to clients' sessions. `docs/decisions/0142-statistics-refresh-themselves.md`.

use crate::control::{ServerControl, StopState};
use crate::environment::wall_clock_us;
use hexalog_engine::Need;
use hexalog_sql::{
    CancelReason, ColumnDescription, Database, Environment, Flow, QueryProgress, Session, Severity, Sink,
    Startup, Step, Stop,
};
use hexalog_sql_types::{Datum, EvalEnv, SqlError};
use std::sync::Arc;
use std::time::Duration;

/// Rows that a table may have which nobody has asked to be analysed: it is read whole, and that should neither take long nor
/// push others' pages out of the cache. A guess at a second's work.
const ROWS_MAX: u32 = 1_000_000;

/// Looks from time to time until the server stops.
pub(crate) async fn run(database: Arc<Database>, control: Arc<ServerControl>, pause: Duration) {
    while control.stop_state() == StopState::Running {
        tokio::time::sleep(pause).await;
        for statement in database.take_due_analyses() {
            // A table that is too large, or was dropped meanwhile: it is counted from zero.
            let _ = analyse(&database, &control, &statement).await;
        }
    }
}

async fn analyse(
    database: &Arc<Database>,
    control: &Arc<ServerControl>,
    statement: &str,
) -> Result<(), SqlError> {
    let startup = Startup {
        user: "postgres".to_owned(),
        database: "postgres".to_owned(),
        parameters: vec![
            ("application_name".to_owned(), "autoanalyze".to_owned()),
            ("hexalog.analyze_rows_max".to_owned(), ROWS_MAX.to_string()),
        ],
        process_id: 0,
    };
    let mut session = Session::new(Arc::clone(database), startup, Box::new(Quiet(Arc::clone(control))))?;
    let result = match session.query_start(statement) {
        Ok(()) => query(database, &mut session).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &result {
        step(database, || session.fail(error)).await?;
    }
    step(database, || session.close()).await?;
    result
}

async fn query(database: &Database, session: &mut Session) -> Result<(), SqlError> {
    loop {
        if let QueryProgress::Finished = step(database, || session.query_step(&mut Nobody)).await? {
            return Ok(());
        }
    }
}

/// Calls `step` until it is through, waiting for its needs.
async fn step<T>(database: &Database, mut step: impl FnMut() -> Step<T>) -> Result<T, SqlError> {
    let engine = database.engine();
    loop {
        match step() {
            Ok(done) => return Ok(done),
            Err(Stop::Error(error)) => return Err(error),
            Err(Stop::Need(Need::Yield)) => tokio::task::yield_now().await,
            Err(Stop::Need(need)) => {
                if let Need::Durable(lsn) = need {
                    engine.volume().seal_through(lsn);
                }
                std::future::poll_fn(|cx| match engine.poll_need(&need, cx.waker()) {
                    true => std::task::Poll::Ready(()),
                    false => std::task::Poll::Pending,
                })
                .await;
            }
        }
    }
}

/// The world of a session without a client: it ends with the process.
struct Quiet(Arc<ServerControl>);

impl Environment for Quiet {
    fn wall_clock_us(&self) -> i64 {
        wall_clock_us()
    }

    fn random_u64(&self) -> u64 {
        crate::session::random_u64()
    }

    fn cancelled(&self) -> Option<CancelReason> {
        (self.0.stop_state() > StopState::Running).then_some(CancelReason::Shutdown)
    }
}

/// Takes what nobody is told.
struct Nobody;

impl Sink for Nobody {
    fn row_description(&mut self, _: &Arc<[ColumnDescription]>, _: &[i16]) {}

    fn row(
        &mut self,
        _: &EvalEnv<'_>,
        _: &[Datum],
        _: &[ColumnDescription],
        _: &[i16],
    ) -> Result<Flow, SqlError> {
        Ok(Flow::Continue)
    }

    fn notice(&mut self, _: Severity, _: &SqlError) {}

    fn copy_out_start(&mut self, _: u16, _: bool) {}

    fn copy_out_data(&mut self, _: &[u8]) -> Flow {
        Flow::Continue
    }

    fn copy_out_end(&mut self) {}
}
