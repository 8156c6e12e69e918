//! One statement under way, of whatever kind.
//!
//! Owns [`Execution`], which portals and Query messages step until it has an answer. Rows and changes run in
//! `plan_run.rs`, commands in `command.rs`, COPY in `copy`, definitions in `definition`.

use super::command::{self, Answer};
use super::concurrent_index::Concurrent;
use super::copy::input::CopyIn;
use super::copy::output::CopyOut;
use super::cursor::{Cursor, CursorOptions, Fetching};
use super::define::Defining;
use super::explain_run::Explaining;
use super::meter::{Counted, Meter};
use super::plan_run::{PlanRun, Ran, RowTarget, SinkTarget};
use super::portal::{Named, Portal};
use super::reindex::{Reindexed, Reindexing};
use super::statement::{Columns, Prepared, Statements};
use super::transaction::Scope;
use crate::answer::{ColumnDescription, CommandTag, Completion, Flow, Sink};
use crate::bind;
use crate::catalog::object::Oid;
use crate::definition::{Definition, Parameters};
use crate::execute::{Operator, Row, State, build};
use crate::parse::lock_words;
use crate::parse::tree::{DeclareCursor, DiscardTarget, ExplainOptions, Expr, Fetch, Scroll, Statement};
use crate::plan::{Command, Plan};
use crate::stop::Step;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, EvalEnv, SqlError, SqlState};
use std::collections::VecDeque;
use std::sync::Arc;

/// What the caller of a step wants.
pub(super) struct Call<'a> {
    pub sink: &'a mut dyn Sink,
    pub formats: &'a [i16],
    /// 0: all rows.
    pub limit: u32,
    /// The statement is alone in its transaction.
    pub may_fuse: bool,
    /// Of a Query message.
    pub is_query: bool,
}

enum Machine {
    /// Not begun.
    New,
    Plan(Box<PlanRun>),
    /// DECLARE, whose query is being opened.
    Declare(Box<PlanRun>),
    /// What DECLARE has opened.
    Cursor(Box<Cursor>),
    Fetch(Box<Fetching>),
    Arguments(Box<Arguments>),
    /// EXPLAIN EXECUTE, while the arguments are computed.
    ExplainExecute(Box<Arguments>, ExplainOptions),
    Explain(Box<Explaining>),
    Command,
    Answer(Rows),
    Define(Box<Defining>),
    Concurrent(Box<Concurrent>),
    Reindex(Box<Reindexing>),
    /// DISCARD, which begins with the session's temporary objects.
    DropTemporary(Box<Defining>),
    CopyIn(Box<CopyIn>),
    CopyOut(Box<CopyOut>),
    Done,
}

/// Rows that a command has answered with, and how many were given.
struct Rows {
    columns: Arc<[ColumnDescription]>,
    rows: VecDeque<Row>,
    tag: CommandTag,
    is_described: bool,
    given: u32,
}

/// EXECUTE: the arguments are computed one after the other.
struct Arguments {
    name: String,
    prepared: Arc<Prepared>,
    plans: Vec<Plan>,
    values: Vec<Datum>,
    current: Option<(State, Box<dyn Operator>)>,
}

/// A statement under way.
pub(super) struct Execution {
    pub prepared: Arc<Prepared>,
    machine: Machine,
    meter: Meter,
}

impl Execution {
    /// Of a Query message: without parameters, planned when it begins.
    pub(super) fn new(prepared: Arc<Prepared>) -> Execution {
        Execution { prepared, machine: Machine::New, meter: Meter::default() }
    }

    /// Of a portal whose plan the client may have been told of.
    pub(super) fn with_plan(prepared: Arc<Prepared>, plan: Arc<Plan>, parameters: Vec<Datum>) -> Execution {
        let planned = prepared.planned().expect("it has a plan").clone();
        let machine = match prepared.statement() {
            Some(Statement::Declare(_)) => {
                Machine::Declare(Box::new(PlanRun::new(planned, plan, parameters, true).for_cursor()))
            }
            Some(Statement::Explain { options, .. }) => {
                Machine::Explain(Box::new(Explaining::new(options.clone(), planned, parameters)))
            }
            Some(statement @ Statement::CreateTableAs { .. }) => {
                let parameters = Parameters { types: plan.parameters.clone(), values: parameters.into() };
                Machine::Define(Box::new(Defining::with_parameters(statement.clone(), parameters)))
            }
            _ => Machine::Plan(Box::new(PlanRun::new(planned, plan, parameters, true))),
        };
        Execution { prepared, machine, meter: Meter::default() }
    }

