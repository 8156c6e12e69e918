//! What every operator of a running statement is given, and the statement's state between calls.
//!
//! Owns [`Context`] (made anew for each call) and [`State`] (kept by the portal while the statement waits). No global
//! state: snapshot and command live in the engine's transaction, settings and names in the session's view.

use super::deferred::Deferred;
use super::identities::Identities;
use super::measure::{Measure, Measures};
use super::referential::{Referential, ReferentialPlans};
use super::subplan_table::SubplanTable;
use super::{KeptBytes, Operator, Row, build};
use crate::catalog::object::Oid;
use crate::connections::Reservation;
use crate::database::Database;
use crate::environment::Environment;
use crate::parse::tree::OnCommit;
use crate::plan::{Node, Plan};
use crate::relation_statistics::{StatementCounts, TableChanged, Upkeep};
use crate::session::SessionView;
use crate::spill::SPILL_CALL_BYTES_MAX;
use crate::stop::Step;
use crate::stores::Stores;
use hexalog_engine::{AdvisoryLocks, Need, RowVersion};
use hexalog_sql_types::datum::hash;
use hexalog_sql_types::{Datum, EvalEnv, SqlError, TypeId};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::hash::Hasher;
use std::sync::Arc;

/// The surroundings of one call.
pub(crate) struct Context<'a> {
    pub stores: Stores<'a>,
    pub database: &'a Database,
    pub env: EvalEnv<'a>,
    pub view: &'a SessionView,
    pub environment: &'a dyn Environment,
    pub effects: &'a mut Effects,
    pub parameters: &'a [Datum],
    pub plan: &'a Plan,
    pub state: &'a mut State,
    /// The statement's last write may commit the transaction with it.
    pub may_fuse: bool,
}

/// What statements do to the session besides storage.
#[derive(Default)]
pub(crate) struct Effects {
    /// `currval` of each sequence, and which was last.
    pub sequence_values: BTreeMap<u32, i64>,
    pub last_sequence: Option<u32>,
    /// What foreign keys ask for at the commit.
    pub deferred: Deferred,
    /// Plans of what foreign keys ask for.
    pub referential_plans: ReferentialPlans,
    /// What the session holds of numbers that applications lock.
    pub advisory: AdvisoryLocks,
    /// What functions have to say besides their values.
    pub warnings: Vec<SqlError>,
    /// `set_config` calls to be carried out: name, value, whether for this transaction only.
    pub settings: Vec<(String, String, bool)>,
    /// Temporary tables for which commits do something, in the order in which they were made. A table that has gone in
    /// another way may still be named.
    pub on_commit: Vec<(Oid, OnCommit)>,
    /// Databases that no session may come to until the transaction ends.
    pub reserved: Vec<Arc<Reservation>>,
    /// How the transaction has changed rows of which tables.
    pub changed: Vec<(Oid, TableChanged)>,
    /// Tables that the statement has looked after.
    pub kept_up: Vec<(Oid, Upkeep)>,
    /// How many rows statements have changed since the session said so, and in what way.
    pub rows: RowsChanged,
    /// The call that has just said that it has nothing to do sleeps.
    pub is_asleep: Cell<bool>,
    /// Another session was told to end, and is waited for until then.
    pub signalled: Option<i64>,
}

/// Rows that were changed.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct RowsChanged {
    pub inserted: u64,
    pub updated: u64,
    pub deleted: u64,
}

impl RowsChanged {
    pub(crate) const INSERTED: RowsChanged = RowsChanged { inserted: 1, updated: 0, deleted: 0 };
    pub(crate) const UPDATED: RowsChanged = RowsChanged { inserted: 0, updated: 1, deleted: 0 };
    pub(crate) const DELETED: RowsChanged = RowsChanged { inserted: 0, updated: 0, deleted: 1 };

    pub(crate) fn add(&mut self, other: &RowsChanged) {
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.deleted += other.deleted;
    }

    /// Less what was changed before.
    pub(crate) fn subtract(&mut self, before: &RowsChanged) {
        self.inserted = self.inserted.saturating_sub(before.inserted);
        self.updated = self.updated.saturating_sub(before.updated);
        self.deleted = self.deleted.saturating_sub(before.deleted);
    }

    pub(crate) fn count(&self) -> u64 {
        self.inserted + self.updated + self.deleted
    }
}

impl Effects {
    /// Rows of a table have been changed.
    pub(crate) fn count_changed(&mut self, table: Oid, rows: &RowsChanged) {
        self.rows.add(rows);
        self.changed_of(table).rows.add(rows);
    }

