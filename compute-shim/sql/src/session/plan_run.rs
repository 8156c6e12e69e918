//! Running a plan: locks, snapshot, rows, and the statement's end.
//!
//! Owns [`PlanRun`], one execution of a statement that reads or changes rows. Relation locks come first; if the catalog
//! has changed while one was waited for, the plan is made anew. Rows go to a [`RowTarget`]; an execution may stop
//! between any two of them. Read next: `execute`.

use super::statement::Prepared;
use super::transaction::Scope;
use crate::answer::{ColumnDescription, Flow, Sink};
use crate::execute::{KeptBytes, Measure, Operator, Row, RowKeys, State, build, settle_references};
use crate::parse::lock_words;
use crate::plan::{Command, Plan, measured};
use crate::relation_statistics::StatementCounts;
use crate::stop::{Step, Stop};
use crate::stores::Snapshots;
use hexalog_sql_types::{Datum, EvalEnv, SqlError, SqlState};
use std::collections::VecDeque;
use std::sync::Arc;

/// Where rows go.
pub(super) trait RowTarget {
    /// The first call of an execution that gives rows.
    fn begin(&mut self, columns: &Arc<[ColumnDescription]>) -> Result<(), SqlError>;

    /// There are notices, which come before the row that they are about.
    fn notices(&mut self, scope: &mut Scope) {
        let _ = scope;
    }

    fn row(
        &mut self,
        env: &EvalEnv<'_>,
        row: &[Datum],
        columns: &Arc<[ColumnDescription]>,
    ) -> Result<Flow, SqlError>;
}

/// Rows for the client, in the formats that it asked for.
pub(super) struct SinkTarget<'a> {
    pub sink: &'a mut dyn Sink,
    pub formats: &'a [i16],
}

impl RowTarget for SinkTarget<'_> {
    fn begin(&mut self, columns: &Arc<[ColumnDescription]>) -> Result<(), SqlError> {
        self.sink.row_description(columns, self.formats);
        Ok(())
    }

    fn notices(&mut self, scope: &mut Scope) {
        scope.flush_notices(self.sink);
    }

    fn row(
        &mut self,
        env: &EvalEnv<'_>,
        row: &[Datum],
        columns: &Arc<[ColumnDescription]>,
    ) -> Result<Flow, SqlError> {
        self.sink.row(env, row, columns, self.formats)
    }
}

/// How far a call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ran {
    /// Through, with this many rows given in this call or, for a change without RETURNING, changed.
    Done(u64),
    /// The row limit was reached.
    Suspended,
    /// The target asked for a pause.
    Paused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Lock,
    Begin,
    Rows,
    End,
    Done,
}

/// Rows computed ahead of their being asked for, and the error that came instead of more: too many of them is one.
struct Ahead {
    rows: VecDeque<(Row, RowKeys)>,
    kept: KeptBytes,
    error: Option<SqlError>,
    is_complete: bool,
}

impl Ahead {
    fn new() -> Ahead {
        let kept = KeptBytes::new("A statement whose rows wait to be fetched");
        Ahead { rows: VecDeque::new(), kept, error: None, is_complete: false }
    }
}

/// One execution of a plan.
pub(super) struct PlanRun {
    prepared: Arc<Prepared>,
    plan: Arc<Plan>,
    parameters: Vec<Datum>,
    /// The client knows the columns.
    is_fixed: bool,
    phase: Phase,
    state: State,
    operator: Option<Box<dyn Operator>>,
    /// It has given its last row.
    is_exhausted: bool,
    row: Row,
    /// Of the row, in a plan that a cursor runs.
    keys: RowKeys,
    /// Of a cursor: the snapshot that its rows are seen at.
    snapshots: Snapshots,
    is_cursor: bool,
    /// Its nodes are measured; whether time is taken.
    measured: Option<bool>,
    ahead: Option<Ahead>,
    is_described: bool,
    /// Rows given since the last time that the client asked.
    given: u64,
    given_in_all: u64,
}

