//! Column definitions, as CREATE TABLE and ADD COLUMN have them.
//!
//! Owns the way from a written column to the catalog's [`Column`] and what comes with it: sequences of SERIAL and
//! identity, keys and checks written behind the column. Keys and checks are only collected here (see
//! `constraint.rs`).

use super::constraint::{self, CheckClause, KeyClause};
use super::foreign_key::ForeignKeyClause;
use super::names::Names;
use super::sequence::{self, Settings};
use super::{DefinitionContext, expression};
use crate::bind;
use crate::catalog::Catalog;
use crate::catalog::object::{Column, Identity, Oid, Sequence};
use crate::expression::Expr;
use crate::parse::at;
use crate::parse::tree::{self, ColumnConstraint, ColumnDefinition};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::row::COLUMNS_MAX;
use hexalog_sql_types::{Datum, SqlError, SqlState, TypeId, Typmod};

/// Names that every row has already.
const SYSTEM_COLUMNS: &[&str] = &["tableoid", "cmax", "xmax", "cmin", "xmin", "ctid"];

pub(super) fn is_system_column(name: &str) -> bool {
    SYSTEM_COLUMNS.contains(&name)
}

/// Where the columns go.
pub(super) struct Target<'a> {
    pub catalog: &'a Catalog,
    pub schema: Oid,
    pub table: Oid,
    pub table_name: &'a str,
}

/// Columns with all that was written behind them.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    pub columns: Vec<Column>,
    /// The bound default of each column.
    pub defaults: Vec<Option<Expr>>,
    /// Without pages yet.
    pub sequences: Vec<Sequence>,
    pub constraints: constraint::Clauses,
}

/// What the clauses behind one column say.
#[derive(Default)]
struct Clauses<'a> {
    not_null: Option<bool>,
    default: Option<&'a tree::Expr>,
    identity: Option<(Identity, &'a [tree::SequenceOption])>,
}

/// The integer type behind `serial` and its kin.
fn serial(type_name: &tree::TypeName) -> Result<Option<TypeId>> {
    let integer = match type_name.name.as_str() {
        _ if type_name.schema.is_some() => return Ok(None),
        "smallserial" | "serial2" => TypeId::INT2,
        "serial" | "serial4" => TypeId::INT4,
        "bigserial" | "serial8" => TypeId::INT8,
        _ => return Ok(None),
    };
    if type_name.array {
        let message = "array of serial is not implemented";
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    Ok(Some(integer))
}

/// 54011 if a table would have too many columns.
pub(super) fn check_count(count: usize) -> Result<()> {
    if count <= COLUMNS_MAX {
        return Ok(());
    }
    let message = format!("tables can have at most {COLUMNS_MAX} columns");
    Err(SqlError::new(SqlState::TOO_MANY_COLUMNS, message))
}

/// 42701 and 42P16 for names and types that no column may have.
pub(super) fn check_column(name: &str, type_id: TypeId) -> Result<()> {
    if is_system_column(name) {
        let message = format!("column name \"{name}\" conflicts with a system column name");
        return Err(SqlError::new(SqlState::DUPLICATE_COLUMN, message));
    }
    if type_id.is_pseudo() {
        let message = format!("column \"{name}\" has pseudo-type {}", type_id.display_name());
        return Err(SqlError::new(SqlState::INVALID_TABLE_DEFINITION, message));
    }
    Ok(())
}

/// 42701 if a name comes twice.
pub(super) fn check_distinct<'a>(names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            let message = format!("column \"{name}\" specified more than once");
            return Err(SqlError::new(SqlState::DUPLICATE_COLUMN, message));
        }
    }
    Ok(())
}

/// A plain column.
pub(super) fn plain(name: &str, type_id: TypeId, typmod: Typmod) -> Column {
    Column {
        name: name.to_owned(),
        type_id,
        typmod,
        not_null: false,
        dropped: false,
        default: None,
        identity: None,
        missing: Datum::Null,
    }
}

