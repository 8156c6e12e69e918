//! One connection's state: settings, transaction, prepared statements, portals.
//!
//! Owns [`Session`], the whole interface to the server. The server frames and encodes; a session decides what is
//! answered. Calls that return [`Step`] may return a need: wait, then call again with the same arguments.
//!
//! `transaction.rs` holds what every statement runs in; `statement.rs` statements and their plans, `portal.rs`
//! portals, `cursor.rs` what DECLARE makes of them, `query.rs` the Query message; `run.rs` leads from a statement to the machine that runs it.

mod command;
mod concurrent_index;
pub mod copy;
mod cursor;
mod define;
mod explain_run;
mod extension;
mod meaning;
mod meter;
mod plan_run;
mod portal;
mod prepared;
mod query;
mod reindex;
mod run;
mod savepoint;
mod settings;
mod shared;
mod shown;
mod statement;
pub(crate) mod temporary;
mod told;
mod transaction;
mod view;

pub(crate) use settings::{SERVER_VERSION, Settings, encoding_name};
pub(crate) use shared::SharedStatements;
pub(crate) use statement::StatementView;
pub(crate) use told::with_type_names;
pub(crate) use view::{CreationPlace, CursorView, SessionView};

use crate::answer::{
    CommandTag, Completion, PortalColumns, QueryProgress, Sink, StatementDescription, format_of,
};
use crate::catalog::Catalog;
use crate::catalog::object::DATABASE_OWNER_OID;
use crate::catalog::published::PublishedCatalog;
use crate::connections::Connection;
use crate::database::Database;
use crate::environment::Environment;
use crate::parse;
use crate::sessions::{SessionActivity, SessionWait};
use crate::stop::Step;
use copy::input::CopyIn;
use hexalog_protocol::Lsn;
use hexalog_sql_types::{Datum, EvalEnv, SqlError, SqlState, TypeId, Typmod, binary, text};
use meter::{Counted, Meter};
use portal::{Named, Portal};
use query::{Query, commit_implicit};
use run::{Call, Execution};
use statement::Prepared;
use std::sync::Arc;
use transaction::{Ended, Scope, Status};

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
    scope: Scope,
    named: Named,
    /// Boxed: most sessions are idle.
    query: Option<Box<Query>>,
    copy: Option<Copying>,
    /// The next message is Sync.
    is_sync_next: bool,
    reports: Vec<(String, String)>,
}

/// COPY FROM STDIN, awaiting data or ending.
struct Copying {
    prepared: Arc<Prepared>,
    copy: Box<CopyIn>,
    meter: Meter,
    /// Of a Query message, whose last statement it is.
    is_last: bool,
    tag: Option<CommandTag>,
}

impl Copying {
    fn new(execution: &mut Execution, is_last: bool) -> Copying {
        let (copy, meter) = execution.take_copy();
        Copying { prepared: execution.prepared.clone(), copy, meter, is_last, tag: None }
    }
}

impl Session {
    /// 3D000 for an unknown database, 28000 for an unknown role; 55000 for a database that nobody may connect to, 57P03 while it
    /// is being dropped or renamed.
    pub fn new(
        database: Arc<Database>,
        startup: Startup,
        environment: Box<dyn Environment>,
    ) -> Result<Session, SqlError> {
        let catalog = database.any_catalog().ok_or_else(|| no_database(&startup.database))?;
        let Startup { user, database: name, parameters, process_id } = startup;
        // As they were cut when they were given.
        let (user, name) = (parse::cut(user), parse::cut(name));
        if catalog.role_by_name(&user).is_none() {
            let message = format!("role \"{user}\" does not exist");
            return Err(SqlError::new(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, message));
        }
        if catalog.role_by_name(&user).is_some_and(|role| role.oid == DATABASE_OWNER_OID) {
            let message = format!("role \"{user}\" is not permitted to log in");
            return Err(SqlError::new(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, message));
        }
        let (published, connection) = connect(&database, &catalog, &name, process_id)?;
        database.statements.begin(environment.wall_clock_us());
        let mut settings = Settings::new(&user, database.options().direct_routes);
        settings.set_by_process("max_prepared_transactions", database.options().prepared_max);
        settings.set_by_database(&published.newest().catalog);
        for (name, value) in &parameters {
            settings.set_at_start(name, value)?;
        }
        let reports = settings.take_changed();
        let view = SessionView::new(&user, &name, process_id, settings, published);
        let application_name = view.settings.application_name().clone();
        let (of, user) = (view.catalog().database, view.user_oid);
        let now_us = environment.wall_clock_us();
        let activity = database.sessions.begin(process_id, of, user, now_us, application_name);
        Ok(Session {
            named: Named::shown_by(&view),
            scope: Scope::new(database, environment, view, activity, connection),
            query: None,
            copy: None,
            is_sync_next: false,
            reports,
        })
    }