    /// A table has been emptied at once.
    pub(crate) fn count_emptied(&mut self, table: Oid) {
        self.changed_of(table).empty();
    }

    /// What was changed since is undone. Tables keep their places in the list.
    pub(crate) fn roll_back_changed(&mut self, before: &[(Oid, TableChanged)]) {
        for (at, (_, changed)) in self.changed.iter_mut().enumerate() {
            changed.roll_back_to(&before.get(at).map_or_else(TableChanged::default, |(_, known)| *known));
        }
    }

    /// How many rows of a table the transaction has won so far.
    pub(crate) fn won(&self, table: Oid) -> i64 {
        let known = self.changed.iter().find(|(changed, _)| *changed == table);
        known.map_or(0, |(_, changed)| changed.won())
    }

    fn changed_of(&mut self, table: Oid) -> &mut TableChanged {
        let known = self.changed.iter().position(|(changed, _)| *changed == table);
        let place = known.unwrap_or_else(|| {
            self.changed.push((table, TableChanged::default()));
            self.changed.len() - 1
        });
        &mut self.changed[place].1
    }
}

/// A row of a table that a row of a query stands on.
#[derive(Clone, Debug)]
pub(crate) struct RowPlace {
    pub table: Oid,
    pub key: Box<[u8]>,
    /// The version that was seen or locked: another row may have the key by and by.
    pub version: RowVersion,
}

/// Which rows of tables a row stands on.
pub(crate) type RowKeys = Vec<RowPlace>;

/// The node whose rows a cursor stands on, and the keys of the last that it has handed up.
struct Noted {
    node: Arc<Node>,
    keys: RowKeys,
}

/// A statement's state between calls.
#[derive(Default)]
pub(crate) struct State {
    pub slots: Vec<Datum>,
    pub memos: Vec<Option<Datum>>,
    pub case_values: Vec<Datum>,
    pub subplans: Vec<SubplanState>,
    pub common: Vec<CommonState>,
    pub identities: Identities,
    /// Rows changed.
    pub affected: u64,
    /// How many of the changes of WITH have come to their end.
    changes_done: usize,
    /// What the changes owe to other tables.
    pub referential: Referential,
    /// The transaction has been committed by the statement's last write.
    pub is_fused: bool,
    /// What it reads and changes, as others may ask.
    pub counts: StatementCounts,
    /// What the plan's nodes come to, if they are measured.
    pub measures: Measures,
    /// When the call that sleeps is over; microseconds as of the environment's clock.
    pub sleeps_until_us: Option<i64>,
    rows_since_yield: u32,
    spilled_since_yield: usize,
    noted: Option<Noted>,
}

impl State {
    pub(crate) fn new(plan: &Plan) -> State {
        State {
            slots: vec![Datum::Null; plan.slots],
            memos: vec![None; plan.memos],
            subplans: plan
                .subplans
                .iter()
                .map(|subplan| SubplanState {
                    is_correlated: subplan.is_correlated,
                    ..SubplanState::default()
                })
                .collect(),
            common: plan.common.iter().map(|_| CommonState::default()).collect(),
            measures: Measures { nodes: vec![Measure::default(); plan.measures], ..Measures::default() },
            ..State::default()
        }
    }

    /// No further row is asked for.
    pub(crate) fn drop_operators(&mut self) {
        self.subplans.iter_mut().for_each(|subplan| subplan.operator = None);
        self.common.iter_mut().for_each(|common| common.operator = None);
    }

    /// Has the keys of the rows that a node hands up noted.
    pub(crate) fn note_keys(&mut self, node: Option<Arc<Node>>) {
        self.noted = node.map(|node| Noted { node, keys: RowKeys::new() });
    }

    /// Where a node puts the keys of its row; `None` if nobody asks for them.
    pub(crate) fn keys_of(&mut self, node: &Arc<Node>) -> Option<&mut RowKeys> {
        let noted = self.noted.as_mut()?;
        Arc::ptr_eq(&noted.node, node).then_some(&mut noted.keys)
    }

    /// What was noted last.
    pub(crate) fn keys(&self) -> &[RowPlace] {
        self.noted.as_ref().map_or(&[], |noted| &noted.keys)
    }
}

