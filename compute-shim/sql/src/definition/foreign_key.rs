//! Foreign keys: from what was written to the catalog's object, the look whether existing rows comply, and what falls
//! with what is referred to.
//!
//! Whether single rows comply is `execute/referential.rs`'s.

use super::constraint::{constraint_taken, has_constraint};
use super::create_table_as::lock_sources;
use super::drop::shown;
use super::expression::{bind_context, executor};
use super::lookup::{self, Found};
use super::names::{Names, joined_columns};
use super::replay::Replay;
use super::{DefinitionContext, see_every_row};
use crate::bind;
use crate::catalog::object::{ForeignKey, Index, Oid, Table};
use crate::catalog::{Catalog, Relation};
use crate::execute::{Operator, Row, State, build, key_missing, validation_query};
use crate::parse;
use crate::parse::tree::{Name, References};
use crate::plan::Plan;
use crate::stop::Step;
use hexalog_engine::RelationLockMode;
use hexalog_sql_types::cast::is_binary_coercible;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::function::quote_identifier;
use hexalog_sql_types::types::format_type;
use hexalog_sql_types::{SqlError, SqlState, TypeId, resolve};
use std::sync::Arc;

/// FOREIGN KEY as written.
#[derive(Clone, Debug)]
pub(super) struct ForeignKeyClause {
    pub name: Option<String>,
    pub columns: Vec<String>,
    pub references: References,
    pub validated: bool,
}

/// Whether a name means the table that is being defined.
fn is_itself(catalog: &Catalog, table: &Table, name: &Name) -> bool {
    let schema = |schema: &str| catalog.schema_name(table.schema) == schema;
    name.last() == table.name && name.qualifier().is_none_or(schema)
}

/// Locks the tables that clauses refer to, the table itself (by its schema and name) apart.
pub(super) fn lock_targets<'a>(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    (schema, table): (Oid, &str),
    targets: impl Iterator<Item = &'a Name>,
) -> Step<()> {
    for name in targets {
        let own_schema =
            replay.once(context, |context| Ok(context.newest().schema_name(schema).to_owned()))?;
        if name.last() == table && name.qualifier().is_none_or(|qualifier| qualifier == own_schema) {
            continue;
        }
        match lookup::locked(replay, context, name, RelationLockMode::ShareRowExclusive)? {
            Found::Relation(Relation::Table(_)) => {}
            Found::Relation(Relation::System(table)) if !table.is_view => {
                return Err(lookup::is_system(table.name).into());
            }
            Found::Relation(relation) => {
                let message = format!("referenced relation \"{}\" is not a table", relation.name());
                return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message).into());
            }
            Found::Nothing => return Err(lookup::no_relation(name).into()),
            Found::NoSchema(schema) => return Err(lookup::no_schema(&schema).into()),
        }
    }
    Ok(())
}

fn places(table: &Table, names: &[String]) -> Result<Vec<usize>> {
    let place = |name: &String| {
        table.column_index(name).ok_or_else(|| {
            let message = format!("column \"{name}\" referenced in foreign key constraint does not exist");
            SqlError::new(SqlState::UNDEFINED_COLUMN, message)
        })
    };
    names.iter().map(place).collect()
}

/// 55000: what is referred to is one row, at every moment.
fn deferrable_target(what: &str, target: &Table) -> SqlError {
    let message = format!("cannot use a deferrable {what} for referenced table \"{}\"", target.name);
    SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
}

