//! UPDATE and DELETE: rows from below are replaced or marked as deleted, one operation at a time.
//!
//! Owns [`RowUpdate`], the resumable steps for one row. Under READ COMMITTED a row that another transaction has changed
//! since the snapshot is read in its newest version, put into the joined row in place of the old one, and checked
//! against the whole condition again; other relations stay as they were (PostgreSQL's EvalPlanQual). A changed primary
//! key is a delete that names the new key, and an insert.

use super::identities::{Identity, OfRow};
use super::row_writer::{Entered, check_not_null, check_violation, duplicate_key, insert_entry};
use super::stored_row::long_columns;
use super::unique::{FirstTaken, SharedIn};
use super::{
    Context, Operator, Row, RowEncoder, check_key_bytes, decode_row, has_entry, index_key, primary_key,
    version_column,
};
use crate::catalog::object::{Index, Table};
use crate::expression::{Kind, evaluate, is_true};
use crate::plan::{Exprs, Node, Plan, Predicate, RowCheck};
use crate::stop::{Step, Stop};
use hexalog_engine::{
    Chain, ChainReader, EngineError, Known, LockWait, Moved, NewestRow, RowBuffer, RowLockMode, RowVersion,
    WriteOutcome,
};
use hexalog_sql_types::{Datum, SqlError, SqlState};
use std::sync::Arc;

/// The operator of UPDATE and DELETE.
pub(super) struct Modify {
    plan: Arc<Node>,
    input: Box<dyn Operator>,
    /// No identity is needed once its row has been taken.
    identities: OfRow,
    row: Row,
    current: Option<RowUpdate>,
    is_returning: bool,
    single: bool,
}

fn target(plan: &Node) -> (&Arc<Table>, &Arc<Node>, Option<&Exprs>) {
    match plan {
        Node::Update { table, input, returning, .. } | Node::Delete { table, input, returning, .. } => {
            (table, input, returning.as_ref())
        }
        _ => unreachable!("built for UPDATE and DELETE"),
    }
}

impl Modify {
    pub(super) fn new(plan: Arc<Node>, input: Box<dyn Operator>) -> Modify {
        let (_, below, returning) = target(&plan);
        let mut single = false;
        if let Node::Scan(scan) = &**below {
            single = returning.is_none()
                && scan.access.as_ref().is_some_and(|access| {
                    let index = &scan.table.indexes[access.index];
                    index.is_clustered() && access.is_point(index)
                });
        }
        Modify {
            identities: OfRow::new(below),
            plan,
            input,
            row: Row::new(),
            current: None,
            is_returning: false,
            single,
        }
    }
}

impl Operator for Modify {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        let plan = self.plan.clone();
        let (table, _, returning) = target(&plan);
        loop {
            if self.is_returning {
                let returning = returning.expect("set below");
                row.clear();
                for item in &returning.items {
                    row.push(evaluate(item, &self.row, context)?);
                }
                self.is_returning = false;
                return Ok(true);
            }
            if self.current.is_none() {
                self.identities.ask(&context.state.identities);
                if context.state.is_fused || !self.input.next(context, &mut self.row)? {
                    return Ok(false);
                }
                self.current = Some(RowUpdate::of_row(table.clone(), &self.row, context, self.single));
                self.identities.let_go(&mut context.state.identities, self.input.has_put_aside());
                self.begin_row(context);
            }
            let current = self.current.as_mut().expect("set above");
            let result = current.step(context, &plan)?;
            let finished = self.current.take().expect("set above");
            let Some(new) = result else { continue };
            context.state.affected += 1;
            if let Some(returning) = returning {
                // A deleted row is returned as it was, an updated one as it is.
                let ctid = finished.ctid(&new, context.plan)?;
                self.row = finished.joined;
                self.row[..new.len()].clone_from_slice(&new);
                show_version(&plan, &mut self.row, ctid, context);
                returning.evaluation.begin_row(context.state);
                self.is_returning = true;
            }
        }
    }

    fn rewind(&mut self, _: &mut Context<'_>) {
        unreachable!("changes run once");
    }
}

