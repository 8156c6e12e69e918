//! Keys and checks of a table: from what was written to the catalog's objects.
//!
//! Owns their names, their order (the primary key first), the merging of equal keys, and what PostgreSQL refuses of
//! them. Whether existing rows comply is `validate.rs`'s and `build.rs`'s.

use super::create_index::column_names;
use super::foreign_key::ForeignKeyClause;
use super::key_of_index::KeyOfIndexClause;
use super::names::{Names, joined_columns};
use super::parameters::{self, Of};
use super::{DefinitionContext, expression, lookup};
use crate::catalog::object::{Check, Column, Index, IndexColumn, IndexState, KeyPart, Table};
use crate::expression::columns_used;
use crate::parse::at;
use crate::parse::tree::{self, Deferral, KeyOptions, TableConstraint};
use hexalog_engine::TreeId;
use hexalog_protocol::{Lsn, PageId};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::key;
use hexalog_sql_types::{SqlError, SqlState, TypeId};

/// Most columns of an index (`INDEX_MAX_KEYS`).
const INDEX_COLUMNS_MAX: usize = 32;

/// Stands for a tree that is still to be made. Page 0 is the volume's own, so no tree has this number.
pub(super) const TREE_TO_BE_MADE: TreeId = TreeId(PageId(0));

/// PRIMARY KEY or UNIQUE as written.
#[derive(Clone, Debug)]
pub(super) struct KeyClause {
    pub name: Option<String>,
    pub columns: Vec<String>,
    /// Those of INCLUDE.
    pub included: Vec<String>,
    pub primary: bool,
    pub options: KeyOptions,
    /// Where it stands in the statement.
    pub position: u32,
}

/// CHECK as written.
#[derive(Clone, Debug)]
pub(super) struct CheckClause {
    pub name: Option<String>,
    pub expr: tree::Expr,
    pub validated: bool,
}

/// The constraints of a statement, by kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Clauses {
    pub keys: Vec<KeyClause>,
    pub checks: Vec<CheckClause>,
    pub foreign_keys: Vec<ForeignKeyClause>,
    pub keys_of_indexes: Vec<KeyOfIndexClause>,
    /// Names of VALIDATE CONSTRAINT.
    pub validations: Vec<String>,
}

/// Sorts a table constraint to its kind.
pub(super) fn sort(constraint: &tree::NamedConstraint<TableConstraint>, clauses: &mut Clauses) {
    let tree::NamedConstraint { name, constraint, position } = constraint;
    let (name, position) = (name.clone(), *position);
    match constraint {
        TableConstraint::PrimaryKey { columns, included, options }
        | TableConstraint::Unique { columns, included, options } => {
            let primary = matches!(constraint, TableConstraint::PrimaryKey { .. });
            clauses.keys.push(KeyClause {
                name,
                columns: columns.clone(),
                included: included.clone(),
                primary,
                options: options.clone(),
                position,
            });
        }
        TableConstraint::Check { expr, validated } => {
            clauses.checks.push(CheckClause { name, expr: expr.clone(), validated: *validated });
        }
        TableConstraint::ForeignKey { columns, references, validated } => {
            let (columns, references, validated) = (columns.clone(), references.clone(), *validated);
            clauses.foreign_keys.push(ForeignKeyClause { name, columns, references, validated });
        }
        TableConstraint::KeyOfIndex { primary, index, deferral } => {
            let (primary, index, deferral) = (*primary, index.clone(), *deferral);
            clauses.keys_of_indexes.push(KeyOfIndexClause { name, primary, index, deferral, position });
        }
    }
}

/// 42704 for types that no index orders, 0A000 for those that this storage has no keys for.
pub(super) fn check_indexable(type_id: TypeId) -> Result<()> {
    let unordered = [
        TypeId::XID,
        TypeId::CID,
        TypeId::ACLITEM,
        TypeId::PG_NODE_TREE,
        TypeId::JSON,
        TypeId::JSONPATH,
        TypeId::UNKNOWN,
    ];
    if unordered.contains(&type_id) {
        let name = type_id.display_name();
        let message = format!("data type {name} has no default operator class for access method \"btree\"");
        return Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message).with_hint(
            "You must specify an operator class for the index or define a default operator class for the data type.",
        ));
    }
    match key::is_supported(type_id) {
        true => Ok(()),
        false => Err(SqlError::unsupported(format!("an index on type {}", type_id.display_name()))),
    }
}