/// The columns referred to and the index that makes them unique.
fn target_index<'t>(target: &'t Table, columns: &[String]) -> Result<(Vec<usize>, &'t Index)> {
    if columns.is_empty() {
        let Some(key) = target.primary_key() else {
            let message = format!("there is no primary key for referenced table \"{}\"", target.name);
            return Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message));
        };
        if !key.is_unique_at_once() {
            return Err(deferrable_target("primary key", target));
        }
        return Ok((key.plain_columns().expect("a primary key is made of columns"), key));
    }
    let columns = places(target, columns)?;
    let fits = |index: &&Index| {
        let key = index.plain_columns().filter(|_| index.can_be_referred_to());
        key.is_some_and(|key| key.len() == columns.len() && key.iter().all(|column| columns.contains(column)))
    };
    let is_distinct = columns.iter().enumerate().all(|(at, column)| !columns[..at].contains(column));
    let fitting = || target.indexes.iter().filter(fits).filter(|_| is_distinct);
    let Some(index) = fitting().find(|index| index.is_unique_at_once()) else {
        if fitting().next().is_some() {
            return Err(deferrable_target("unique constraint", target));
        }
        let message = format!(
            "there is no unique constraint matching given keys for referenced table \"{}\"",
            target.name
        );
        return Err(SqlError::new(SqlState::INVALID_FOREIGN_KEY, message));
    };
    Ok((columns, index))
}

/// Whether a column can refer to one of another type: they are compared without converting the one referred to.
pub(super) fn are_comparable(referenced: TypeId, own: TypeId) -> bool {
    let Ok(resolved) = resolve::operator("=", Some(referenced), own) else { return false };
    resolved.left.is_some_and(|left| left == referenced || is_binary_coercible(referenced, left))
}

/// 42P16 between a temporary table and one that is not, or is another session's.
fn check_persistence(
    context: &DefinitionContext<'_>,
    catalog: &Catalog,
    table: &Table,
    target: &Table,
) -> Result<()> {
    let message = match (catalog.is_temporary(table.schema), catalog.is_temporary(target.schema)) {
        (false, false) => return Ok(()),
        (false, true) => "constraints on permanent tables may reference only permanent tables",
        (true, false) => "constraints on temporary tables may reference only temporary tables",
        (true, true) if !context.view.is_of_other_session(catalog, target.schema) => return Ok(()),
        (true, true) => "constraints on temporary tables must involve temporary tables of this session",
    };
    Err(SqlError::new(SqlState::INVALID_TABLE_DEFINITION, message))
}

/// Adds foreign keys to a table whose columns and keys are complete. Answers with the numbers of those that
/// existing rows must comply with.
pub(super) fn add_foreign_keys(
    context: &DefinitionContext<'_>,
    catalog: &Catalog,
    table: &mut Table,
    names: &mut Names<'_>,
    clauses: &[ForeignKeyClause],
) -> Result<Vec<Oid>> {
    let mut new = Vec::new();
    for ForeignKeyClause { name, columns, references, validated } in clauses {
        let target = match is_itself(catalog, table, &references.table) {
            true => Arc::new(table.clone()),
            false => match lookup::find(catalog, context.view, &references.table)? {
                Found::Relation(Relation::Table(target)) => target,
                _ => return Err(lookup::no_relation(&references.table)),
            },
        };
        check_persistence(context, catalog, table, &target)?;
        let own = places(table, columns)?;
        let (referenced, index) = target_index(&target, &references.columns)?;
        if own.len() != referenced.len() {
            let message = "number of referencing and referenced columns for foreign key disagree";
            return Err(SqlError::new(SqlState::INVALID_FOREIGN_KEY, message));
        }
        let key_name = match name {
            Some(name) if has_constraint(table, name) => return Err(constraint_taken(name, &table.name)),
            Some(name) => {
                names.take_constraint(name);
                name.clone()
            }
            None => {
                let joined = joined_columns(columns.iter().map(String::as_str));
                names.choose_constraint(&table.name, Some(&joined), "fkey")
            }
        };
        for (&own, &referenced) in own.iter().zip(&referenced) {
            let (own, referenced) = (&table.columns[own], &target.columns[referenced]);
            if !are_comparable(referenced.type_id, own.type_id) {
                let message = format!("foreign key constraint \"{key_name}\" cannot be implemented");
                let detail = format!(
                    "Key columns \"{}\" and \"{}\" are of incompatible types: {} and {}.",
                    own.name,
                    referenced.name,
                    format_type(own.type_id, None),
                    format_type(referenced.type_id, None),
                );
                return Err(SqlError::new(SqlState::DATATYPE_MISMATCH, message).with_detail(detail));
            }
        }
        let key = ForeignKey {
            oid: context.database.allocate_oid()?,
            name: key_name,
            columns: own.into_iter().zip(referenced).collect(),
            target: target.oid,
            index: index.oid,
            match_full: references.match_full,
            on_delete: references.on_delete,
            on_update: references.on_update,
            deferral: references.deferral,
            validated: *validated,
        };
        super::generated::check_foreign_key(table, &key)?;
        if *validated {
            new.push(key.oid);
        }
        table.foreign_keys.push(key);
    }
    Ok(new)
}

