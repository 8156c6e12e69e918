//! Statistics that refresh themselves: ANALYZE of tables of which much has changed.
//!
//! Owns when to look, and the session in which it is run; which tables are due is the SQL layer's to say, and how much of one is
//! read. One table at a time, in a session like any client's: a panic is that session's alone, and the process's end, a
//! timeout and whoever waits for the table's lock stop it. `docs/decisions/0142-statistics-refresh-themselves.md`.

use crate::control::{SessionControl, StopState};
use crate::environment::ServerEnvironment;
use crate::isolation::isolated;
use crate::listener::Worker;
use crate::session::random_u64;
use crate::wait::Waiting;
use hexalog_sql::{
    CancelReason, ColumnDescription, Database, DueAnalysis, Environment, Flow, QueryProgress, Session,
    Severity, Sink, Startup, Stop,
};
use hexalog_sql_types::{Datum, EvalEnv, SqlError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A table is read in a second or so; one that takes longer lies on storage that others need.
const STATEMENT_TIMEOUT: &str = "60s";

/// Looks from time to time until the server stops.
pub(crate) async fn run(worker: Arc<Worker>, pause: Duration) {
    let started = Instant::now();
    let now_us = || u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    while worker.control.stop_state() == StopState::Running {
        tokio::time::sleep(pause).await;
        for due in worker.database.take_due_analyses(now_us()) {
            let result = analyse(&worker, &due).await;
            worker.database.analysis_is_over(&due, now_us());
            if worker.control.stop_state() != StopState::Running {
                return;
            }
            if let Err(error) = result {
                eprintln!("hexalog compute: {}: {}", due.statement, error.fields().message);
            }
        }
    }
}

async fn analyse(worker: &Arc<Worker>, due: &DueAnalysis) -> Result<(), SqlError> {
    let control = worker.control.register_own();
    let _long = worker.long_statement();
    let result = analyse_in(worker, &control, due).await;
    worker.control.unregister(control.process_id);
    result
}

async fn analyse_in(
    worker: &Worker,
    control: &Arc<SessionControl>,
    due: &DueAnalysis,
) -> Result<(), SqlError> {
    let startup = Startup {
        user: "postgres".to_owned(),
        database: due.database_name.clone(),
        parameters: vec![
            ("application_name".to_owned(), "autoanalyze".to_owned()),
            ("statement_timeout".to_owned(), STATEMENT_TIMEOUT.to_owned()),
            // Whatever the database sets for its sessions.
            ("default_transaction_read_only".to_owned(), "off".to_owned()),
            ("default_transaction_isolation".to_owned(), "read committed".to_owned()),
        ],
        process_id: control.process_id,
    };
    let waiting = Waiting {
        engine: worker.database.engine(),
        durability: &worker.durability,
        control,
        stream: None,
        is_read_only: false,
    };
    let world = GivesWay {
        world: ServerEnvironment(Arc::clone(control)),
        database: Arc::clone(&worker.database),
        due: due.clone(),
    };
    let mut session = isolated(|| {
        let environment = (worker.options.environment)(Box::new(world));
        Session::new(Arc::clone(&worker.database), startup, environment)
    })??;
    session.activity().set_background();
    control.start_timeout(session.statement_timeout_ms());
    let result = query(&mut session, &waiting, &due.statement).await;
    control.end_timeout();
    // What is left open is rolled back, be it that the session has panicked.
    while let Err(Stop::Need(need)) = session.close() {
        if !waiting.need_uncancelled(&need).await {
            break;
        }
    }
    result
}

async fn query(session: &mut Session, waiting: &Waiting<'_>, statement: &str) -> Result<(), SqlError> {
    isolated(|| session.query_start(statement))??;
    loop {
        match isolated(|| session.query_step(&mut Nobody))? {
            Ok(QueryProgress::Finished) => return Ok(()),
            Ok(QueryProgress::Statement(_)) => {}
            Err(Stop::Error(error)) => return Err(error),
            Err(Stop::Need(need)) => waiting.need(&need, session.lock_timeout_ms()).await?,
        }
    }
}

/// The world of a session that stops when another waits for its table, or wants its database to itself.
struct GivesWay {
    world: ServerEnvironment,
    database: Arc<Database>,
    due: DueAnalysis,
}

impl Environment for GivesWay {
    fn wall_clock_us(&self) -> i64 {
        self.world.wall_clock_us()
    }

    fn random_u64(&self) -> u64 {
        random_u64()
    }

    fn pause(&self, us: u64) {
        self.world.pause(us);
    }

    fn cancelled(&self) -> Option<CancelReason> {
        let gives_way = || self.database.is_in_the_way(&self.due).then_some(CancelReason::Request);
        self.world.cancelled().or_else(gives_way)
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
