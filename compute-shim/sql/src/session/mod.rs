//! One connection's state: settings, transaction, prepared statements, portals.
//!
//! Owns [`Session`], the whole interface to the server. The server frames and encodes; a session decides what is
//! answered. Calls that return [`Step`] may return a need: wait, then call again with the same arguments.

mod settings;
mod view;

pub(crate) use settings::Settings;
pub(crate) use view::{SessionHost, SessionView};

use crate::answer::{Completion, PortalColumns, QueryProgress, Sink, StatementDescription};
use crate::database::Database;
use crate::environment::Environment;
use crate::stop::{Step, Stop};
use hexalog_protocol::Lsn;
use hexalog_sql_types::{SqlError, TypeId};
use std::sync::Arc;

/// What the start-up packet said.
#[derive(Clone, Debug)]
pub struct Startup {
    /// Role to act as.
    pub user: String,
    /// Database to connect to.
    pub database: String,
    /// The other parameters, settings such as `application_name`.
    pub parameters: Vec<(String, String)>,
    /// Answered by `pg_backend_pid()`.
    pub process_id: i32,
}

/// One connection.
pub struct Session {
    database: Arc<Database>,
    environment: Box<dyn Environment>,
}

impl Session {
    /// 3D000 for an unknown database, 28000 for an unknown role.
    pub fn new(
        database: Arc<Database>,
        startup: Startup,
        environment: Box<dyn Environment>,
    ) -> Result<Session, SqlError> {
        let _ = startup;
        Ok(Session { database, environment })
    }

    /// The ParameterStatus reports of the start-up.
    pub fn parameter_status(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Reportable settings that have changed since the last call: to be sent as ParameterStatus.
    pub fn take_changed_parameters(&mut self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// `I` idle, `T` in a transaction block, `E` in a failed one.
    pub fn transaction_status(&self) -> u8 {
        b'I'
    }

    /// `statement_timeout` in milliseconds, 0 for none.
    pub fn statement_timeout_ms(&self) -> u64 {
        0
    }

    /// `lock_timeout` in milliseconds, 0 for none. It bounds one wait for [`hexalog_engine::Need::Lock`].
    pub fn lock_timeout_ms(&self) -> u64 {
        0
    }

    /// Parse: touches no storage.
    pub fn parse(&mut self, name: &str, text: &str, parameter_types: &[TypeId]) -> Result<(), SqlError> {
        let _ = (name, text, parameter_types, &self.database, &self.environment);
        Err(SqlError::unsupported("everything"))
    }

    /// Bind: touches no storage.
    pub fn bind(
        &mut self,
        portal: &str,
        statement: &str,
        parameter_formats: &[i16],
        parameters: &[Option<&[u8]>],
        result_formats: &[i16],
    ) -> Result<(), SqlError> {
        let _ = (portal, statement, parameter_formats, parameters, result_formats);
        Err(SqlError::unsupported("everything"))
    }

    /// Describe of a statement.
    pub fn describe_statement(&mut self, name: &str) -> Result<StatementDescription, SqlError> {
        let _ = name;
        Err(SqlError::unsupported("everything"))
    }

    /// Describe of a portal; `None` is NoData.
    pub fn describe_portal(&mut self, name: &str) -> Result<Option<PortalColumns>, SqlError> {
        let _ = name;
        Err(SqlError::unsupported("everything"))
    }

    /// Close of a statement; an unknown name is no error.
    pub fn close_statement(&mut self, name: &str) {
        let _ = name;
    }

    /// Close of a portal; an unknown name is no error.
    pub fn close_portal(&mut self, name: &str) {
        let _ = name;
    }

    /// A hint before [`Session::execute`]: the next message is Sync, so a statement may commit with its last write.
    pub fn sync_follows(&mut self) {}

    /// Starts or continues a portal; a row limit of 0 means all rows. Rows given to the sink before a need or a pause
    /// stay given.
    pub fn execute(&mut self, portal: &str, row_limit: u32, sink: &mut dyn Sink) -> Step<Completion> {
        let _ = (portal, row_limit, sink);
        Err(Stop::Error(SqlError::unsupported("everything")))
    }

    /// Sync: ends the implicit transaction, if there is one.
    pub fn sync(&mut self) -> Step<()> {
        Ok(())
    }

    /// A simple Query message: splits and parses the whole text, as PostgreSQL does, before anything runs.
    pub fn query_start(&mut self, text: &str) -> Result<(), SqlError> {
        let _ = text;
        Err(SqlError::unsupported("everything"))
    }

    /// Runs the Query message on.
    pub fn query_step(&mut self, sink: &mut dyn Sink) -> Step<QueryProgress> {
        let _ = sink;
        Ok(QueryProgress::Finished)
    }

    /// Data of COPY FROM STDIN; returns how many bytes were taken (the rest is to be given again).
    pub fn copy_data(&mut self, bytes: &[u8]) -> Step<usize> {
        Ok(bytes.len())
    }

    /// CopyDone.
    pub fn copy_done(&mut self) -> Step<Completion> {
        Err(Stop::Error(SqlError::unsupported("everything")))
    }

    /// CopyFail: the error that the statement fails with.
    pub fn copy_fail(&mut self, message: &str) -> SqlError {
        SqlError::new(
            hexalog_sql_types::SqlState::QUERY_CANCELED,
            format!("COPY from stdin failed: {message}"),
        )
    }

    /// A statement failed or was cancelled: an open block becomes aborted (`E`), an implicit transaction is rolled
    /// back.
    pub fn fail(&mut self, error: &SqlError) -> Step<()> {
        let _ = error;
        Ok(())
    }

    /// Nothing produced so far may be told to the client before VDL covers this; [`Lsn`] zero: tell at once.
    pub fn answer_lsn(&self) -> Lsn {
        Lsn(0)
    }

    /// The connection has ended: rolls back what is open.
    pub fn close(&mut self) -> Step<()> {
        Ok(())
    }
}