/// A query that finds a row which does not comply.
struct Search {
    plan: Arc<Plan>,
    state: State,
    operator: Box<dyn Operator>,
}

/// 23503 if a row that is there already does not comply. The table's columns must be those of the catalog that the
/// statement sees.
pub(super) fn validate(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    table: &Table,
    key: &ForeignKey,
) -> Step<()> {
    let plan = replay.once(context, |context| {
        let text = validation_query(context.view.catalog(), table, key)?;
        let statement = parse::statements(&text)?.pop().expect("one statement was written");
        Ok(Arc::new(bind::plan(bind_context(context), &statement, None)?))
    })?;
    lock_sources(replay, context, &plan)?;
    see_every_row(replay, context)?;
    let found: Option<Row> = replay.drive(
        context,
        |_| {
            let (state, operator) = (State::new(&plan), build(&plan.root, plan.levels));
            Ok(Search { plan: plan.clone(), state, operator })
        },
        |search, context| {
            let mut row = Row::new();
            let mut executor = executor(context, &search.plan, &mut search.state);
            Ok(search.operator.next(&mut executor, &mut row)?.then_some(row))
        },
    )?;
    match found {
        None => Ok(()),
        Some(values) => {
            let catalog = context.view.catalog();
            Err(key_missing(catalog, &context.env, table, key, &values).into())
        }
    }
}

/// A foreign key that falls with what it refers to.
#[derive(Clone, Debug)]
pub(super) struct Referring {
    /// The table that it belongs to.
    pub table: Oid,
    pub key: Oid,
    /// `constraint c_fkey on table c`.
    pub description: String,
    /// What it rests on, as messages call that.
    pub on: String,
}

impl Referring {
    pub(super) fn line(&self) -> String {
        format!("{} depends on {}", self.description, self.on)
    }
}

/// The foreign keys that refer to a table and that the question picks.
pub(super) fn referring(
    context: &DefinitionContext<'_>,
    catalog: &Catalog,
    target: Oid,
    on: &str,
    picks: impl Fn(&Table, &ForeignKey) -> bool,
) -> Vec<Referring> {
    let mut found = Vec::new();
    for &(table, at) in catalog.referring(target) {
        let Some(table) = catalog.table(table) else { continue };
        let key = &table.foreign_keys[at];
        if !picks(table, key) {
            continue;
        }
        let table_name = shown(context, catalog, &Relation::Table(table.clone()));
        found.push(Referring {
            table: table.oid,
            key: key.oid,
            description: format!("constraint {} on table {table_name}", quote_identifier(&key.name)),
            on: on.to_owned(),
        });
    }
    found.sort_by_key(|referring| referring.key);
    found
}

/// Tables with foreign keys to any of these, themselves left out.
pub(super) fn referring_tables(catalog: &Catalog, targets: &[Oid]) -> Vec<Oid> {
    let all = targets.iter().flat_map(|&target| catalog.referring(target));
    let mut tables: Vec<Oid> =
        all.map(|&(table, _)| table).filter(|table| !targets.contains(table)).collect();
    tables.sort_unstable();
    tables.dedup();
    tables
}
