//! ANALYZE: reads tables and keeps what planning can guess by.
//!
//! Owns the choice of tables and columns. How a table is read: `sampling.rs`; what follows from a sample:
//! `column_statistics.rs`.

use super::column_statistics::{Sampled, column_statistics};
use super::lookup::{self, Found};
use super::replay::Replay;
use super::sampling::{Extent, Sampling, Size};
use super::{Defined, DefinitionContext, see_every_row, store};
use crate::answer::Severity;
use crate::catalog::Relation;
use crate::catalog::object::{Object, Oid, Table};
use crate::catalog::overlay::ChangeSet;
use crate::catalog::statistics::{ColumnStatistics, Statistics};
use crate::parse::tree::{Maintenance, MaintenanceTarget, Name};
use crate::relation_statistics::Upkeep;
use crate::stop::{Step, Stop};
use hexalog_engine::{Need, RelationLockMode};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes that a block of PostgreSQL holds: what `relpages` counts in.
pub(crate) const BLOCK_BYTES: u64 = 8_192;

/// A warning for what is no table.
pub(crate) fn skipped(name: &str, work: &str) -> SqlError {
    let message = format!("skipping \"{name}\" --- cannot {work} non-tables or special system tables");
    SqlError::new(SqlState::WARNING, message)
}

/// The analysis of one table: it is read, then one column after the other is looked at.
struct Analysis {
    table: Oid,
    columns: Vec<usize>,
    reading: Option<Sampling>,
    /// Of what was read.
    size: Size,
    sample: Vec<Vec<Sampled>>,
    found: Vec<ColumnStatistics>,
}

/// What an analysis has found, and from how much.
#[derive(Clone)]
struct Analysed {
    statistics: Arc<Statistics>,
    size: Size,
    sample_rows: usize,
}

impl Analysis {
    fn new(context: &DefinitionContext<'_>, table: &Table, columns: Vec<usize>, target: usize) -> Analysis {
        let seed = context.environment.random_u64();
        let reading = Sampling::new(table, columns.clone(), Extent::of_target(target), seed);
        Analysis {
            table: table.oid,
            columns,
            reading: Some(reading),
            size: Size::default(),
            sample: Vec::new(),
            found: Vec::new(),
        }
    }

    fn run(&mut self, context: &mut DefinitionContext<'_>, table: &Table, target: usize) -> Step<Analysed> {
        if let Some(reading) = &mut self.reading {
            reading.read(context, table)?;
            let reading = self.reading.take().expect("just read");
            (self.size, self.sample) = reading.into_sample();
        }
        let rows = self.size.rows.max(self.sample.len() as u64);
        // Sorting the values of one column takes some milliseconds: others run in between.
        if let Some(&column) = self.columns.get(self.found.len()) {
            let at = self.found.len();
            let values = self.sample.iter().map(|row| &row[at]);
            let type_id = table.columns[column].type_id;
            self.found.push(column_statistics((column, type_id), values, rows, target));
            return Err(Need::Yield.into());
        }
        let columns = std::mem::take(&mut self.found);
        let statistics = Statistics { table: self.table, rows: Some(rows), bytes: self.size.bytes, columns };
        Ok(Analysed { statistics: Arc::new(statistics), size: self.size, sample_rows: self.sample.len() })
    }
}

/// The places of the columns that are named, or of all.
fn columns_of(table: &Table, names: &[String]) -> Result<Vec<usize>> {
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let relation = format!("column \"{name}\" of relation \"{}\"", table.name);
        let column = table
            .column_index(name)
            .ok_or_else(|| SqlError::new(SqlState::UNDEFINED_COLUMN, format!("{relation} does not exist")))?;
        if columns.contains(&column) {
            let message = format!("{relation} appears more than once");
            return Err(SqlError::new(SqlState::DUPLICATE_COLUMN, message));
        }
        columns.push(column);
    }
    if columns.is_empty() {
        let live = |at: &usize| !table.columns[*at].dropped;
        columns = (0..table.columns.len()).filter(live).collect();
    }
    columns.sort_unstable();
    Ok(columns)
}

/// The table that a name means, locked; `None`: it is to be skipped, and that has been said.
fn named(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    maintenance: &Maintenance,
    name: &Name,
) -> Step<Option<Arc<Table>>> {
    let work = if maintenance.is_vacuum { "vacuum" } else { "analyze" };
    if maintenance.skip_locked && !can_lock(replay, context, name)? {
        return Ok(None);
    }
    match lookup::locked(replay, context, name, RelationLockMode::ShareUpdateExclusive)? {
        Found::Relation(Relation::Table(table)) => Ok(Some(table)),
        // Made anew for each statement that reads it.
        Found::Relation(Relation::System(table)) if !table.is_view => Ok(None),
        Found::Relation(relation) => replay.once(context, |context| {
            context.notices.push((Severity::Warning, skipped(relation.name(), work)));
            Ok(None)
        }),
        Found::Nothing => Err(lookup::no_relation(name).into()),
        Found::NoSchema(schema) => Err(lookup::no_schema(&schema).into()),
    }
}