/// The rows of a common table, as far as anyone has asked for them.
#[derive(Default)]
pub(crate) struct CommonState {
    operator: Option<Box<dyn Operator>>,
    rows: Vec<Row>,
    kept: Option<KeptBytes>,
    is_complete: bool,
    /// How many identities there were when the next row was asked for.
    identities: Option<usize>,
    /// Of a recursive one: the rows of the round before.
    pub working: Vec<Row>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum SubplanPhase {
    #[default]
    Idle,
    Running,
    Done,
}

/// A subquery inside an expression: its operator and the first column of its rows.
#[derive(Default)]
pub(crate) struct SubplanState {
    is_correlated: bool,
    phase: SubplanPhase,
    operator: Option<Box<dyn Operator>>,
    pub(super) values: Vec<Datum>,
    kept: Option<KeptBytes>,
    /// What comparing its rows with the row at hand costs has been counted.
    is_noted: bool,
    /// Takes the place of many values that are looked up.
    pub(super) table: Option<Box<SubplanTable>>,
}

impl SubplanState {
    pub(crate) fn is_done(&self) -> bool {
        self.phase == SubplanPhase::Done
    }

    pub(crate) fn is_running(&self) -> bool {
        self.phase == SubplanPhase::Running
    }

    pub(crate) fn values(&self) -> &[Datum] {
        &self.values
    }

    /// A new row has come: what depends on the row must be computed anew.
    pub(crate) fn forget(&mut self) {
        self.is_noted = false;
        if self.is_correlated {
            self.phase = SubplanPhase::Idle;
        }
    }

    /// Whether the query, which has ended, gave no row.
    pub(crate) fn gave_nothing(&self) -> bool {
        self.values.is_empty() && self.table.is_none()
    }

    /// Starts anew with all that belongs to it.
    fn reset(&mut self) {
        self.phase = SubplanPhase::Idle;
    }
}

/// Hash of a value so that equal values hash alike.
pub(super) fn hash_of(type_id: TypeId, value: &Datum) -> u64 {
    let mut hasher = ValueHasher::default();
    hash(type_id, value, &mut hasher);
    hasher.finish()
}

/// Hashes values for tables of one statement: each word is multiplied into the state, high and low halves of the product
/// folded together (as in wyhash; Wang Yi, 2019). Its constants are the binary digits of pi.
#[derive(Default)]
pub(super) struct ValueHasher(u64);

impl ValueHasher {
    fn add(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0x243f_6a88_85a3_08d3)
            * u128::from(0x1319_8a2e_0370_7345u64 ^ word.rotate_left(32));
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl Hasher for ValueHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.add(u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        // The length tells zeros at the end from none.
        self.add(u64::from_le_bytes(last) ^ ((bytes.len() as u64) << 56));
    }

    fn write_u8(&mut self, number: u8) {
        self.add(number.into());
    }

    fn write_u16(&mut self, number: u16) {
        self.add(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.add(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.add(number);
    }

    fn write_usize(&mut self, number: usize) {
        self.add(number as u64);
    }
}

/// The same of several values together.
pub(super) fn hash_values<'a>(values: impl Iterator<Item = (TypeId, &'a Datum)>) -> u64 {
    values.fold(0, |hash, (type_id, value)| hash.rotate_left(5) ^ hash_of(type_id, value))
}

impl Context<'_> {
    /// Called once per row at the leaves: lets others run from time to time and notices cancellation.
    pub(crate) fn count_row(&mut self) -> Step<()> {
        // The call that follows a yield is this row's again.
        self.count_rows_done(1)
    }

    /// The same for so many rows that have been worked on at once, and are not worked on again when the call is repeated.
    pub(super) fn count_rows_done(&mut self, rows: usize) -> Step<()> {
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        self.state.rows_since_yield = self.state.rows_since_yield.saturating_add(rows);
        if self.state.rows_since_yield <= self.database.options().rows_per_yield {
            return Ok(());
        }
        self.state.rows_since_yield = 0;
        match self.environment.cancelled() {
            Some(reason) => Err(reason.error().into()),
            None => Err(Need::Yield.into()),
        }
    }

    /// So many rows of a subquery were compared with the row at hand: others run, and cancellation is noticed, when the next row is
    /// counted. Once for a row, since what is evaluated anew after that would never come to its end.
    pub(crate) fn note_rows_compared(&mut self, id: usize, rows: usize) {
        if !std::mem::replace(&mut self.state.subplans[id].is_noted, true) {
            let rows = u32::try_from(rows).unwrap_or(u32::MAX);
            self.state.rows_since_yield = self.state.rows_since_yield.saturating_add(rows);
        }
    }

    /// So many bytes were written to a temporary file or read from one.
    pub(super) fn count_spilled(&mut self, bytes: usize) {
        self.state.spilled_since_yield += bytes;
    }