impl Columns {
    /// Adds one column; `number` is its place in the table.
    pub(super) fn add(
        &mut self,
        context: &DefinitionContext<'_>,
        target: &Target<'_>,
        names: &mut Names<'_>,
        number: usize,
        definition: &ColumnDefinition,
    ) -> Result<()> {
        let ColumnDefinition { name, type_name, type_position, constraints } = definition;
        let serial = serial(type_name).map_err(|error| at(error, *type_position))?;
        let (type_id, typmod) = match serial {
            Some(integer) => (integer, Typmod::NONE),
            None => bind::type_of(type_name).map_err(|error| at(error, *type_position))?,
        };
        check_column(name, type_id)?;
        let clauses = self.clauses(target.table_name, name, constraints)?;
        let mut column = plain(name, type_id, typmod);
        column.not_null = clauses.not_null == Some(true);
        let mut bound = None;
        if serial.is_some() {
            if clauses.not_null == Some(false) {
                return Err(conflicting_null(name, target.table_name));
            }
            if clauses.default.is_some() {
                return Err(twice("default values", name, target.table_name));
            }
            let settings = sequence::settings(type_id, &[])?;
            let sequence = self.add_sequence(context, target, names, (number, name), settings)?;
            column.default = Some(sequence::default_text(target.catalog, sequence));
            column.not_null = true;
        }
        if let Some((identity, options)) = clauses.identity {
            if !matches!(type_id, TypeId::INT2 | TypeId::INT4 | TypeId::INT8) {
                let message = "identity column type must be smallint, integer, or bigint";
                return Err(SqlError::invalid_parameter(message));
            }
            if column.default.is_some() {
                return Err(both_default_and_identity(name, target.table_name));
            }
            let settings = sequence::settings(type_id, options)?;
            self.add_sequence(context, target, names, (number, name), settings)?;
            column.identity = Some(identity);
            column.not_null = true;
        }
        if let Some(default) = clauses.default {
            bound = expression::default_value(context, name, (type_id, typmod), default)?;
            column.default = bound.as_ref().map(|bound| expression::stored_text(context, bound, &[]));
        }
        self.columns.push(column);
        self.defaults.push(bound);
        Ok(())
    }

    fn add_sequence(
        &mut self,
        context: &DefinitionContext<'_>,
        target: &Target<'_>,
        names: &mut Names<'_>,
        (number, column): (usize, &str),
        settings: Settings,
    ) -> Result<&Sequence> {
        let name = names.choose_relation(target.table_name, Some(column), "seq");
        let owner = Some((target.table, number));
        let sequence = sequence::draft(context, target.schema, name, settings, owner)?;
        self.sequences.push(sequence);
        Ok(self.sequences.last().expect("just pushed"))
    }

    fn clauses<'a>(
        &mut self,
        table: &str,
        column: &str,
        constraints: &'a [tree::NamedConstraint<ColumnConstraint>],
    ) -> Result<Clauses<'a>> {
        let mut clauses = Clauses::default();
        for tree::NamedConstraint { name, constraint, position } in constraints {
            let position = *position;
            match constraint {
                ColumnConstraint::Null | ColumnConstraint::NotNull => {
                    let not_null = matches!(constraint, ColumnConstraint::NotNull);
                    let other = clauses.not_null.is_some_and(|before| before != not_null);
                    if other || (!not_null && clauses.identity.is_some()) {
                        return Err(at(conflicting_null(column, table), position));
                    }
                    clauses.not_null = Some(not_null);
                }
                ColumnConstraint::Default(expr) => {
                    if clauses.default.replace(expr).is_some() {
                        return Err(at(twice("default values", column, table), position));
                    }
                }
                ColumnConstraint::Identity { always, options } => {
                    let identity = if *always { Identity::Always } else { Identity::ByDefault };
                    if clauses.not_null == Some(false) {
                        return Err(at(conflicting_null(column, table), position));
                    }
                    if clauses.identity.replace((identity, options)).is_some() {
                        let message = format!(
                            "multiple identity specifications for column \"{column}\" of table \"{table}\""
                        );
                        return Err(at(SqlError::syntax(message), position));
                    }
                }
                ColumnConstraint::PrimaryKey(parameters) | ColumnConstraint::Unique(parameters) => {
                    self.constraints.keys.push(KeyClause {
                        name: name.clone(),
                        columns: vec![column.to_owned()],
                        included: Vec::new(),
                        primary: matches!(constraint, ColumnConstraint::PrimaryKey(_)),
                        parameters: parameters.clone(),
                        position,
                    });
                }
                ColumnConstraint::Check(expr) => {
                    let check = CheckClause { name: name.clone(), expr: expr.clone() };
                    self.constraints.checks.push(check);
                }
                ColumnConstraint::References(references) => {
                    self.constraints.foreign_keys.push(ForeignKeyClause {
                        name: name.clone(),
                        columns: vec![column.to_owned()],
                        references: references.clone(),
                    });
                }
            }
            if clauses.default.is_some() && clauses.identity.is_some() {
                return Err(at(both_default_and_identity(column, table), position));
            }
        }
        Ok(clauses)
    }
}

fn both_default_and_identity(column: &str, table: &str) -> SqlError {
    let message = format!("both default and identity specified for column \"{column}\" of table \"{table}\"");
    SqlError::syntax(message)
}

fn conflicting_null(column: &str, table: &str) -> SqlError {
    SqlError::syntax(format!(
        "conflicting NULL/NOT NULL declarations for column \"{column}\" of table \"{table}\""
    ))
}

fn twice(what: &str, column: &str, table: &str) -> SqlError {
    SqlError::syntax(format!("multiple {what} specified for column \"{column}\" of table \"{table}\""))
}
