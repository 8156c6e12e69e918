//! ALTER COLUMN … TYPE: what the column's values, default, checks and indexes become.
//!
//! Owns the drafting, and the question whether the rows can stay as they are. PostgreSQL's rule is followed: the stored
//! texts of default and checks are read again with the new type.

use super::DefinitionContext;
use super::alter_action::Draft;
use super::column;
use super::drop::shown;
use super::expression::{self, bind_context};
use super::foreign_key::are_comparable;
use crate::bind;
use crate::catalog::Relation;
use crate::catalog::object::Table;
use crate::expression::{Expr, columns_used};
use crate::parse;
use crate::parse::tree::{self, Name, SequenceOption, TypeName};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::types::format_type;
use hexalog_sql_types::{SqlError, SqlState, TypeId, Typmod};

fn used_by_view(context: &DefinitionContext<'_>, draft: &Draft, number: usize, name: &str) -> Result<()> {
    let used =
        |view: &&std::sync::Arc<crate::catalog::object::View>| view.used.contains(&(draft.table.oid, number));
    let Some(view) = draft.before.views().find(used) else { return Ok(()) };
    let view = shown(context, &draft.before, &Relation::View(view.clone()));
    let message = "cannot alter type of a column used by a view or rule";
    Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
        .with_detail(format!("rule _RETURN on view {view} depends on column \"{name}\"")))
}

/// Whether a column's values are stored alike under both types, and all of them fit the new one.
fn is_stored_alike(from: (TypeId, Typmod), to: (TypeId, Typmod)) -> bool {
    let length = |typmod: Typmod| typmod.char_length_max();
    match (from.0, to.0) {
        (TypeId::VARCHAR, TypeId::VARCHAR) | (TypeId::TEXT, TypeId::VARCHAR) => {
            let longest = if from.0 == TypeId::TEXT { None } else { length(from.1) };
            length(to.1).is_none_or(|new| longest.is_some_and(|old| old <= new))
        }
        (TypeId::VARCHAR, TypeId::TEXT) => true,
        (TypeId::NUMERIC, TypeId::NUMERIC) => {
            match (from.1.numeric_precision_scale(), to.1.numeric_precision_scale()) {
                (_, None) => true,
                (Some((old, old_scale)), Some((new, new_scale))) => new_scale == old_scale && old <= new,
                (None, Some(_)) => false,
            }
        }
        _ => from == to,
    }
}

/// Whether every value is the same under both types: stored alike, or a wider integer.
fn keeps_values(from: (TypeId, Typmod), to: (TypeId, Typmod)) -> bool {
    let is_wider =
        matches!((from.0, to.0), (TypeId::INT2, TypeId::INT4 | TypeId::INT8) | (TypeId::INT4, TypeId::INT8));
    is_wider || is_stored_alike(from, to)
}