    /// Called before each piece of a temporary file is written or read: lets others run from time to time and notices
    /// cancellation.
    pub(super) fn let_others_run(&mut self) -> Step<()> {
        if self.state.spilled_since_yield < SPILL_CALL_BYTES_MAX {
            return Ok(());
        }
        self.state.spilled_since_yield = 0;
        match self.environment.cancelled() {
            Some(reason) => Err(reason.error().into()),
            None => Err(Need::Yield.into()),
        }
    }

    /// What these have given no longer holds: it is made anew when it is asked for.
    pub(crate) fn renew(&mut self, common: &[usize], subplans: &[usize]) {
        for &inner in subplans {
            self.state.subplans[inner].reset();
        }
        for &inner in common {
            self.state.common[inner] = CommonState::default();
        }
    }

    /// Makes a subquery ready to run with the slots as they are, for no more than so many rows.
    pub(crate) fn start_subplan(&mut self, id: usize, limit: usize) {
        let plan = self.plan;
        let subplan = &plan.subplans[id];
        self.renew(&subplan.inner_common, &subplan.inner_subplans);
        let mut operator = match self.state.subplans[id].operator.take() {
            Some(mut operator) => {
                operator.rewind(self);
                operator
            }
            None => build(&subplan.node, plan.levels),
        };
        if limit < usize::MAX {
            operator.bound(limit);
        }
        let state = &mut self.state.subplans[id];
        state.operator = Some(operator);
        state.values.clear();
        state.kept = None;
        state.table = None;
        state.phase = SubplanPhase::Running;
    }

    /// Runs a subquery until it has ended or given `limit` rows.
    pub(crate) fn run_subplan(&mut self, id: usize, limit: usize) -> Step<()> {
        let mut operator = self.state.subplans[id].operator.take().expect("started before");
        let mut row = Row::new();
        let result = loop {
            if self.state.subplans[id].values.len() >= limit {
                break Ok(());
            }
            match operator.next(self, &mut row) {
                Ok(true) => {
                    let value = row.first().cloned().unwrap_or(Datum::Bool(true));
                    let state = &mut self.state.subplans[id];
                    let kept = state.kept.get_or_insert_with(|| KeptBytes::worked_on("A subquery"));
                    if let Err(error) = kept.add(std::slice::from_ref(&value)) {
                        break Err(error.into());
                    }
                    state.values.push(value);
                }
                Ok(false) => break Ok(()),
                Err(stop) => break Err(stop),
            }
        };
        let state = &mut self.state.subplans[id];
        if result.is_ok() {
            state.phase = SubplanPhase::Done;
        }
        // One that runs once keeps no temporary files for it.
        state.operator = (result.is_err() || state.is_correlated).then_some(operator);
        result
    }

    /// Runs the changes of WITH to their ends, one after the other. They see what the statement sees: none of the others.
    pub(crate) fn run_common_changes(&mut self) -> Step<()> {
        let plan = self.plan;
        while let Some(&id) = plan.changes.get(self.state.changes_done) {
            let there_is_one = self.common_row(id, usize::MAX, &mut Row::new())?;
            assert!(!there_is_one, "no table has so many rows");
            self.state.changes_done += 1;
            // The statement's tag counts its own rows.
            self.state.affected = 0;
        }
        Ok(())
    }

    /// Row `at` of a common table; false if it has no so many.
    pub(crate) fn common_row(&mut self, id: usize, at: usize, row: &mut Row) -> Step<bool> {
        let plan = self.plan;
        while at >= self.state.common[id].rows.len() && !self.state.common[id].is_complete {
            let mut operator =
                self.state.common[id].operator.take().unwrap_or_else(|| build(&plan.common[id], plan.levels));
            self.state.common[id].identities.get_or_insert(self.state.identities.count());
            let result = operator.next(self, row);
            self.state.common[id].operator = Some(operator);
            let is_row = result?;
            let before = self.state.common[id].identities.take().expect("set above");
            match is_row {
                true => {
                    // Those of rows to come, which the row outside must not take along when it is let go of.
                    if self.state.identities.count() > before {
                        self.state.identities.hold();
                    }
                    let common = &mut self.state.common[id];
                    common.kept.get_or_insert_with(|| KeptBytes::worked_on("A common table")).add(row)?;
                    common.rows.push(row.clone());
                }
                false => {
                    let common = &mut self.state.common[id];
                    common.is_complete = true;
                    common.operator = None;
                }
            }
        }
        match self.state.common[id].rows.get(at) {
            Some(found) => {
                row.clone_from(found);
                Ok(true)
            }
            None => Ok(false),
        }
    }
}