    /// The cursor that it is.
    pub(super) fn cursor(&self) -> Option<&Cursor> {
        match &self.machine {
            Machine::Cursor(cursor) => Some(cursor),
            _ => None,
        }
    }

    pub(super) fn is_query(&self) -> bool {
        matches!(&self.machine, Machine::Plan(run) if run.command() == Command::Select)
    }

    pub(super) fn is_fetch(&self) -> bool {
        matches!(self.prepared.statement(), Some(Statement::Fetch(_)))
    }

    /// The relations that it reads as long as it is open.
    pub(super) fn reads(&self) -> Vec<Oid> {
        let plan = match &self.machine {
            Machine::Plan(run) if !run.has_ended() => run.plan(),
            Machine::Cursor(cursor) => cursor.plan(),
            _ => return Vec::new(),
        };
        plan.relations.iter().map(|&(oid, _)| oid).collect()
    }

    /// Whether it needs its transaction no more.
    pub(super) fn may_outlive(&self) -> bool {
        self.cursor().is_some_and(|cursor| cursor.options.hold && cursor.is_complete())
    }

    /// Reads the rows that are left of a cursor that outlives the transaction.
    pub(super) fn hold_for_commit(&mut self, scope: &mut Scope) -> Step<()> {
        if let Machine::Cursor(cursor) = &mut self.machine
            && cursor.options.hold
        {
            cursor.run_mut().hold(scope)?;
            if let Some(error) = cursor.run_mut().take_error() {
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// The columns of its rows.
    pub(super) fn columns(&self, scope: &Scope, named: &Named) -> Result<Columns> {
        match (&self.machine, self.prepared.statement()) {
            (Machine::Plan(run), _) => Ok(run.columns().cloned()),
            (Machine::Cursor(cursor), _) => Ok(Some(cursor.columns().clone())),
            (Machine::Answer(rows), _) => Ok(Some(rows.columns.clone())),
            (_, Some(statement)) => command::columns(scope, named, statement),
            (_, None) => Ok(None),
        }
    }

    /// Whether it has had its effect and cannot be run again; rows may be asked for again, and there are none.
    pub(super) fn is_over(&self) -> bool {
        match &self.machine {
            Machine::Done => true,
            Machine::Plan(run) => run.is_over(),
            _ => false,
        }
    }

    /// It has failed, or was given up.
    pub(super) fn break_off(&mut self) {
        self.machine = Machine::Done;
        self.meter.give_up();
    }

    /// Computes what is left, if it was suspended.
    pub(super) fn hold(&mut self, scope: &mut Scope) -> Step<()> {
        match &mut self.machine {
            Machine::Plan(run) if run.is_under_way() => run.hold(scope),
            Machine::Cursor(cursor) if cursor.is_under_way() => cursor.run_mut().hold(scope),
            _ => Ok(()),
        }
    }

    /// The cursor that it is, or that a portal under way becomes for FETCH.
    fn cursor_for_fetch(&mut self, scope: &mut Scope, named: &mut Named) -> Step<&mut Cursor> {
        if let Machine::Plan(run) = &mut self.machine {
            if run.command() != Command::Select {
                return Err(SqlError::unsupported("FETCH from a portal that changes rows").into());
            }
            if !run.has_begun() {
                named.portals.hold(scope)?;
                run.open(scope)?;
            }
            let Machine::Plan(run) = std::mem::replace(&mut self.machine, Machine::Done) else {
                unreachable!("seen above")
            };
            self.machine = Machine::Cursor(Box::new(Cursor::of_portal(*run)));
        }
        match &mut self.machine {
            Machine::Cursor(cursor) => Ok(cursor),
            _ => Err(SqlError::unsupported("FETCH from a portal that is no query").into()),
        }
    }

    /// The COPY FROM STDIN that [`Completion::CopyIn`] announced, and what measures it.
    pub(super) fn take_copy(&mut self) -> (Box<CopyIn>, Meter) {
        match std::mem::replace(&mut self.machine, Machine::Done) {
            Machine::CopyIn(copy) => (copy, std::mem::take(&mut self.meter)),
            _ => unreachable!("a COPY was announced"),
        }
    }

    /// Goes on until there is an answer.
    pub(super) fn step(
        &mut self,
        scope: &mut Scope,
        named: &mut Named,
        call: &mut Call<'_>,
    ) -> Step<Completion> {
        self.meter.run(scope);
        while self.lead_on(scope, named)? {}
        let is_numbered = scope.view.settings.tracked().numbers;
        scope.activity.set_query_id(if is_numbered { self.counted().query_id() } else { 0 });
        let completion = self.go_on(scope, named, call)?;
        let mut meter = std::mem::take(&mut self.meter);
        match &completion {
            Completion::Tag(tag) => meter.end(scope, &self.counted(), tag),
            Completion::Suspended => meter.suspend(scope, &self.counted(), u64::from(call.limit)),
            Completion::Paused | Completion::CopyIn(_) | Completion::EmptyQuery => {}
        }
        self.meter = meter;
        Ok(completion)
    }

    /// What it is counted as. A plan stays where it was run, and tells its number.
    fn counted(&self) -> Counted<'_> {
        match &self.machine {
            Machine::Plan(run) => Counted::Planned(run.prepared(), run.plan()),
            _ => Counted::Utility(&self.prepared),
        }
    }

    fn go_on(&mut self, scope: &mut Scope, named: &mut Named, call: &mut Call<'_>) -> Step<Completion> {
        loop {
            while self.lead_on(scope, named)? {}
            let Some(statement) = self.prepared.statement() else { return Ok(Completion::EmptyQuery) };
            let tag = match &mut self.machine {
                Machine::Plan(run) => return step_plan(run, scope, call),
                Machine::Cursor(cursor) => return step_cursor(cursor, scope, call),
                Machine::Answer(rows) => return rows.step(scope, call),
                Machine::CopyIn(copy) => return Ok(Completion::CopyIn(copy.begin(scope)?)),
                Machine::CopyOut(copy) => match copy.step(scope, call.sink)? {
                    Some(tag) => tag,
                    None => return Ok(Completion::Paused),
                },
                Machine::Declare(run) => {
                    let Statement::Declare(declare) = statement else { unreachable!("made for DECLARE") };
                    declare_cursor(scope, named, declare, run)?;
                    let Machine::Declare(run) = std::mem::replace(&mut self.machine, Machine::Done) else {
                        unreachable!("seen above")
                    };
                    open_portal(scope, named, &self.prepared, declare, *run);
                    return Ok(Completion::Tag(CommandTag::plain("DECLARE CURSOR")));
                }
                Machine::Fetch(fetching) => {
                    let Statement::Fetch(fetch) = statement else { unreachable!("made for FETCH") };
                    match step_fetch(fetching, fetch, scope, named, call)? {
                        Fetched::Paused => return Ok(Completion::Paused),
                        Fetched::Rows(rows) => {
                            self.machine = Machine::Answer(rows);
                            continue;
                        }
                        Fetched::Count(count) => {
                            CommandTag::counted(if fetch.is_move { "MOVE" } else { "FETCH" }, count)
                        }
                    }
                }
                Machine::Command => match command::step(scope, named, &self.prepared, statement)? {
                    Answer::Tag(tag) => tag,
                    Answer::Rows { columns, rows, tag } => {
                        let (is_described, given) = (false, 0);
                        self.machine =
                            Machine::Answer(Rows { columns, rows: rows.into(), tag, is_described, given });
                        continue;
                    }
                },
                Machine::Define(defining) => defining.step(scope)?,
                Machine::Concurrent(concurrent) => concurrent.step(scope)?,
                Machine::Reindex(reindexing) => reindexing.step(scope)?,
                Machine::Done => unreachable!("nobody steps what is over"),
                _ => unreachable!("it was led on"),
            };
            return Ok(self.finish(tag));
        }
    }

    /// From a machine that only leads to another to that one; false if it is one that answers.
    fn lead_on(&mut self, scope: &mut Scope, named: &Named) -> Step<bool> {
        let Some(statement) = self.prepared.statement() else { return Ok(false) };
        self.machine = match &mut self.machine {
            Machine::New => begin(scope, &named.statements, &self.prepared, statement)?,
            Machine::Arguments(arguments) => {
                let values = arguments.step(scope)?;
                let prepared = arguments.prepared.clone();
                let plan = prepared.plan(scope, true)?;
                Machine::Plan(Box::new(PlanRun::new(prepared, plan, values, true)))
            }
            Machine::ExplainExecute(arguments, options) => {
                let values = arguments.step(scope)?;
                let explaining = Explaining::new(options.clone(), arguments.prepared.clone(), values);
                Machine::Explain(Box::new(explaining))
            }
            Machine::Explain(explaining) => {
                let rows = explaining.step(scope)?;
                let columns = command::columns(scope, named, statement)?.expect("EXPLAIN has rows");
                let tag = CommandTag::plain("EXPLAIN");
                Machine::Answer(Rows { columns, rows, tag, is_described: false, given: 0 })
            }
            Machine::DropTemporary(dropping) => {
                scope.drop_temporary(dropping)?;
                Machine::Command
            }
            _ => return Ok(false),
        };
        Ok(true)
    }

    fn finish(&mut self, tag: CommandTag) -> Completion {
        self.machine = Machine::Done;
        Completion::Tag(tag)
    }
}

/// The machine of a statement that has not begun.
fn begin(
    scope: &mut Scope,
    statements: &Statements,
    prepared: &Arc<Prepared>,
    statement: &Statement,
) -> Step<Machine> {
    Ok(match statement {
        _ if prepared.is_data() => {
            scope.refresh_durable()?;
            let plan = prepared.plan(scope, false)?;
            Machine::Plan(Box::new(PlanRun::new(prepared.clone(), plan, Vec::new(), false)))
        }
        Statement::Declare(_) => {
            scope.refresh_durable()?;
            let planned = prepared.planned().expect("DECLARE has a query");
            let plan = planned.plan(scope, false)?;
            Machine::Declare(Box::new(PlanRun::new(planned.clone(), plan, Vec::new(), false).for_cursor()))
        }
        Statement::Fetch(fetch) => Machine::Fetch(Box::new(Fetching::new(fetch.is_move))),
        Statement::Execute { name, arguments } => {
            scope.refresh_durable()?;
            Machine::Arguments(Box::new(Arguments::new(scope, statements, name, arguments)?))
        }
        Statement::Copy(copy) if copy.from => Machine::CopyIn(Box::new(CopyIn::new(copy.clone()))),
        Statement::Copy(copy) => Machine::CopyOut(Box::new(CopyOut::new(copy.clone()))),
        Statement::Explain { options, statement }
            if let Statement::Execute { name, arguments } = &**statement =>
        {
            scope.refresh_durable()?;
            let arguments = Arguments::new(scope, statements, name, arguments)?;
            Machine::ExplainExecute(Box::new(arguments), options.clone())
        }
        Statement::Explain { options, .. } => {
            let planned = prepared.planned().expect("EXPLAIN is about a statement").clone();
            Machine::Explain(Box::new(Explaining::new(options.clone(), planned, Vec::new())))
        }
        Statement::Discard { target: target @ (DiscardTarget::All | DiscardTarget::Temporary) } => {
            if *target == DiscardTarget::All {
                scope.check_outside_block("DISCARD ALL")?;
            }
            scope.refresh_durable()?;
            match scope.temporary_drop() {
                Some(drop) => Machine::DropTemporary(Box::new(Defining::new(drop))),
                None => Machine::Command,
            }
        }
        Statement::ReindexAll { of, name, options } => {
            let of = Reindexed::Whole(*of, name.clone());
            Machine::Reindex(Box::new(Reindexing::new(of, *options)))
        }
        Statement::Reindex { kind, name, options } if options.concurrently => {
            let of = Reindexed::Relation(*kind, name.clone());
            Machine::Reindex(Box::new(Reindexing::new(of, *options)))
        }
        statement if Definition::handles(statement) && Concurrent::is(statement) => {
            Machine::Concurrent(Box::new(Concurrent::new(statement)))
        }
        statement if Definition::handles(statement) => {
            Machine::Define(Box::new(Defining::new(statement.clone())))
        }
        _ => Machine::Command,
    })
}

fn step_plan(run: &mut PlanRun, scope: &mut Scope, call: &mut Call<'_>) -> Step<Completion> {
    let may_fuse = call.may_fuse && scope.may_fuse() && run.command() != Command::Select;
    let mut target = SinkTarget { sink: call.sink, formats: call.formats };
    let target: &mut dyn RowTarget = &mut target;
    Ok(match run.step(scope, target, call.limit, may_fuse)? {
        Ran::Suspended => Completion::Suspended,
        Ran::Paused => Completion::Paused,
        Ran::Done(rows) => Completion::Tag(match run.command() {
            Command::Select => CommandTag::counted("SELECT", rows),
            Command::Insert => CommandTag::counted("INSERT 0", rows),
            Command::Update => CommandTag::counted("UPDATE", rows),
            Command::Delete => CommandTag::counted("DELETE", rows),
        }),
    })
}

/// What DECLARE may not say, and the opening of its query.
fn declare_cursor(scope: &mut Scope, named: &Named, declare: &DeclareCursor, run: &mut PlanRun) -> Step<()> {
    check_declaration(declare, run.plan())?;
    if declare.name.is_empty() {
        let message = "invalid cursor name: must not be empty";
        return Err(SqlError::new(SqlState::INVALID_CURSOR_NAME, message).into());
    }
    if !declare.hold && !scope.is_in_block() {
        return Err(Scope::no_block("DECLARE CURSOR").into());
    }
    named.portals.check_free(&declare.name)?;
    run.open(scope)
}

fn check_declaration(declare: &DeclareCursor, plan: &Plan) -> Result<()> {
    let refused = |message: &str| Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    if !plan.changes.is_empty() {
        return refused("DECLARE CURSOR must not contain data-modifying statements in WITH");
    }
    let Some(mode) = plan.row_lock else { return Ok(()) };
    let words = lock_words(mode);
    let read_only = |what: &str, state: SqlState, message: String| {
        Err(SqlError::new(state, message).with_detail(format!("{what} cursors must be READ ONLY.")))
    };
    let unsupported = SqlState::FEATURE_NOT_SUPPORTED;
    if declare.hold {
        let message = format!("DECLARE CURSOR WITH HOLD ... {words} is not supported");
        return read_only("Holdable", unsupported, message);
    }
    if declare.scroll == Scroll::Yes {
        let message = format!("DECLARE SCROLL CURSOR ... {words} is not supported");
        return read_only("Scrollable", unsupported, message);
    }
    if declare.insensitive {
        let message = format!("DECLARE INSENSITIVE CURSOR ... {words} is not valid");
        return read_only("Insensitive", SqlState::INVALID_CURSOR_DEFINITION, message);
    }
    Ok(())
}

/// Makes a cursor's portal of an opened query.
fn open_portal(
    scope: &Scope,
    named: &mut Named,
    prepared: &Arc<Prepared>,
    declare: &DeclareCursor,
    run: PlanRun,
) {
    let DeclareCursor { binary, hold, scroll, .. } = *declare;
    let cursor = Cursor::new(run, CursorOptions { binary, hold, scroll });
    let machine = Machine::Cursor(Box::new(cursor));
    let execution = Execution { prepared: prepared.clone(), machine, meter: Meter::default() };
    let formats: &[i16] = if binary { &[1] } else { &[] };
    let portal = Portal {
        execution,
        formats: formats.into(),
        created_us: scope.statement_us(),
        has_begun: true,
        is_running: false,
        serial: scope.savepoints.serial(),
        is_held_over: false,
    };
    named.portals.put(&declare.name, portal);
}

/// What a step of FETCH came to.
enum Fetched {
    Count(u64),
    Paused,
    /// The client asked for some of the rows: they are given as an answer in parts.
    Rows(Rows),
}

/// Rows kept for later.
#[derive(Default)]
struct Collected {
    columns: Option<Arc<[ColumnDescription]>>,
    rows: VecDeque<Row>,
}

impl RowTarget for Collected {
    fn begin(&mut self, columns: &Arc<[ColumnDescription]>) -> Result<()> {
        self.columns = Some(columns.clone());
        Ok(())
    }

    fn row(&mut self, _: &EvalEnv<'_>, row: &[Datum], _: &Arc<[ColumnDescription]>) -> Result<Flow> {
        self.rows.push_back(row.to_vec());
        Ok(Flow::Continue)
    }
}

fn step_fetch(
    fetching: &mut Fetching,
    fetch: &Fetch,
    scope: &mut Scope,
    named: &mut Named,
    call: &mut Call<'_>,
) -> Step<Fetched> {
    let mut portal = named.portals.take_cursor(&fetch.cursor)?;
    if portal.execution.is_over() {
        named.portals.put(&fetch.cursor, portal);
        let message = format!("portal \"{}\" cannot be run", fetch.cursor);
        return Err(SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message).into());
    }
    portal.is_running = true;
    let result = fetch_from(&mut portal, fetching, fetch, scope, named, call);
    portal.is_running = result.is_err();
    named.portals.put(&fetch.cursor, portal);
    result
}

fn fetch_from(
    portal: &mut Portal,
    fetching: &mut Fetching,
    fetch: &Fetch,
    scope: &mut Scope,
    named: &mut Named,
    call: &mut Call<'_>,
) -> Step<Fetched> {
    let cursor = portal.execution.cursor_for_fetch(scope, named)?;
    let all = |fetched: Option<u64>| fetched.map_or(Fetched::Paused, Fetched::Count);
    if call.limit > 0 && !fetch.is_move {
        let mut collected = Collected::default();
        let count = fetching.step(fetch, cursor, scope, &mut collected)?.expect("it takes all rows");
        let columns = cursor.columns().clone();
        let tag = CommandTag::counted("FETCH", count);
        return Ok(Fetched::Rows(Rows { columns, rows: collected.rows, tag, is_described: false, given: 0 }));
    }
    let formats: &[i16] = if call.is_query && cursor.options.binary { &[1] } else { call.formats };
    let mut target = SinkTarget { sink: &mut *call.sink, formats };
    Ok(all(fetching.step(fetch, cursor, scope, &mut target)?))
}

/// Execute of a cursor's portal.
fn step_cursor(cursor: &mut Cursor, scope: &mut Scope, call: &mut Call<'_>) -> Step<Completion> {
    let mut target = SinkTarget { sink: call.sink, formats: call.formats };
    Ok(match cursor.run_on(scope, &mut target, call.limit)? {
        Ran::Suspended => Completion::Suspended,
        Ran::Paused => Completion::Paused,
        Ran::Done(rows) => Completion::Tag(CommandTag::counted("SELECT", rows)),
    })
}

impl Rows {
    fn step(&mut self, scope: &Scope, call: &mut Call<'_>) -> Step<Completion> {
        if !std::mem::replace(&mut self.is_described, true) {
            call.sink.row_description(&self.columns, call.formats);
        }
        let host = scope.host();
        let env = scope.env(&host);
        while let Some(row) = self.rows.pop_front() {
            let flow = call.sink.row(&env, &row, &self.columns, call.formats)?;
            self.given += 1;
            if call.limit > 0 && self.given >= call.limit {
                self.given = 0;
                return Ok(Completion::Suspended);
            }
            if flow == Flow::Pause {
                return Ok(Completion::Paused);
            }
        }
        Ok(Completion::Tag(self.tag))
    }
}

impl Arguments {
    fn new(scope: &Scope, statements: &Statements, name: &str, arguments: &[Expr]) -> Result<Arguments> {
        let prepared = statements.get(name)?;
        if !prepared.is_data() {
            return Err(SqlError::unsupported("EXECUTE of a statement that is no query and changes no rows"));
        }
        let types = prepared.plan(scope, true)?.parameters.clone();
        if types.len() != arguments.len() {
            let message = format!("wrong number of parameters for prepared statement \"{name}\"");
            let detail = format!("Expected {} parameters but got {}.", types.len(), arguments.len());
            return Err(SqlError::syntax(message).with_detail(detail));
        }
        let plans = arguments.iter().zip(types.iter()).enumerate().map(|(at, (argument, &id))| {
            scope.with_binding(|context| bind::scalar_plan(context, at + 1, argument, id))
        });
        let plans = plans.collect::<Result<Vec<Plan>>>()?;
        Ok(Arguments { name: name.to_owned(), prepared, plans, values: Vec::new(), current: None })
    }

    /// The values, once they are all there.
    fn step(&mut self, scope: &mut Scope) -> Step<Vec<Datum>> {
        while let Some(plan) = self.plans.get(self.values.len()) {
            let (state, operator) =
                self.current.get_or_insert_with(|| (State::new(plan), build(&plan.root, plan.levels)));
            let mut row = Row::new();
            let found =
                scope.with_execution(plan, &[], state, false, |context| operator.next(context, &mut row))?;
            assert!(found, "an argument of {} is one row", self.name);
            self.current = None;
            self.values.push(row.pop().expect("of one column"));
        }
        Ok(std::mem::take(&mut self.values))
    }
}
