//! Sequences: `nextval`, `currval`, `lastval`, `setval` and what is known of one sequence.
//!
//! Values of this session go to [`crate::execute::Effects`]. A sequence's relation lock is taken as PostgreSQL does, so
//! that it is not dropped under the call; a value drawn stays drawn whatever becomes of the transaction.

use super::{HostFunction, TableFunction, bool_at, host, integer_at, oid_at, table_of, text_at};
use crate::catalog::object::{Sequence, Table};
use crate::catalog::published::Published;
use crate::catalog::{Relation, registry};
use crate::execute::{Context, Row};
use crate::stop::{Step, Stop};
use hexalog_engine::{Engine, EngineError, Need, RelationLockMode, SequenceId, Transaction};
use hexalog_sql_types::function::quote_identifier;
use hexalog_sql_types::{Datum, SqlError, SqlState, TypeId};
use std::sync::Arc;

/// PostgreSQL's SEQUENCE_GENERATOR_LIMIT_EXCEEDED.
const LIMIT_EXCEEDED: SqlState = SqlState::new(b"2200H");

pub(super) static FUNCTIONS: &[HostFunction] = &[
    host(1574, "nextval", &[TypeId::REGCLASS], TypeId::INT8, nextval).once(),
    host(1575, "currval", &[TypeId::REGCLASS], TypeId::INT8, currval).volatile(),
    host(2559, "lastval", &[], TypeId::INT8, lastval).volatile(),
    host(1576, "setval", &[TypeId::REGCLASS, TypeId::INT8], TypeId::INT8, setval).once(),
    host(1765, "setval", &[TypeId::REGCLASS, TypeId::INT8, TypeId::BOOL], TypeId::INT8, setval).once(),
    host(1665, "pg_get_serial_sequence", &[TypeId::TEXT, TypeId::TEXT], TypeId::TEXT, serial_sequence),
    host(4032, "pg_sequence_last_value", &[TypeId::REGCLASS], TypeId::INT8, last_value).once(),
];

pub(super) static TABLE_FUNCTIONS: &[TableFunction] = &[table_of(
    3078,
    "pg_sequence_parameters",
    &[TypeId::OID],
    &[
        ("start_value", TypeId::INT8),
        ("minimum_value", TypeId::INT8),
        ("maximum_value", TypeId::INT8),
        ("increment", TypeId::INT8),
        ("cycle_option", TypeId::BOOL),
        ("cache_size", TypeId::INT8),
        ("data_type", TypeId::OID),
    ],
    parameters,
)];

/// What a sequence holds when it is read as a table. It has no name to be called by.
pub(crate) static SEQUENCE_ROW: TableFunction = table_of(
    0,
    "",
    &[TypeId::OID],
    &[("last_value", TypeId::INT8), ("log_cnt", TypeId::INT8), ("is_called", TypeId::BOOL)],
    state_row,
);

/// `log_cnt` tells how many values PostgreSQL's log has ahead; here nothing of that kind is counted.
fn state_row(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Vec<Row>> {
    let sequence = sequence(context, oid_at(arguments, 0))?;
    let state = context.stores.of_sequence(sequence.id).0.sequence_current(sequence.id)?;
    Ok(vec![vec![Datum::Int8(state.last_value), Datum::Int8(0), Datum::Bool(state.is_called)]])
}

/// The sequence with this oid; 42809 for another relation, XX000 for none, as PostgreSQL has it.
fn sequence(context: &Context<'_>, oid: u32) -> Step<Arc<Sequence>> {
    match context.view.catalog().relation(oid) {
        Some(Relation::Sequence(sequence)) => {
            context.view.check_own(context.view.catalog(), sequence.schema)?;
            Ok(sequence)
        }
        Some(relation) => {
            let message = format!("\"{}\" is not a sequence", relation.name());
            Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message).into())
        }
        None => Err(SqlError::internal(format!("could not open relation with OID {oid}")).into()),
    }
}

/// 25006 in a read-only transaction, but for a temporary sequence.
fn check_writable(context: &Context<'_>, sequence: &Sequence, function: &str) -> Step<()> {
    if !context.view.settings.is_read_only() || context.view.catalog().is_temporary(sequence.schema) {
        return Ok(());
    }
    let message = format!("cannot execute {function}() in a read-only transaction");
    Err(SqlError::new(SqlState::READ_ONLY_SQL_TRANSACTION, message).into())
}

/// Does to a sequence what was found right to be done, in a read-only transaction too.
fn change<R>(
    context: &mut Context<'_>,
    sequence: SequenceId,
    change: impl FnOnce(&Engine, &mut Transaction) -> R,
) -> R {
    let is_read_only = context.stores.transaction.is_read_only();
    context.stores.transaction.set_read_only(false);
    let (engine, transaction) = context.stores.of_sequence(sequence);
    let result = change(engine, transaction);
    context.stores.transaction.set_read_only(is_read_only);
    result
}