pub(super) fn check_column_count(count: usize) -> Result<()> {
    if count <= INDEX_COLUMNS_MAX {
        return Ok(());
    }
    let message = format!("cannot use more than {INDEX_COLUMNS_MAX} columns in an index");
    Err(SqlError::new(SqlState::TOO_MANY_COLUMNS, message))
}

/// The columns that a key includes.
fn included_columns(clause: &KeyClause, columns: &[Column]) -> Result<Vec<usize>> {
    let place = |name: &String| {
        let found = columns.iter().position(|column| !column.dropped && column.name == *name);
        found.ok_or_else(|| {
            let message = format!("column \"{name}\" named in key does not exist");
            SqlError::new(SqlState::UNDEFINED_COLUMN, message)
        })
    };
    clause.included.iter().map(place).collect()
}

/// The columns of a key.
fn key_columns(clause: &KeyClause, columns: &[Column]) -> Result<Vec<IndexColumn>> {
    let mut key: Vec<IndexColumn> = Vec::with_capacity(clause.columns.len());
    for name in &clause.columns {
        let found = columns.iter().position(|column| !column.dropped && column.name == *name);
        let Some(column) = found else {
            let message = format!("column \"{name}\" named in key does not exist");
            return Err(at(SqlError::new(SqlState::UNDEFINED_COLUMN, message), clause.position));
        };
        if key.iter().any(|other| other.column() == Some(column)) {
            let kind = if clause.primary { "primary key" } else { "unique" };
            let message = format!("column \"{name}\" appears twice in {kind} constraint");
            return Err(at(SqlError::new(SqlState::DUPLICATE_COLUMN, message), clause.position));
        }
        key.push(IndexColumn {
            part: KeyPart::Column(column),
            descending: false,
            nulls_first: false,
            class: 0,
            collation: 0,
        });
    }
    Ok(key)
}

/// 42P16.
pub(super) fn several_primary_keys(table: &str) -> SqlError {
    let message = format!("multiple primary keys for table \"{table}\" are not allowed");
    SqlError::new(SqlState::INVALID_TABLE_DEFINITION, message)
}

/// 42710.
pub(super) fn constraint_taken(name: &str, table: &str) -> SqlError {
    let message = format!("constraint \"{name}\" for relation \"{table}\" already exists");
    SqlError::new(SqlState::DUPLICATE_OBJECT, message)
}