/// SKIP_LOCKED: whether the table's lock is to be had at once. If not, that is said.
fn can_lock(replay: &mut Replay, context: &mut DefinitionContext<'_>, name: &Name) -> Step<bool> {
    replay.once(context, |context| {
        let catalog = context.newest();
        let Found::Relation(Relation::Table(table)) = lookup::find(&catalog, context.view, name)? else {
            return Ok(true);
        };
        let mode = RelationLockMode::ShareUpdateExclusive;
        match context.stores.engine.lock_relation(context.stores.transaction, table.oid, mode) {
            Err(hexalog_engine::Stop::Need(need @ Need::Lock(_))) => {
                context.stores.engine.cancel_need(&need);
                let message = format!("skipping analyze of \"{}\" --- lock not available", table.name);
                let warning = SqlError::new(SqlState::LOCK_NOT_AVAILABLE, message);
                context.notices.push((Severity::Warning, warning));
                Ok(false)
            }
            other => Ok(other.map(|()| true)?),
        }
    })
}

/// Every table that the session may read, locked one after the other.
fn all_tables(replay: &mut Replay, context: &mut DefinitionContext<'_>) -> Step<Vec<Arc<Table>>> {
    let all: Vec<Oid> =
        replay.once(context, |context| Ok(context.newest().tables().map(|table| table.oid).collect()))?;
    let mut tables = Vec::with_capacity(all.len());
    for oid in all {
        lookup::lock(replay, context, oid, RelationLockMode::ShareUpdateExclusive)?;
        tables.extend(replay.once(context, |context| Ok(context.newest().table(oid).cloned()))?);
    }
    Ok(tables)
}

/// Reads a table that is locked.
fn analyse(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    table: &Arc<Table>,
    columns: Vec<usize>,
    verbose: bool,
) -> Step<Arc<Statistics>> {
    let target: usize = context.view.settings.get("default_statistics_target").parse().unwrap_or(100);
    if verbose {
        let schema = context.view.catalog().schema_name(table.schema).to_owned();
        say(replay, context, format!("analyzing \"{schema}.{}\"", table.name))?;
    }
    see_every_row(replay, context)?;
    let Analysed { statistics, size, sample_rows } = replay.drive(
        context,
        |context| Ok(Analysis::new(context, table, columns, target)),
        |analysis, context| analysis.run(context, table, target),
    )?;
    if verbose {
        let rows = statistics.rows.unwrap_or(0);
        let (scanned, pages) = (size.bytes_read.div_ceil(BLOCK_BYTES), size.bytes.div_ceil(BLOCK_BYTES));
        let message = format!(
            "\"{}\": scanned {scanned} of {pages} pages, containing {} live rows and 0 dead rows; {sample_rows} rows in \
             sample, {rows} estimated total rows",
            table.name, size.rows_read
        );
        say(replay, context, message)?;
    }
    Ok(statistics)
}

fn say(replay: &mut Replay, context: &mut DefinitionContext<'_>, message: String) -> Step<()> {
    replay.once(context, |context| {
        let info = SqlError::new(SqlState::SUCCESSFUL_COMPLETION, message);
        context.notices.push((Severity::Info, info));
        Ok(())
    })
}

/// What has been found, beside what was known of other columns.
fn merged(known: Option<&Arc<Statistics>>, found: &Statistics) -> Statistics {
    let mut columns = found.columns.clone();
    if let Some(known) = known {
        columns.extend(known.columns.iter().filter(|known| found.column(known.column).is_none()).cloned());
        columns.sort_by_key(|statistics| statistics.column);
    }
    Statistics { columns, ..found.clone() }
}

/// ANALYZE, and what VACUUM does of it.
pub(super) fn run(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    maintenance: &Maintenance,
) -> Step<Defined> {
    let mut tables: Vec<(Arc<Table>, &[String])> = Vec::new();
    for MaintenanceTarget { name, columns } in &maintenance.targets {
        tables.extend(named(replay, context, maintenance, name)?.map(|table| (table, columns.as_slice())));
    }
    if maintenance.targets.is_empty() {
        tables.extend(all_tables(replay, context)?.into_iter().map(|table| (table, [].as_slice())));
    }
    let mut found: Vec<Arc<Statistics>> = Vec::new();
    for (table, names) in tables {
        let catalog = replay.once(context, |context| Ok(context.newest()))?;
        if context.view.is_of_other_session(&catalog, table.schema) {
            continue;
        }
        let columns = columns_of(&table, names).map_err(Stop::from)?;
        found.push(analyse(replay, context, &table, columns, maintenance.verbose)?);
    }
    let before = replay.once(context, |context| Ok(context.newest()))?;
    // A table may have been named more than once.
    let mut all: BTreeMap<Oid, Arc<Statistics>> = BTreeMap::new();
    for found in found {
        let known = all.get(&found.table).or_else(|| before.statistics(found.table));
        let statistics = merged(known, &found);
        all.insert(found.table, Arc::new(statistics));
    }
    replay.once(context, |context| {
        for (&table, found) in &all {
            let (rows, own) = (found.rows.unwrap_or(0), context.effects.won(table));
            let upkeep = Upkeep::Analyze { rows, own, is_automatic: false };
            context.effects.kept_up.push((table, upkeep));
            context.effects.kept_up.extend(maintenance.is_vacuum.then_some((table, Upkeep::Vacuum)));
        }
        Ok(())
    })?;
    let mut changes = ChangeSet::default();
    for statistics in all.into_values() {
        changes.put(Object::Statistics(statistics));
    }
    let verb = if maintenance.is_vacuum { "VACUUM" } else { "ANALYZE" };
    Ok(Defined::plain(verb, store(replay, context, &before, changes)?))
}