/// Locks a sequence, and then looks again what it is: the statement's view may be older than the end of whoever had the
/// lock before, who may have dropped it.
fn lock(context: &mut Context<'_>, oid: u32) -> Step<Arc<Sequence>> {
    let seen = sequence(context, oid)?;
    context.stores.engine.lock_relation(context.stores.transaction, oid, RelationLockMode::RowExclusive)?;
    let view = context.view.catalog();
    if context.view.published.version() == view.version || view.is_own(oid) {
        return Ok(seen);
    }
    let Published { catalog, commit_lsn } = context.view.published.newest();
    if context.stores.engine.volume().vdl() < commit_lsn {
        return Err(Need::Durable(commit_lsn).into());
    }
    let missing = || SqlError::internal(format!("could not open relation with OID {oid}"));
    Ok(catalog.sequence(oid).cloned().ok_or_else(missing)?)
}

fn nextval(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let seen = sequence(context, oid_at(arguments, 0))?;
    check_writable(context, &seen, "nextval")?;
    let sequence = lock(context, seen.oid)?;
    let value =
        change(context, sequence.id, |engine, transaction| engine.sequence_next(transaction, sequence.id))
            .map_err(|stop| exhausted(stop, &sequence))?;
    context.effects.sequence_values.insert(sequence.oid, value);
    context.effects.last_sequence = Some(sequence.oid);
    Ok(Datum::Int8(value))
}

fn exhausted(stop: hexalog_engine::Stop, sequence: &Sequence) -> Stop {
    let hexalog_engine::Stop::Fail(EngineError::SequenceExhausted) = stop else { return stop.into() };
    let params = &sequence.params;
    let (word, bound) = match params.increment > 0 {
        true => ("maximum", params.max),
        false => ("minimum", params.min),
    };
    let message = format!("nextval: reached {word} value of sequence \"{}\" ({bound})", sequence.name);
    SqlError::new(LIMIT_EXCEEDED, message).into()
}

fn currval(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let sequence = sequence(context, oid_at(arguments, 0))?;
    match context.effects.sequence_values.get(&sequence.oid) {
        Some(&value) => Ok(Datum::Int8(value)),
        None => {
            let message =
                format!("currval of sequence \"{}\" is not yet defined in this session", sequence.name);
            Err(SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message).into())
        }
    }
}

fn lastval(context: &mut Context<'_>, _: &[Datum]) -> Step<Datum> {
    let live = |oid: &u32| context.view.catalog().sequence(*oid).is_some();
    let last = context.effects.last_sequence.filter(live);
    match last.and_then(|oid| context.effects.sequence_values.get(&oid)) {
        Some(&value) => Ok(Datum::Int8(value)),
        None => {
            let message = "lastval is not yet defined in this session";
            Err(SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message).into())
        }
    }
}

fn setval(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let seen = sequence(context, oid_at(arguments, 0))?;
    let value = integer_at(arguments, 1);
    let is_called = arguments.len() < 3 || bool_at(arguments, 2);
    check_writable(context, &seen, "setval")?;
    let sequence = lock(context, seen.oid)?;
    let params = &sequence.params;
    if !(params.min..=params.max).contains(&value) {
        let message = format!(
            "setval: value {value} is out of bounds for sequence \"{}\" ({}..{})",
            sequence.name, params.min, params.max
        );
        return Err(SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message).into());
    }
    change(context, sequence.id, |engine, transaction| {
        engine.sequence_set(transaction, sequence.id, value, is_called)
    })?;
    if is_called {
        context.effects.sequence_values.insert(sequence.oid, value);
    }
    Ok(Datum::Int8(value))
}

/// NULL before the first value was drawn.
fn last_value(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let sequence = sequence(context, oid_at(arguments, 0))?;
    let state = context.stores.of_sequence(sequence.id).0.sequence_current(sequence.id)?;
    Ok(if state.is_called { Datum::Int8(state.last_value) } else { Datum::Null })
}

fn parameters(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Vec<Row>> {
    let sequence = sequence(context, oid_at(arguments, 0))?;
    let params = &sequence.params;
    Ok(vec![vec![
        Datum::Int8(params.start),
        Datum::Int8(params.min),
        Datum::Int8(params.max),
        Datum::Int8(params.increment),
        Datum::Bool(params.cycle),
        Datum::Int8(sequence.cache),
        Datum::Oid(sequence.type_id.0),
    ]])
}

/// The sequence that a column owns, always with its schema; NULL if there is none.
fn serial_sequence(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let view = context.view;
    let relation = registry::relation_by_name(view, text_at(arguments, 0))?;
    let column = text_at(arguments, 1);
    let at = match &relation {
        Relation::Table(table) => Table::column_index(table, column),
        Relation::View(view) => view.columns.iter().position(|found| found.name == column),
        Relation::System(table) => table.columns.iter().position(|found| found.name == column),
        Relation::Index(..) | Relation::Sequence(_) => None,
    };
    let Some(at) = at else {
        let message = format!("column \"{column}\" of relation \"{}\" does not exist", relation.name());
        return Err(SqlError::new(SqlState::UNDEFINED_COLUMN, message).into());
    };
    let mut sequences = view.catalog().sequences();
    let owned = sequences.find(|sequence| sequence.owned_by == Some((relation.oid(), at)));
    Ok(owned.map_or(Datum::Null, |sequence| {
        let schema = view.catalog().schema_name(sequence.schema);
        Datum::from(format!("{}.{}", quote_identifier(schema), quote_identifier(&sequence.name)))
    }))
}