/// Adds keys to a table: the primary key goes to the front and makes its columns NOT NULL, equal keys of one statement
/// become one. Answers with the names of the indexes that are new.
pub(super) fn add_keys(
    context: &DefinitionContext<'_>,
    table: &mut Table,
    names: &mut Names<'_>,
    clauses: &[KeyClause],
) -> Result<Vec<String>> {
    let mut primaries = clauses.iter().filter(|clause| clause.primary);
    if table.primary_key().is_some() && primaries.next().is_some() {
        return Err(several_primary_keys(&table.name));
    }
    if let Some(second) = primaries.nth(1) {
        return Err(at(several_primary_keys(&table.name), second.position));
    }
    let mut merged: Vec<(KeyClause, Vec<IndexColumn>)> = Vec::new();
    let by_rank = clauses.iter().filter(|clause| clause.primary);
    for clause in by_rank.chain(clauses.iter().filter(|clause| !clause.primary)) {
        let columns = key_columns(clause, &table.columns)?;
        let is_equal = |(other_clause, other): &&mut (KeyClause, Vec<IndexColumn>)| {
            *other == columns
                && other_clause.included == clause.included
                && other_clause.options.deferral == clause.options.deferral
        };
        match merged.iter_mut().find(is_equal) {
            Some((earlier, _)) if earlier.name.is_none() => earlier.name.clone_from(&clause.name),
            Some(_) => {}
            None => merged.push((clause.clone(), columns)),
        }
    }
    let mut new = Vec::new();
    for (clause, columns) in merged {
        check_column_count(columns.len() + clause.included.len())?;
        for column in &columns {
            check_indexable(column.value_type(&table.columns).0)?;
        }
        let name = key_name(table, names, &clause)?;
        let parameters = parameters::checked(Of::Index, &clause.options.parameters)?;
        let deferral = clause.options.deferral;
        new.push(name.clone());
        let index = Index {
            oid: context.database.allocate_oid()?,
            name,
            // Rows of equal keys that stand side by side for a while could not be ordered by them alone.
            tree: (!clause.primary || deferral != Deferral::Never).then_some(TREE_TO_BE_MADE),
            key: Index::key_columns(&columns, &table.columns),
            reads: Index::columns_read(&columns, None),
            columns,
            included: included_columns(&clause, &table.columns)?,
            predicate: None,
            unique: true,
            primary: clause.primary,
            deferral,
            constraint: context.database.allocate_oid()?,
            parameters,
            state: IndexState::Valid,
            valid_from: Lsn::ZERO,
            built_at: Lsn::ZERO,
        };
        if clause.primary {
            for &column in index.reads.iter() {
                table.columns[column].not_null = true;
            }
            table.indexes.insert(0, index);
        } else {
            table.indexes.push(index);
        }
    }
    Ok(new)
}

fn key_name(table: &Table, names: &mut Names<'_>, clause: &KeyClause) -> Result<String> {
    let Some(name) = &clause.name else {
        return Ok(if clause.primary {
            names.choose_key(&table.name, None, "pkey")
        } else {
            let all: Vec<String> = clause.columns.iter().chain(&clause.included).cloned().collect();
            let columns = joined_columns(column_names(&all).iter().map(String::as_str));
            names.choose_key(&table.name, Some(&columns), "key")
        });
    };
    if names.is_relation(name) {
        return Err(lookup::name_taken(name));
    }
    if has_constraint(table, name) {
        return Err(constraint_taken(name, &table.name));
    }
    names.take_relation(name);
    names.take_constraint(name);
    Ok(name.clone())
}

pub(super) fn has_constraint(table: &Table, name: &str) -> bool {
    table.checks.iter().any(|check| check.name == name)
        || table.foreign_keys.iter().any(|key| key.name == name)
        || table.indexes.iter().any(|index| index.constraint != 0 && index.name == name)
}

/// Adds checks to a table whose columns are complete. Answers with the names of those that existing rows must comply with.
pub(super) fn add_checks(
    context: &DefinitionContext<'_>,
    table: &mut Table,
    names: &mut Names<'_>,
    clauses: &[CheckClause],
) -> Result<Vec<String>> {
    let (mut new, mut unseen): (Vec<String>, Vec<String>) = Default::default();
    for clause in clauses {
        let bound = expression::check(context, table, &clause.expr)?;
        let name = match &clause.name {
            Some(name) if new.contains(name) => {
                let message = format!("check constraint \"{name}\" already exists");
                return Err(SqlError::new(SqlState::DUPLICATE_OBJECT, message));
            }
            Some(name) if has_constraint(table, name) => return Err(constraint_taken(name, &table.name)),
            Some(name) => {
                names.take_constraint(name);
                name.clone()
            }
            None => {
                let used = columns_used(&bound);
                let column = match &*used {
                    [only] => Some(table.columns[*only].name.as_str()),
                    _ => None,
                };
                names.choose_constraint(&table.name, column, "check")
            }
        };
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        let expression = expression::stored_text(context, &bound, &columns);
        let (oid, validated) = (context.database.allocate_oid()?, clause.validated);
        table.checks.push(Check { oid, name: name.clone(), expression, validated });
        if validated {
            unseen.push(name.clone());
        }
        new.push(name);
    }
    Ok(unseen)
}