impl Modify {
    fn begin_row(&self, context: &mut Context<'_>) {
        begin_row(&self.plan, context);
    }
}

/// Puts the running transaction behind a row to be returned that it has written, or deleted, and where a row is now that
/// it has written.
fn show_version(plan: &Node, row: &mut Row, ctid: Datum, context: &mut Context<'_>) {
    match plan {
        Node::Update { table, with_versions: true, .. } => {
            row[table.columns.len() + 1] = version_column::own(context.stores.of(table.tree).1);
            row[table.columns.len() + 4] = ctid;
        }
        Node::Delete { table, with_versions: true, .. } => {
            row[table.columns.len() + 2] = version_column::own(context.stores.of(table.tree).1);
        }
        _ => {}
    }
}

fn begin_row(plan: &Node, context: &mut Context<'_>) {
    let recheck = match plan {
        Node::Update { values, checks, recheck, .. } => {
            values.evaluation.begin_row(context.state);
            checks.iter().for_each(|check| check.predicate.evaluation.begin_row(context.state));
            recheck
        }
        Node::Delete { recheck, .. } => recheck,
        _ => return,
    };
    if let Some(recheck) = recheck {
        recheck.evaluation.begin_row(context.state);
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// The new values are computed and checked.
    Compute,
    /// Long values are written.
    Encode,
    /// The clustered row is written.
    Write,
    /// It was not: what was written of long values is given back.
    Discard,
    /// The row has moved: it is inserted under its new key.
    Insert,
    /// The newest version is fetched, and the condition checked again.
    Reread,
    Recheck,
    /// The old entry of the n-th index is marked.
    OldEntry(usize),
    NewEntry(usize),
}

/// One row's way through UPDATE or DELETE.
pub(super) struct RowUpdate {
    table: Arc<Table>,
    phase: Phase,
    /// The row from below: the target's columns, and whatever else was joined.
    joined: Row,
    key: Vec<u8>,
    known: Known,
    new: Row,
    /// The columns that are given values.
    assigned: Vec<usize>,
    new_key: Vec<u8>,
    encoder: RowEncoder,
    /// Columns whose old values lie in chains. Those that were not read stand as NULL in the joined row.
    long: Vec<(usize, Chain)>,
    readers: Vec<ChainReader>,
    /// Those of them that the new row keeps.
    kept: Vec<(usize, Chain)>,
    /// What writing came to, if not to a row.
    outcome: Option<WriteOutcome>,
    stored: RowBuffer,
    /// The statement changes one row at most.
    single: bool,
    is_conflict: bool,
    /// The row in the way of an INSERT has changed or gone before it could be updated.
    has_lost_conflict: bool,
    entry: Vec<u8>,
    /// The indexes in which another row may have the new row's key.
    shared: Vec<usize>,
    taken: FirstTaken,
}

impl RowUpdate {
    fn of_row(table: Arc<Table>, joined: &Row, context: &Context<'_>, single: bool) -> RowUpdate {
        let Datum::Int8(number) = joined[table.columns.len()] else {
            unreachable!("the column behind the table's own is the identity");
        };
        let Identity { key, version, long } = context.state.identities.get(number);
        RowUpdate::new(table, joined.clone(), key.to_vec(), *version, long.clone(), single)
    }

    /// DO UPDATE: `joined` is the existing row followed by the proposed one.
    pub(super) fn of_conflict(table: Arc<Table>, joined: Row, stored: RowBuffer) -> Step<RowUpdate> {
        let long = long_columns(&table, &stored)?;
        let RowBuffer { key, version, .. } = stored;
        let update = RowUpdate::new(table, joined, key, version, long, false);
        Ok(RowUpdate { is_conflict: true, ..update })
    }

    fn new(
        table: Arc<Table>,
        joined: Row,
        key: Vec<u8>,
        version: RowVersion,
        long: Vec<(usize, Chain)>,
        single: bool,
    ) -> RowUpdate {
        RowUpdate {
            table,
            phase: Phase::Compute,
            joined,
            key,
            known: version.into(),
            new: Row::new(),
            assigned: Vec::new(),
            new_key: Vec::new(),
            encoder: RowEncoder::new(),
            long,
            readers: Vec::new(),
            kept: Vec::new(),
            outcome: None,
            stored: RowBuffer::new(),
            single,
            is_conflict: false,
            has_lost_conflict: false,
            entry: Vec::new(),
            shared: Vec::new(),
            taken: FirstTaken::default(),
        }
    }

    /// Whether DO UPDATE has to look again for what is in the way of its row.
    pub(super) fn has_lost_conflict(&self) -> bool {
        self.has_lost_conflict
    }

    /// `ctid` of the row that has been written; NULL if none was, or nobody asks for it.
    pub(super) fn ctid(&self, new: &[Datum], plan: &Plan) -> Step<Datum> {
        if self.new_key.is_empty() {
            return Ok(Datum::Null);
        }
        let written = self.encoder.last(&self.table);
        Ok(version_column::ctid_written(&self.table, &self.new_key, new, written, plan)?)
    }

    fn old(&self) -> &[Datum] {
        &self.joined[..self.table.columns.len()]
    }

    /// Goes on; `Some(row)` once the row was changed (a deleted row as it was), `None` if it was left alone.
    pub(super) fn step(&mut self, context: &mut Context<'_>, plan: &Node) -> Step<Option<Row>> {
        let is_delete = matches!(plan, Node::Delete { .. });
        loop {
            match self.phase {
                Phase::Compute => {
                    if !self.compute(context, plan)? {
                        return Ok(None);
                    }
                    self.phase = if is_delete { Phase::Write } else { Phase::Encode };
                }
                Phase::Encode => {
                    self.encode(context)?;
                    self.phase = Phase::Write;
                }
                Phase::Write => {
                    let outcome = self.write(context, is_delete)?;
                    self.phase = self.after_write(outcome, is_delete);
                }
                Phase::Discard => {
                    let (engine, transaction) = context.stores.of(self.table.tree);
                    self.encoder.discard(engine, transaction)?;
                    if !self.not_written()? {
                        return Ok(None);
                    }
                }
                Phase::Insert => {
                    self.insert_moved(context)?;
                    self.encoder.taken();
                    self.phase = Phase::OldEntry(0);
                }
                Phase::Reread => {
                    if !self.reread(context, plan)? {
                        return Ok(None);
                    }
                }
                Phase::Recheck => {
                    if !self.recheck(context, plan)? {
                        return Ok(None);
                    }
                    self.phase = Phase::Compute;
                }
                Phase::OldEntry(at) => {
                    if at == self.table.indexes.len() {
                        let new = (!is_delete).then_some(&*self.new);
                        let shared = SharedIn { row: &self.new_key, indexes: &self.shared };
                        context.note_change(&self.table, self.old(), new, shared)?;
                        return Ok(Some(if is_delete {
                            self.old().to_vec()
                        } else {
                            std::mem::take(&mut self.new)
                        }));
                    }
                    self.phase = match self.old_entry(context, at, is_delete)? {
                        true => Phase::NewEntry(at),
                        false => Phase::OldEntry(at + 1),
                    };
                }
                Phase::NewEntry(at) => {
                    self.new_entry(context, at)?;
                    self.phase = Phase::OldEntry(at + 1);
                }
            }
        }
    }

    /// Somebody else was there, or this statement before: true if the row is to be read again.
    fn not_written(&mut self) -> Step<bool> {
        match self.outcome.take().expect("set as the write failed") {
            WriteOutcome::Done => unreachable!("a row that was written is not discarded"),
            WriteOutcome::AlreadyWritten if self.is_conflict => return Err(affected_twice().into()),
            // What stands in the way now, if anything, is looked for again, as PostgreSQL does it.
            WriteOutcome::Changed | WriteOutcome::Gone | WriteOutcome::MovedTo(_) if self.is_conflict => {
                self.has_lost_conflict = true;
                return Ok(false);
            }
            WriteOutcome::AlreadyWritten | WriteOutcome::Gone => return Ok(false),
            WriteOutcome::Changed => {}
            WriteOutcome::MovedTo(moved) => self.follow(moved),
        }
        self.phase = Phase::Reread;
        Ok(true)
    }

    /// Computes and checks the new row; false if DO UPDATE's condition does not hold.
    fn compute(&mut self, context: &mut Context<'_>, plan: &Node) -> Step<bool> {
        let (columns, values, checks): (&[usize], &Exprs, &[RowCheck]) = match plan {
            Node::Delete { .. } => return Ok(true),
            Node::Update { columns, values, checks, .. } => (columns, values, checks),
            Node::Insert { conflict, checks, .. } => {
                let update = conflict.as_ref().and_then(|conflict| conflict.update.as_ref());
                let update = update.expect("a conflict update has one");
                if !super::insert::passes(update, &self.joined, context)? {
                    return Ok(false);
                }
                (&update.columns, &update.values, checks)
            }
            _ => unreachable!("built for changes"),
        };
        loop {
            self.new.clear();
            self.new.extend_from_slice(&self.joined[..self.table.columns.len()]);
            self.kept.clone_from(&self.long);
            self.assigned.clear();
            for (&column, value) in columns.iter().zip(&values.items) {
                if matches!(value.kind, Kind::Column(own) if own == column) {
                    continue;
                }
                self.new[column] = evaluate(value, &self.joined, context)?;
                self.kept.retain(|(kept, _)| *kept != column);
                self.assigned.push(column);
            }
            for (column, generated) in self.table.clone().generated_from(&self.assigned.clone()) {
                self.new[column] = generated.value(&self.new)?;
                self.kept.retain(|(kept, _)| *kept != column);
                self.assigned.push(column);
            }
            // A value that is kept unread is not NULL, and nobody asks for more of it.
            for (column, _) in &self.kept {
                if self.new[*column].is_null() {
                    self.new[*column] = Datum::text("");
                }
            }
            let is_unread = self.kept.iter().any(|(column, _)| self.joined[*column].is_null());
            match self.judge(context, checks) {
                // An error shows the whole row, and a row that moves takes its values along.
                Err(Stop::Error(_)) if is_unread => self.read_kept(context)?,
                Ok(()) if is_unread && self.new_key != self.key => self.read_kept(context)?,
                Ok(()) => break,
                Err(stop) => return Err(stop),
            }
        }
        if self.new_key != self.key {
            self.kept.clear();
        }
        Ok(true)
    }

    /// Checks the new row and computes its key.
    fn judge(&mut self, context: &mut Context<'_>, checks: &[RowCheck]) -> Step<()> {
        check_not_null(&self.table, &self.new, context)?;
        for check in checks {
            if check.refuses(evaluate(&check.predicate.expr, &self.new, context)?.as_bool()) {
                return Err(check_violation(&self.table, check, &self.new, context).into());
            }
        }
        self.new_key.clear();
        if !primary_key(&self.table, &self.new, &mut self.new_key)? {
            self.new_key.extend_from_slice(&self.key);
        } else if let Some(index) = self.table.clustered_key() {
            check_key_bytes(index, self.new_key.len())?;
        }
        Ok(())
    }

    /// Reads the values that are kept and not read yet into the joined row.
    fn read_kept(&mut self, context: &mut Context<'_>) -> Step<()> {
        for (column, chain) in &self.kept {
            if !self.joined[*column].is_null() {
                continue;
            }
            if !self.readers.iter().any(|reader| reader.chain() == *chain) {
                self.readers.push(ChainReader::new(*chain));
            }
            let reader =
                self.readers.iter_mut().find(|reader| reader.chain() == *chain).expect("pushed above");
            let (engine, transaction) = context.stores.of(self.table.tree);
            let bytes = engine.read_chain(transaction, reader)?;
            self.joined[*column] = self.table.layout.decode_value(*column, bytes)?;
        }
        self.readers.clear();
        Ok(())
    }

    fn encode(&mut self, context: &mut Context<'_>) -> Step<()> {
        let (engine, transaction) = context.stores.of(self.table.tree);
        self.encoder.encode(engine, transaction, &self.table, &self.new, self.new_key.len(), &self.kept)
    }

    /// An update of a unique key that is not the primary one locks the row as a delete does: others may hold FOR KEY
    /// SHARE, which a plain update passes.
    fn lock_keys(&mut self, context: &mut Context<'_>) -> Step<()> {
        let table = self.table.clone();
        for index in table.secondary_indexes().filter(|index| index.can_be_referred_to()) {
            if self.entry_changes(index)? {
                let (mode, wait) = (RowLockMode::Update, LockWait::Wait);
                let (tree, key, known) = (table.tree, &self.key, self.known);
                let (engine, transaction) = context.stores.of(tree);
                engine.lock_row(transaction, tree, key, known, mode, wait, &mut self.stored)?;
                return Ok(());
            }
        }
        Ok(())
    }

    fn write(&mut self, context: &mut Context<'_>, is_delete: bool) -> Step<WriteOutcome> {
        if !is_delete && self.new_key == self.key {
            self.lock_keys(context)?;
        }
        let fuse = context.may_fuse
            && self.single
            && !context.has_references(&self.table)
            && self.touches_one_tree(is_delete)?;
        let tree = self.table.tree;
        let (engine, transaction) = context.stores.of(tree);
        if fuse {
            transaction.set_commit_with_next_write(true);
        }
        let outcome = if is_delete {
            engine.delete(transaction, tree, &self.key, self.known, None)?
        } else if self.new_key == self.key {
            let row = self.encoder.row(&self.table);
            engine.update(transaction, tree, &self.key, self.known, row)?
        } else {
            let moved_to = Some(self.new_key.as_slice());
            engine.delete(transaction, tree, &self.key, self.known, moved_to)?
        };
        if fuse {
            context.state.is_fused = outcome == WriteOutcome::Done;
            if outcome != WriteOutcome::Done {
                transaction.set_commit_with_next_write(false);
            }
        }
        Ok(outcome)
    }

    /// The phase that follows the clustered write; what it came to is kept for [`Self::not_written`].
    fn after_write(&mut self, outcome: WriteOutcome, is_delete: bool) -> Phase {
        match outcome {
            WriteOutcome::Done if is_delete => Phase::OldEntry(0),
            // The long values go with the row to its new key.
            WriteOutcome::Done if self.new_key != self.key => Phase::Insert,
            WriteOutcome::Done => {
                self.encoder.taken();
                Phase::OldEntry(0)
            }
            other => {
                self.outcome = Some(other);
                Phase::Discard
            }
        }
    }

    /// Whether the clustered write is the only one.
    fn touches_one_tree(&mut self, is_delete: bool) -> Step<bool> {
        if is_delete {
            return Ok(self.table.secondary_indexes().next().is_none());
        }
        if self.new_key != self.key {
            return Ok(false);
        }
        let table = self.table.clone();
        for index in table.secondary_indexes() {
            if self.entry_changes(index)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn entry_changes(&mut self, index: &Index) -> Step<bool> {
        let moves = self.new_key != self.key;
        // Most indexes have nothing to do with most updates.
        if !moves && !index.reads.iter().any(|column| self.assigned.contains(column)) {
            return Ok(false);
        }
        let (had, has) = (has_entry(index, &self.joined)?, has_entry(index, &self.new)?);
        if !had || !has {
            return Ok(had || has);
        }
        let mut new_entry = Vec::new();
        self.entry.clear();
        index_key(index, &self.joined, &mut self.entry)?;
        index_key(index, &self.new, &mut new_entry)?;
        Ok(self.entry != new_entry || moves)
    }

    fn insert_moved(&mut self, context: &mut Context<'_>) -> Step<()> {
        let row = self.encoder.row(&self.table);
        let (engine, transaction) = context.stores.of(self.table.tree);
        match engine.insert(transaction, self.table.tree, &self.new_key, row) {
            Ok(()) => Ok(()),
            Err(hexalog_engine::Stop::Fail(EngineError::DuplicateKey)) => {
                let at = self.taken.find(context, &self.table, &self.new, Some(&self.key), 0)?;
                let schema = context.view.catalog().schema_name(self.table.schema);
                Err(duplicate_key(&self.table, schema, &self.table.indexes[at], &self.new, &context.env)
                    .into())
            }
            Err(stop) => Err(stop.into()),
        }
    }

    /// The row has another key.
    fn follow(&mut self, moved: Moved) {
        self.key = moved.key.into_vec();
        self.known = Known::Moved(moved.mark);
    }

    /// Fetches the newest version and puts it into the joined row; false if the row is gone.
    fn reread(&mut self, context: &mut Context<'_>, plan: &Node) -> Step<bool> {
        let (tree, known) = (self.table.tree, Some(self.known));
        let (engine, transaction) = context.stores.of(tree);
        match engine.get_newest(transaction, tree, &self.key, known, &mut self.stored)? {
            NewestRow::Gone => Ok(false),
            NewestRow::MovedTo(moved) => {
                self.follow(moved);
                Ok(true)
            }
            NewestRow::Found => {
                let columns: Vec<usize> = (0..self.table.columns.len()).collect();
                let mut newest = Row::new();
                decode_row(engine, transaction, &self.table, &mut self.stored, &columns, &mut newest)?;
                self.known = self.stored.version.into();
                self.long = long_columns(&self.table, &self.stored)?;
                self.joined[..newest.len()].clone_from_slice(&newest);
                if let Node::Update { with_versions: true, .. } | Node::Delete { with_versions: true, .. } =
                    plan
                {
                    let versions = version_column::of_stored(&self.table, &self.stored, context.plan)?;
                    let first = newest.len() + 1;
                    self.joined[first..first + versions.len()].clone_from_slice(&versions);
                }
                begin_row(plan, context);
                self.phase = Phase::Recheck;
                Ok(true)
            }
        }
    }

    fn recheck(&mut self, context: &mut Context<'_>, plan: &Node) -> Step<bool> {
        let recheck: Option<&Predicate> = match plan {
            Node::Update { recheck, .. } | Node::Delete { recheck, .. } => recheck.as_ref(),
            _ => None,
        };
        match recheck {
            Some(recheck) => is_true(&recheck.expr, &self.joined, context),
            None => Ok(true),
        }
    }

    /// Marks the old entry of an index if it falls; true if a new one is to be inserted.
    fn old_entry(&mut self, context: &mut Context<'_>, at: usize, is_delete: bool) -> Step<bool> {
        let table = self.table.clone();
        let index = &table.indexes[at];
        let Some(tree) = index.tree else { return Ok(false) };
        if !is_delete && !self.entry_changes(index)? {
            return Ok(false);
        }
        if has_entry(index, &self.joined)? {
            self.entry.clear();
            index_key(index, &self.joined, &mut self.entry)?;
            let (engine, transaction) = context.stores.of(tree);
            engine.index_delete(transaction, tree, &self.entry, &self.key)?;
        }
        Ok(!is_delete && has_entry(index, &self.new)?)
    }

    fn new_entry(&mut self, context: &mut Context<'_>, at: usize) -> Step<()> {
        let table = self.table.clone();
        let index = &table.indexes[at];
        self.entry.clear();
        let has_null = index_key(index, &self.new, &mut self.entry)?;
        let (key, (engine, transaction)) = (&self.new_key, context.stores.of(table.tree));
        match insert_entry(engine, transaction, &table, index, &self.entry, has_null, key)? {
            Entered::Done => return Ok(()),
            Entered::Shared => {
                self.shared.push(at);
                return Ok(());
            }
            Entered::Duplicate => {}
        }
        let schema = context.view.catalog().schema_name(table.schema);
        Err(duplicate_key(&table, schema, index, &self.new, &context.env).into())
    }
}

/// DO UPDATE has come to a row that its own command wrote, whatever its condition would say of it.
pub(super) fn affected_twice() -> SqlError {
    let message = "ON CONFLICT DO UPDATE command cannot affect row a second time";
    SqlError::new(SqlState::CARDINALITY_VIOLATION, message).with_hint(
        "Ensure that no rows proposed for insertion within the same command have duplicate constrained values.",
    )
}