impl PlanRun {
    pub(super) fn new(
        prepared: Arc<Prepared>,
        plan: Arc<Plan>,
        parameters: Vec<Datum>,
        is_fixed: bool,
    ) -> PlanRun {
        PlanRun {
            prepared,
            plan,
            parameters,
            is_fixed,
            phase: Phase::Lock,
            state: State::default(),
            operator: None,
            is_exhausted: false,
            row: Row::new(),
            keys: RowKeys::new(),
            snapshots: Snapshots::default(),
            is_cursor: false,
            measured: None,
            ahead: None,
            is_described: false,
            given: 0,
            given_in_all: 0,
        }
    }

    /// Notes the keys of the rows of tables that each of its rows stands on.
    pub(super) fn for_cursor(self) -> PlanRun {
        PlanRun { is_cursor: true, ..self }
    }

    /// Measures what each of its nodes comes to.
    pub(super) fn measured(self, takes_time: bool) -> PlanRun {
        PlanRun { measured: Some(takes_time), ..self }
    }

    /// What the nodes have come to.
    pub(super) fn measures(&self) -> &[Measure] {
        &self.state.measures.nodes
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(super) fn prepared(&self) -> &Arc<Prepared> {
        &self.prepared
    }

    pub(super) fn columns(&self) -> Option<&Arc<[ColumnDescription]>> {
        self.plan.columns.as_ref()
    }

    pub(super) fn command(&self) -> Command {
        self.plan.command
    }

    /// A change that has been made: it cannot be run again.
    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Done && self.changes_rows()
    }

    /// Begun and not through: another statement's snapshot must not be put under it.
    pub(super) fn is_under_way(&self) -> bool {
        self.phase == Phase::Rows && !self.ahead.as_ref().is_some_and(|ahead| ahead.is_complete)
    }

    /// All rows that are left are in memory, or there are none.
    pub(super) fn is_complete(&self) -> bool {
        self.phase == Phase::Done || self.ahead.as_ref().is_some_and(|ahead| ahead.is_complete)
    }

