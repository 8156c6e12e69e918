//! ADD CONSTRAINT … UNIQUE or PRIMARY KEY USING INDEX: an index that is there becomes the constraint's.
//!
//! Owns what PostgreSQL refuses of the index. No row is touched: a primary key that comes so has a tree of its own, and the
//! rows stay where they are.

use super::DefinitionContext;
use super::alter_action::Draft;
use super::constraint::{constraint_taken, has_constraint, several_primary_keys};
use super::lookup;
use super::names::Names;
use crate::catalog::Relation;
use crate::catalog::object::{Index, IndexColumn, IndexState};
use crate::parse::at;
use crate::parse::tree::Deferral;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};

/// UNIQUE or PRIMARY KEY USING INDEX as written.
#[derive(Clone, Debug)]
pub(super) struct KeyOfIndexClause {
    pub name: Option<String>,
    pub primary: bool,
    pub index: String,
    pub deferral: Deferral,
    pub position: u32,
}

/// 55000 for an index that is a constraint's already.
fn check_association(index: &Index) -> Result<()> {
    if index.constraint == 0 {
        return Ok(());
    }
    let message = format!("index \"{}\" is already associated with a constraint", index.name);
    Err(SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message))
}

/// Why an index cannot be a constraint's.
fn check_usable(index: &Index) -> Result<()> {
    check_association(index)?;
    let name = &index.name;
    let unfit = |message: String| {
        let detail = "Cannot create a primary key or unique constraint using such an index.";
        Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message).with_detail(detail))
    };
    if index.state != IndexState::Valid {
        let message = format!("index \"{name}\" is not valid");
        return Err(SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
    }
    if !index.unique {
        return unfit(format!("\"{name}\" is not a unique index"));
    }
    if index.key_expressions().next().is_some() {
        return unfit(format!("index \"{name}\" contains expressions"));
    }
    if index.predicate.is_some() {
        return unfit(format!("\"{name}\" is a partial index"));
    }
    let is_plain = |column: &IndexColumn| {
        !column.descending && !column.nulls_first && column.class == 0 && column.collation == 0
    };
    match index.columns.iter().position(|column| !is_plain(column)) {
        None => Ok(()),
        Some(column) => {
            let number = column + 1;
            unfit(format!("index \"{name}\" column number {number} does not have default sorting behavior"))
        }
    }
}

impl Draft {
    pub(super) fn add_keys_of_indexes(
        &mut self,
        context: &mut DefinitionContext<'_>,
        names: &mut Names<'_>,
        clauses: &[KeyOfIndexClause],
    ) -> Result<()> {
        for clause in clauses {
            self.add_key_of_index(context, names, clause)?;
        }
        Ok(())
    }

    fn add_key_of_index(
        &mut self,
        context: &mut DefinitionContext<'_>,
        names: &mut Names<'_>,
        clause: &KeyOfIndexClause,
    ) -> Result<()> {
        let placed = |error| at(error, clause.position);
        let wanted = &clause.index;
        let Some(place) = self.table.indexes.iter().position(|index| index.name == *wanted) else {
            let (state, message) = match self.before.relation_in(self.table.schema, wanted) {
                Some(Relation::Index(other, index)) => {
                    check_association(&other.indexes[index]).map_err(placed)?;
                    let table = &self.table.name;
                    let message = format!("index \"{wanted}\" does not belong to table \"{table}\"");
                    (SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
                }
                Some(_) => {
                    let message = format!("\"{wanted}\" is not an index");
                    return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message));
                }
                None => (SqlState::UNDEFINED_OBJECT, format!("index \"{wanted}\" does not exist")),
            };
            return Err(placed(SqlError::new(state, message)));
        };
        check_usable(&self.table.indexes[place]).map_err(placed)?;
        if clause.primary && self.table.primary_key().is_some() {
            return Err(several_primary_keys(&self.table.name));
        }
        let mut index = self.table.indexes.remove(place);
        let name = clause.name.as_ref().unwrap_or(wanted);
        if name != wanted {
            let message = format!(
                "ALTER TABLE / ADD CONSTRAINT USING INDEX will rename index \"{wanted}\" to \"{name}\""
            );
            context.notice(SqlState::SUCCESSFUL_COMPLETION, message);
            if names.is_relation(name) {
                return Err(lookup::name_taken(name));
            }
            names.free(wanted);
            names.take_relation(name);
            name.clone_into(&mut index.name);
        }
        if has_constraint(&self.table, name) {
            return Err(constraint_taken(name, &self.table.name));
        }
        names.take_constraint(name);
        (index.primary, index.deferral) = (clause.primary, clause.deferral);
        index.constraint = context.database.allocate_oid()?;
        if !clause.primary {
            self.table.indexes.insert(place, index);
            return Ok(());
        }
        for column in index.columns.iter().filter_map(|column| column.column()) {
            if !std::mem::replace(&mut self.table.columns[column].not_null, true) {
                self.new_not_null.push(column);
            }
        }
        self.table.indexes.insert(0, index);
        Ok(())
    }
}