    /// The ParameterStatus reports of the start-up, once.
    pub fn parameter_status(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.reports)
    }

    /// Reportable settings that have changed since the last call: to be sent as ParameterStatus.
    pub fn take_changed_parameters(&mut self) -> Vec<(String, String)> {
        self.scope.view.settings.take_changed()
    }

    /// `I` idle, `T` in a transaction block, `E` in a failed one.
    pub fn transaction_status(&self) -> u8 {
        match self.scope.status() {
            Status::Idle | Status::Started | Status::Implicit => b'I',
            Status::Block => b'T',
            Status::Failed => b'E',
        }
    }

    /// The client is about to be told that the session is ready: others see it idle from now on.
    pub fn ready(&mut self) {
        self.scope.show_resting();
    }

    /// Where it is said what the session does, besides what it says itself.
    pub fn activity(&self) -> &Arc<SessionActivity> {
        &self.scope.activity
    }

    /// `statement_timeout` in milliseconds, 0 for none.
    pub fn statement_timeout_ms(&self) -> u64 {
        self.scope.view.settings.statement_timeout_ms()
    }

    /// `lock_timeout` in milliseconds, 0 for none. It bounds one wait for [`hexalog_engine::Need::Lock`].
    pub fn lock_timeout_ms(&self) -> u64 {
        self.scope.view.settings.lock_timeout_ms()
    }

    /// `idle_in_transaction_session_timeout` in milliseconds, 0 for none. Whoever waits for the next message of a
    /// session with an open block ends the connection after it (25P03).
    pub fn idle_in_transaction_timeout_ms(&self) -> u64 {
        self.scope.view.settings.idle_in_transaction_timeout_ms()
    }

    /// Parse: touches no storage.
    pub fn parse(&mut self, name: &str, text: &str, parameter_types: &[TypeId]) -> Result<(), SqlError> {
        self.try_parse(name, text, parameter_types).map_err(|error| self.scope.named(error))
    }

    fn try_parse(&mut self, name: &str, text: &str, parameter_types: &[TypeId]) -> Result<(), SqlError> {
        self.scope.arrive();
        if name.is_empty() {
            self.named.statements.remove_unnamed();
        }
        self.scope.refresh();
        let parsed = self.named.statements.parse_one(&self.scope, text, parameter_types);
        self.show_running(text, parsed.as_ref().ok());
        let prepared = parsed?;
        self.check_takes(&prepared)?;
        self.named.statements.check_free(name)?;
        if let Some(planned) = prepared.planned() {
            planned.plan(&self.scope, true)?;
        }
        self.named.statements.add(name, prepared, self.scope.statement_us(), false)
    }

    /// Shows others the text of a message, be it that it is none that could be parsed.
    fn show_running(&self, text: &str, parsed: Option<&Arc<Prepared>>) {
        match parsed {
            Some(prepared) => self.scope.show_running(prepared.text()),
            None => self.scope.show_running(&shown::shown_part(text).into()),
        }
    }

    /// 25P02 unless a failed block takes the statement.
    fn check_takes(&self, prepared: &Prepared) -> Result<(), SqlError> {
        if prepared.ends_transaction() { Ok(()) } else { self.scope.check_not_failed() }
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
        self.try_bind(portal, statement, parameter_formats, parameters, result_formats)
            .map_err(|error| self.scope.named(error))
    }

    fn try_bind(
        &mut self,
        portal: &str,
        statement: &str,
        parameter_formats: &[i16],
        parameters: &[Option<&[u8]>],
        result_formats: &[i16],
    ) -> Result<(), SqlError> {
        self.scope.arrive();
        let prepared = self.named.statements.get(statement)?;
        let execution = if let Some(planned) = prepared.planned() {
            self.scope.refresh();
            self.check_takes(&prepared)?;
            let plan = planned.plan(&self.scope, true)?;
            check_parameter_count(statement, parameters.len(), plan.parameters.len())?;
            let host = self.scope.host();
            let env = self.scope.env(&host);
            let values = parameter_values(&env, portal, &plan.parameters, parameter_formats, parameters)?;
            Execution::with_plan(prepared.clone(), plan, values)
        } else {
            check_parameter_count(statement, parameters.len(), 0)?;
            self.check_takes(&prepared)?;
            Execution::new(prepared)
        };
        if portal.is_empty() {
            self.named.portals.remove("");
        }
        self.named.portals.check_free(portal)?;
        self.check_result_formats(&execution, result_formats)?;
        let created_us = self.scope.statement_us();
        self.named.portals.put(
            portal,
            Portal {
                execution,
                formats: result_formats.into(),
                created_us,
                has_begun: false,
                is_running: false,
                serial: self.scope.savepoints.serial(),
                is_held_over: false,
            },
        );
        Ok(())
    }

    fn check_result_formats(&self, execution: &Execution, formats: &[i16]) -> Result<(), SqlError> {
        if formats.len() <= 1 {
            return Ok(());
        }
        let columns = execution.columns(&self.scope, &self.named)?;
        let count = columns.map_or(0, |columns| columns.len());
        if formats.len() == count {
            return Ok(());
        }
        let message =
            format!("bind message has {} result formats but query has {count} columns", formats.len());
        Err(SqlError::new(SqlState::PROTOCOL_VIOLATION, message))
    }

    /// Describe of a statement.
    pub fn describe_statement(&mut self, name: &str) -> Result<StatementDescription, SqlError> {
        self.try_describe_statement(name).map_err(|error| self.scope.named(error))
    }

    fn try_describe_statement(&mut self, name: &str) -> Result<StatementDescription, SqlError> {
        let prepared = self.named.statements.get(name)?;
        self.scope.refresh();
        if prepared.is_data() {
            self.check_takes(&prepared)?;
            let plan = prepared.plan(&self.scope, true)?;
            let (parameters, columns) = (plan.parameters.to_vec(), plan.columns.clone());
            return Ok(StatementDescription { parameters, columns });
        }
        let parameters = match prepared.planned() {
            Some(planned) => planned.plan(&self.scope, true)?.parameters.to_vec(),
            None => Vec::new(),
        };
        let columns = Execution::new(prepared).columns(&self.scope, &self.named)?;
        Ok(StatementDescription { parameters, columns })
    }

    /// Describe of a portal; `None` is NoData.
    pub fn describe_portal(&mut self, name: &str) -> Result<Option<PortalColumns>, SqlError> {
        self.try_describe_portal(name).map_err(|error| self.scope.named(error))
    }

    fn try_describe_portal(&mut self, name: &str) -> Result<Option<PortalColumns>, SqlError> {
        let portal = self.named.portals.get(name)?;
        self.check_takes(&portal.execution.prepared)?;
        let columns = portal.execution.columns(&self.scope, &self.named)?;
        Ok(columns.map(|columns| PortalColumns { columns, formats: portal.formats.clone() }))
    }

    /// Close of a statement; an unknown name is no error.
    pub fn close_statement(&mut self, name: &str) {
        self.named.statements.remove(name);
    }

    /// Close of a portal; an unknown name is no error.
    pub fn close_portal(&mut self, name: &str) {
        self.named.portals.remove(name);
    }

    /// A hint before [`Session::execute`]: the next message is Sync, so a statement may commit with its last write.
    pub fn sync_follows(&mut self) {
        self.is_sync_next = true;
    }

    /// Starts or continues a portal; a row limit of 0 means all rows. Rows given to the sink before a need or a pause
    /// stay given.
    pub fn execute(&mut self, portal: &str, row_limit: u32, sink: &mut dyn Sink) -> Step<Completion> {
        self.scope.activity.wait(SessionWait::Nothing);
        self.try_execute(portal, row_limit, sink).map_err(|stop| self.scope.named_stop(stop))
    }

    fn try_execute(&mut self, portal: &str, row_limit: u32, sink: &mut dyn Sink) -> Step<Completion> {
        let mut running = self.named.portals.take(portal)?;
        if running.execution.is_over() {
            let message = format!("portal \"{portal}\" cannot be run");
            return Err(SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message).into());
        }
        let result = self.execute_portal(&mut running, row_limit, sink);
        self.named.portals.put(portal, running);
        self.drop_portals();
        self.scope.flush_notices(sink);
        if result.is_ok() {
            self.is_sync_next = false;
        }
        result
    }

    /// Portals end with their transaction, or with the part of it that ROLLBACK TO has undone.
    fn drop_portals(&mut self) {
        if let Some(ended) = self.scope.take_ended() {
            self.named.portals.end_transaction(ended);
        } else if let Some(serial) = self.scope.take_gone_back() {
            self.named.portals.remove_since(serial);
        }
    }

    fn execute_portal(&mut self, portal: &mut Portal, limit: u32, sink: &mut dyn Sink) -> Step<Completion> {
        self.check_takes(&portal.execution.prepared)?;
        if !portal.has_begun {
            self.scope.arrive();
            if portal.execution.prepared.takes_snapshot() {
                self.named.portals.hold(&mut self.scope)?;
            }
            self.named.portals.show(&mut self.scope);
            self.scope.show_running(portal.execution.prepared.text());
            self.scope.begin_implicit(Status::Started);
            portal.has_begun = true;
        }
        let mut call =
            Call { sink, formats: &portal.formats, limit, may_fuse: self.is_sync_next, is_query: false };
        portal.is_running = true;
        let completion = portal.execution.step(&mut self.scope, &mut self.named, &mut call)?;
        portal.is_running = false;
        if let Completion::CopyIn(_) = completion {
            self.copy = Some(Copying::new(&mut portal.execution, false));
        }
        Ok(completion)
    }

    /// Sync: ends the implicit transaction, if there is one.
    pub fn sync(&mut self) -> Step<()> {
        self.scope.activity.wait(SessionWait::Nothing);
        self.try_sync().map_err(|stop| self.scope.named_stop(stop))
    }

    fn try_sync(&mut self) -> Step<()> {
        self.is_sync_next = false;
        commit_implicit(&mut self.scope, &mut self.named)?;
        self.drop_portals();
        self.drop_unused_portals();
        Ok(())
    }

    /// Portals that were bound and not run: in PostgreSQL it is Bind that begins the transaction which ends here.
    fn drop_unused_portals(&mut self) {
        if self.scope.status() == Status::Idle {
            self.named.portals.end_transaction(Ended::RolledBack);
        }
    }

    /// A simple Query message: splits and parses the whole text, as PostgreSQL does, before anything runs.
    pub fn query_start(&mut self, text: &str) -> Result<(), SqlError> {
        self.scope.arrive();
        self.named.statements.remove_unnamed();
        self.named.portals.remove("");
        let parsed = self.named.statements.parse_all(text);
        self.show_running(text, parsed.as_ref().ok().and_then(|statements| statements.first()));
        let statements = parsed?;
        self.query = Some(Box::new(Query::new(statements, &self.scope)));
        Ok(())
    }

    /// Runs the Query message on.
    pub fn query_step(&mut self, sink: &mut dyn Sink) -> Step<QueryProgress> {
        self.scope.activity.wait(SessionWait::Nothing);
        self.try_query_step(sink).map_err(|stop| self.scope.named_stop(stop))
    }

    fn try_query_step(&mut self, sink: &mut dyn Sink) -> Step<QueryProgress> {
        let query = self.query.as_mut().expect("query_start comes first");
        let result = query.step(&mut self.scope, &mut self.named, sink);
        self.drop_portals();
        self.scope.flush_notices(sink);
        match result {
            Ok(QueryProgress::Statement(Completion::CopyIn(_))) => {
                let query = self.query.as_mut().expect("it has just answered");
                let mut execution = query.take_execution().expect("it has just answered");
                self.copy = Some(Copying::new(&mut execution, query.is_last()));
            }
            Ok(QueryProgress::Finished) => self.query = None,
            _ => {}
        }
        result
    }

    /// Data of COPY FROM STDIN; returns how many bytes were taken (the rest is to be given again).
    pub fn copy_data(&mut self, bytes: &[u8]) -> Step<usize> {
        self.scope.activity.wait(SessionWait::Nothing);
        self.try_copy_data(bytes).map_err(|stop| self.scope.named_stop(stop))
    }

    fn try_copy_data(&mut self, bytes: &[u8]) -> Step<usize> {
        let copying = self.copy.as_mut().expect("a COPY was announced");
        copying.copy.data(&mut self.scope, bytes)
    }

    /// CopyDone.
    pub fn copy_done(&mut self) -> Step<Completion> {
        self.scope.activity.wait(SessionWait::Nothing);
        self.try_copy_done().map_err(|stop| self.scope.named_stop(stop))
    }

    fn try_copy_done(&mut self) -> Step<Completion> {
        let copying = self.copy.as_mut().expect("a COPY was announced");
        let tag = match copying.tag {
            Some(tag) => tag,
            None => {
                let tag = copying.copy.done(&mut self.scope)?;
                copying.meter.end(&self.scope, &Counted::Utility(&copying.prepared), &tag);
                *copying.tag.insert(tag)
            }
        };
        if copying.is_last {
            commit_implicit(&mut self.scope, &mut self.named)?;
        }
        self.copy = None;
        self.drop_portals();
        Ok(Completion::Tag(tag))
    }

    /// CopyFail: the error that the statement fails with.
    pub fn copy_fail(&mut self, message: &str) -> SqlError {
        let error = SqlError::new(SqlState::QUERY_CANCELED, format!("COPY from stdin failed: {message}"));
        match &self.copy {
            Some(copying) => copying.copy.given_up(error),
            None => error,
        }
    }

    /// A statement failed or was cancelled: an open block becomes aborted (`E`), what it did since its newest savepoint is
    /// undone; an implicit transaction is rolled back.
    pub fn fail(&mut self, error: &SqlError) -> Step<()> {
        self.scope.activity.wait(SessionWait::Nothing);
        self.query = None;
        self.copy = None;
        self.is_sync_next = false;
        self.named.portals.break_off();
        self.scope.fail()?;
        if error.sqlstate() == SqlState::DEADLOCK_DETECTED {
            self.scope.count_deadlock();
        }
        self.drop_portals();
        self.drop_unused_portals();
        Ok(())
    }

    /// Nothing produced so far may be told to the client before VDL covers this; [`Lsn`] zero: tell at once.
    pub fn answer_lsn(&self) -> Lsn {
        self.scope.answer_lsn()
    }

    /// The connection has ended: rolls back what is open, and drops temporary objects.
    pub fn close(&mut self) -> Step<()> {
        self.query = None;
        self.copy = None;
        self.named.portals.clear();
        self.scope.close()
    }

    /// [`Session::close`] has panicked: rolls back what is open, and lets go of locks. Temporary objects stay until the next
    /// start.
    pub fn abandon(&mut self) -> Step<()> {
        self.scope.abandon()
    }
}