    pub(super) fn has_begun(&self) -> bool {
        !matches!(self.phase, Phase::Lock | Phase::Begin)
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::End | Phase::Done)
    }

    /// Rows that it has given to the client by now.
    pub(super) fn given_in_all(&self) -> u64 {
        self.given_in_all
    }

    /// The row that [`PlanRun::advance`] came to, and the keys of the rows of tables that it stands on.
    pub(super) fn row(&self) -> &Row {
        &self.row
    }

    pub(super) fn snapshots(&self) -> Snapshots {
        self.snapshots
    }

    pub(super) fn keys(&self) -> &RowKeys {
        &self.keys
    }

    /// The error that came instead of rows computed ahead.
    pub(super) fn take_error(&mut self) -> Option<SqlError> {
        self.ahead.as_mut().and_then(|ahead| ahead.error.take())
    }

    /// Takes locks and snapshot, so that it stands before its first row.
    pub(super) fn open(&mut self, scope: &mut Scope) -> Step<()> {
        if self.phase == Phase::Lock {
            if scope.defers_snapshot() {
                scope.begin_statement()?;
            }
            self.lock(scope)?;
            self.phase = Phase::Begin;
        }
        if self.phase == Phase::Begin {
            self.begin(scope)?;
            self.phase = Phase::Rows;
        }
        Ok(())
    }

    fn begin(&mut self, scope: &mut Scope) -> Step<()> {
        scope.begin_statement()?;
        if self.measured.is_some() {
            self.plan = Arc::new(measured(&self.plan));
        }
        self.state = State::new(&self.plan);
        self.state.counts = StatementCounts::of(&scope.database.relations);
        self.state.measures.takes_time = self.measured == Some(true);
        if self.is_cursor {
            self.snapshots = scope.parts().stores.keep_snapshots();
            self.state.note_keys(self.plan.standing());
        }
        self.operator = Some(build(&self.plan.root, self.plan.levels));
        Ok(())
    }

    /// Goes on by one row of an opened execution; false at the end.
    pub(super) fn advance(&mut self, scope: &mut Scope) -> Step<bool> {
        if self.phase == Phase::Rows {
            if self.next(scope, false)? {
                self.given_in_all += 1;
                return Ok(true);
            }
            self.phase = Phase::End;
        }
        if self.phase == Phase::End {
            self.end(scope)?;
            self.phase = Phase::Done;
        }
        Ok(false)
    }

    /// Goes on. A limit of 0 means all rows.
    pub(super) fn step(
        &mut self,
        scope: &mut Scope,
        target: &mut dyn RowTarget,
        limit: u32,
        may_fuse: bool,
    ) -> Step<Ran> {
        loop {
            match self.phase {
                Phase::Lock | Phase::Begin => self.open(scope)?,
                Phase::Rows => match self.rows(scope, target, limit, may_fuse)? {
                    Ran::Done(_) => self.phase = Phase::End,
                    other => return Ok(other),
                },
                Phase::End => {
                    self.end(scope)?;
                    self.phase = Phase::Done;
                    return Ok(Ran::Done(self.count()));
                }
                Phase::Done => {
                    // A client may ask again after the last row: there are none.
                    self.given = 0;
                    return Ok(Ran::Done(0));
                }
            }
        }
    }

    /// Whether it changes anything: as a whole, or in WITH.
    fn changes_rows(&self) -> bool {
        self.plan.command != Command::Select || !self.plan.changes.is_empty()
    }

    fn count(&self) -> u64 {
        if self.plan.command == Command::Select { self.given } else { self.state.affected }
    }

    /// Gets a plan for the catalog as it is and the locks that the plan needs.
    fn lock(&mut self, scope: &mut Scope) -> Step<()> {
        loop {
            scope.refresh_durable()?;
            self.plan = self.prepared.plan(scope, self.is_fixed)?;
            match self.plan.command {
                Command::Select => {
                    if !self.plan.changes.is_empty() {
                        scope.check_plan_may_write(&self.plan, "SELECT")?;
                    }
                    if let Some(mode) = self.plan.row_lock {
                        scope.check_plan_may_write(&self.plan, &format!("SELECT {}", lock_words(mode)))?;
                    }
                }
                Command::Insert => scope.check_plan_may_write(&self.plan, "INSERT")?,
                Command::Update => scope.check_plan_may_write(&self.plan, "UPDATE")?,
                Command::Delete => scope.check_plan_may_write(&self.plan, "DELETE")?,
            }
            for &(relation, mode) in &self.plan.relations {
                scope.lock_relation(relation, mode)?;
            }
            if scope.is_current() {
                return Ok(());
            }
        }
    }

    fn rows(
        &mut self,
        scope: &mut Scope,
        target: &mut dyn RowTarget,
        limit: u32,
        may_fuse: bool,
    ) -> Step<Ran> {
        let columns = self.plan.columns.clone();
        // A change runs to its end before any of its rows is shown, whether or not they are asked for: it may fail at the
        // last one, and has then given none.
        if self.changes_rows() && (limit > 0 || columns.is_some()) {
            self.run_ahead(scope, may_fuse && limit == 0)?;
        }
        if let Some(columns) = &columns
            && !std::mem::replace(&mut self.is_described, true)
        {
            target.begin(columns)?;
        }
        let limit = if limit == 0 { u64::MAX } else { u64::from(limit) };
        loop {
            if self.given >= limit {
                self.given = 0;
                return Ok(Ran::Suspended);
            }
            if !self.next(scope, may_fuse)? {
                return Ok(Ran::Done(0));
            }
            let columns = columns.as_ref().expect("an execution without columns gives no rows");
            if !scope.notices.is_empty() {
                target.notices(scope);
            }
            let host = scope.host();
            let flow = target.row(&scope.env(&host), &self.row, columns)?;
            self.given += 1;
            self.given_in_all += 1;
            if flow == Flow::Pause {
                return Ok(Ran::Paused);
            }
        }
    }

    /// Puts the next row into `row`.
    fn next(&mut self, scope: &mut Scope, may_fuse: bool) -> Step<bool> {
        match &mut self.ahead {
            None => self.pull(scope, may_fuse),
            Some(ahead) => {
                if let Some((row, keys)) = ahead.rows.pop_front() {
                    (self.row, self.keys) = (row, keys);
                    return Ok(true);
                }
                match ahead.error.take() {
                    Some(error) => Err(error.into()),
                    None if ahead.is_complete => Ok(false),
                    // The statement that had it read ahead was cancelled meanwhile.
                    None => self.pull(scope, may_fuse),
                }
            }
        }
    }

    fn pull(&mut self, scope: &mut Scope, may_fuse: bool) -> Step<bool> {
        let mut operator = self.operator.take().expect("built when the statement began");
        // What WITH changes and what references ask for comes before the end.
        let may_fuse = may_fuse && self.plan.changes.is_empty();
        let (row, is_exhausted) = (&mut self.row, &mut self.is_exhausted);
        let result =
            scope.with_execution(&self.plan, &self.parameters, &mut self.state, may_fuse, |context| {
                context.run_common_changes()?;
                if !*is_exhausted && operator.next(context, row)? {
                    return Ok(true);
                }
                *is_exhausted = true;
                settle_references(context).map(|()| false)
            });
        self.operator = Some(operator);
        if self.is_cursor && matches!(result, Ok(true)) {
            self.keys = self.state.keys().to_vec();
        }
        result
    }

    /// Computes all rows that are left and keeps them: another statement is about to take a snapshot of its own, and
    /// a transaction has one at a time. An error is kept for the call that would have met it; one that is meant for the other
    /// statement fails that too. Behind the last row there is nothing to do.
    pub(super) fn hold(&mut self, scope: &mut Scope) -> Step<()> {
        if self.phase == Phase::Done {
            return Ok(());
        }
        match self.run_ahead(scope, false) {
            Err(Stop::Error(error)) => {
                let ahead = self.ahead.as_mut().expect("made before it ran");
                ahead.error = Some(error.clone());
                ahead.is_complete = true;
                if error.sqlstate() == SqlState::QUERY_CANCELED {
                    return Err(error.into());
                }
            }
            other => other?,
        }
        Ok(())
    }

    fn run_ahead(&mut self, scope: &mut Scope, may_fuse: bool) -> Step<()> {
        let mut ahead = self.ahead.take().unwrap_or_else(Ahead::new);
        let mut result = Ok(());
        while !ahead.is_complete {
            match self.pull(scope, may_fuse) {
                Ok(true) => {
                    if let Err(error) = ahead.kept.add(&self.row) {
                        result = Err(error.into());
                        break;
                    }
                    ahead.rows.push_back((std::mem::take(&mut self.row), std::mem::take(&mut self.keys)));
                }
                Ok(false) => ahead.is_complete = true,
                Err(stop) => {
                    result = Err(stop);
                    break;
                }
            }
        }
        // What is kept for long keeps no temporary files.
        if ahead.is_complete || matches!(result, Err(Stop::Error(_))) {
            self.drop_operators();
        }
        self.ahead = Some(ahead);
        result
    }

    /// No further row is computed.
    fn drop_operators(&mut self) {
        self.operator = None;
        self.state.drop_operators();
    }

    fn end(&mut self, scope: &mut Scope) -> Step<()> {
        self.drop_operators();
        self.state.counts.end();
        if self.state.is_fused {
            return scope.commit();
        }
        // The snapshot of a statement that was computed ahead is another's by now.
        if self.is_complete() && !self.changes_rows() {
            return Ok(());
        }
        Ok(scope.end_statement()?)
    }
}