impl Draft {
    /// ALTER COLUMN … TYPE … [COLLATE …] [USING …]. Without COLLATE the column is of the type's own collation again.
    pub(super) fn set_type(
        &mut self,
        context: &DefinitionContext<'_>,
        name: &str,
        (type_name, collation): (&TypeName, Option<&Name>),
        using: Option<&tree::Expr>,
    ) -> Result<()> {
        if column::is_system_column(name) {
            let message = format!("cannot alter system column \"{name}\"");
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        let number = self.column(name)?;
        let target = bind::type_of(context.view, type_name)?;
        let collation = collation.map(|name| column::declared_collation(context, target.0, name));
        let collation = collation.transpose()?.unwrap_or_default();
        column::check_column(name, target.0)?;
        if self.retyped.contains(&number) {
            let message = format!("cannot alter type of column \"{name}\" twice");
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        used_by_view(context, self, number, name)?;
        self.check_retype_of_generated(number, using.is_some())?;
        self.retype_identity(number, target.0, type_name)?;
        self.check_references(number, target, using.is_some())?;
        let values = self.new_values(context, name, target, using)?;
        let old = &self.table.columns[number];
        let is_relabelled = using.is_none() && is_stored_alike((old.type_id, old.typmod), target);
        if !is_relabelled {
            self.casts.push((number, values));
            if old.not_null {
                self.new_not_null.push(number);
            }
        }
        self.retyped.push(number);
        self.retype_default(context, name, number, target)?;
        self.retype_generated(context, number, target)?;
        let column = &mut self.table.columns[number];
        (column.type_id, column.typmod) = target;
        column.collation = collation;
        Ok(())
    }

    /// The sequence of an identity column takes the type too.
    fn retype_identity(&mut self, number: usize, target: TypeId, type_name: &TypeName) -> Result<()> {
        if self.table.columns[number].identity.is_none() {
            return Ok(());
        }
        if !matches!(target, TypeId::INT2 | TypeId::INT4 | TypeId::INT8) {
            let message = "identity column type must be smallint, integer, or bigint";
            return Err(SqlError::invalid_parameter(message));
        }
        let options = vec![SequenceOption::As(type_name.clone())];
        let sequence = self.identity_sequence(number);
        self.altered_sequences.extend(sequence.map(|sequence| (sequence, options)));
        Ok(())
    }

    /// Columns of foreign keys may change as long as no value does: what complied complies still. 0A000 for others, whose
    /// references would have to be looked at anew.
    fn check_references(&self, number: usize, target: (TypeId, Typmod), has_using: bool) -> Result<()> {
        let old = &self.table.columns[number];
        let keeps = !has_using && keeps_values((old.type_id, old.typmod), target);
        let (oid, own) = (self.table.oid, &self.table);
        let owned = own.foreign_keys.iter().map(|key| (own, key));
        let referring = self.before.referring(oid).iter().filter_map(|&(table, at)| {
            let table = self.before.table(table).filter(|table| table.oid != oid)?;
            Some((&**table, table.foreign_keys.get(at)?))
        });
        for (table, key) in owned.chain(referring) {
            let referred =
                if key.target == oid { own } else { &**self.before.table(key.target).unwrap_or(&self.old) };
            for &(from, to) in &key.columns {
                let (is_own, is_referred) =
                    (table.oid == oid && from == number, key.target == oid && to == number);
                if !is_own && !is_referred {
                    continue;
                }
                if !keeps {
                    return Err(SqlError::unsupported("altering the values of a column of a foreign key"));
                }
                let type_of = |is_changed: bool, column: &crate::catalog::object::Column| match is_changed {
                    true => target.0,
                    false => column.type_id,
                };
                let own_type = type_of(is_own, &table.columns[from]);
                let referred_type = type_of(is_referred, &referred.columns[to]);
                if !are_comparable(referred_type, own_type) {
                    return Err(SqlError::unsupported(
                        "altering the type of a column of a foreign key to this one",
                    ));
                }
            }
        }
        Ok(())
    }

    /// The new value of a row's column, over the row as it was.
    fn new_values(
        &self,
        context: &DefinitionContext<'_>,
        name: &str,
        target: (TypeId, Typmod),
        using: Option<&tree::Expr>,
    ) -> Result<Expr> {
        let plain = tree::Expr::Column(Name::single(name));
        let is_generated =
            self.table.columns.iter().any(|column| column.name == name && column.is_generated());
        let expr = using.unwrap_or(&plain);
        bind::table_expression(bind_context(context), Some(&self.old), expr, Some(target)).map_err(|mut error| {
            let to = format_type(target.0, Some(target.1));
            let fields = error.fields_mut();
            if fields.message == "cannot use subquery in check constraint" {
                fields.message = "cannot use subquery in transform expression".to_owned();
                return error;
            }
            // Said of a default, as the binder knows no other expression that is brought to a type.
            if !fields.message.starts_with("column is of type ") {
                return error;
            }
            match using {
                None => {
                    let message =
                        format!("column \"{name}\" cannot be cast automatically to type {to}");
                    let error = SqlError::new(SqlState::DATATYPE_MISMATCH, message);
                    if is_generated {
                        return error;
                    }
                    let name = hexalog_sql_types::function::quote_identifier(name);
                    error.with_hint(format!("You might need to specify \"USING {name}::{to}\"."))
                }
                Some(_) => {
                    let message = format!(
                        "result of USING clause for column \"{name}\" cannot be cast automatically to type {to}"
                    );
                    SqlError::new(SqlState::DATATYPE_MISMATCH, message)
                        .with_hint("You might need to add an explicit cast.")
                }
            }
        })
    }

    fn retype_default(
        &mut self,
        context: &DefinitionContext<'_>,
        name: &str,
        number: usize,
        target: (TypeId, Typmod),
    ) -> Result<()> {
        let Some(stored) = self.table.columns[number].default.take() else { return Ok(()) };
        let parsed = parse::expression(&stored)?;
        let bound = bind::table_expression(bind_context(context), None, &parsed, Some(target));
        let bound = bound.map_err(|error| match error.sqlstate() {
            SqlState::DATATYPE_MISMATCH => {
                let to = format_type(target.0, Some(target.1));
                let message =
                    format!("default for column \"{name}\" cannot be cast automatically to type {to}");
                SqlError::new(SqlState::DATATYPE_MISMATCH, message)
            }
            _ => error,
        })?;
        self.table.columns[number].default = Some(expression::stored_text(context, &bound, &[]));
        Ok(())
    }

    /// Checks and indexes of the columns whose types have changed; called when all columns are what they shall be.
    pub(super) fn retype_dependents(&mut self, context: &DefinitionContext<'_>) -> Result<()> {
        if self.retyped.is_empty() {
            return Ok(());
        }
        self.table.layout = Table::layout_of(&self.table.columns);
        let names: Vec<String> = self.table.columns.iter().map(|column| column.name.clone()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for at in 0..self.table.checks.len() {
            let check = &self.table.checks[at];
            let old = expression::stored_check(context, &self.old, &check.expression);
            let uses = old.is_ok_and(|old| columns_used(&old).iter().any(|used| self.retyped.contains(used)));
            if !uses {
                continue;
            }
            let bound =
                expression::stored_check(context, &self.table, &check.expression).map_err(unplaced)?;
            let expression = expression::stored_text(context, &bound, &names);
            if check.validated {
                self.new_checks.push(check.name.clone());
            }
            self.table.checks[at].expression = expression;
        }
        self.retype_in_indexes(context)
    }
}

/// The text in which it stands is none of the statement's.
fn unplaced(mut error: SqlError) -> SqlError {
    error.fields_mut().position = None;
    error
}