fn no_database(name: &str) -> SqlError {
    SqlError::new(SqlState::INVALID_CATALOG_NAME, format!("database \"{name}\" does not exist"))
}

/// Comes to the database of this name.
fn connect(
    database: &Database,
    shared: &Catalog,
    name: &str,
    process_id: i32,
) -> Result<(Arc<PublishedCatalog>, Connection), SqlError> {
    let found = shared.database_by_name(name).ok_or_else(|| no_database(name))?;
    if !found.allows_connections {
        let message = format!("database \"{name}\" is not currently accepting connections");
        return Err(SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
    }
    let connection = database.connections.connect(found.oid, process_id).ok_or_else(|| {
        let message = format!("database \"{name}\" is being dropped or renamed");
        SqlError::new(SqlState::CANNOT_CONNECT_NOW, message)
    })?;
    // It may have been dropped or renamed since its name was looked up.
    let published = database.catalog_of(found.oid).ok_or_else(|| no_database(name))?;
    match published.newest().catalog.database_name() == name {
        true => Ok((published, connection)),
        false => Err(no_database(name)),
    }
}

/// 08P01 as PostgreSQL words it.
fn check_parameter_count(statement: &str, given: usize, wanted: usize) -> Result<(), SqlError> {
    if given == wanted {
        return Ok(());
    }
    let message = format!(
        "bind message supplies {given} parameters, but prepared statement \"{statement}\" requires {wanted}"
    );
    Err(SqlError::new(SqlState::PROTOCOL_VIOLATION, message))
}

/// The values of Bind.
fn parameter_values(
    env: &EvalEnv<'_>,
    portal: &str,
    types: &[TypeId],
    formats: &[i16],
    values: &[Option<&[u8]>],
) -> Result<Vec<Datum>, SqlError> {
    let value = |(at, (&id, value)): (usize, (&TypeId, &Option<&[u8]>))| match value {
        None => Ok(Datum::Null),
        Some(bytes) if format_of(formats, at) == 0 => {
            let value = text::decode_utf8(bytes).and_then(|text| text::input(env, id, Typmod::NONE, text));
            value.map_err(|error| {
                // PostgreSQL shows as much of the value as `log_parameter_max_length_on_error` lets it: nothing.
                let place = if portal.is_empty() {
                    "unnamed portal".to_owned()
                } else {
                    format!("portal \"{portal}\"")
                };
                error.with_context(format!("{place} parameter ${} = '...'", at + 1))
            })
        }
        Some(bytes) => binary::receive(env, id, Typmod::NONE, bytes).map_err(|error| {
            // PostgreSQL names the parameter where it finds bytes left over.
            let is_length = error.fields().sqlstate == SqlState::INVALID_BINARY_REPRESENTATION;
            if !is_length {
                return error;
            }
            let message = format!("incorrect binary data format in bind parameter {}", at + 1);
            SqlError::new(SqlState::INVALID_BINARY_REPRESENTATION, message)
        }),
    };
    types.iter().zip(values).enumerate().map(value).collect()
}
