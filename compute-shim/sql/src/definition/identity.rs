//! ALTER COLUMN … ADD, SET and DROP of identity.

use super::DefinitionContext;
use super::alter_action::Draft;
use super::names::Names;
use super::sequence::{self, Written};
use crate::catalog::object::{Identity, Sequence};
use crate::parse::tree::SequenceOption;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState, TypeId};
use std::sync::Arc;

fn identity(always: bool) -> Identity {
    if always { Identity::Always } else { Identity::ByDefault }
}

impl Draft {
    fn identity_state(&self, column: &str, what: &str) -> SqlError {
        let message = format!("column \"{column}\" of relation \"{}\" {what}", self.table.name);
        SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
    }

    pub(super) fn add_identity(
        &mut self,
        context: &DefinitionContext<'_>,
        names: &mut Names<'_>,
        name: &str,
        always: bool,
        options: &[SequenceOption],
    ) -> Result<()> {
        let at = self.column(name)?;
        let column = &self.table.columns[at];
        if !matches!(column.type_id, TypeId::INT2 | TypeId::INT4 | TypeId::INT8) {
            let message = "identity column type must be smallint, integer, or bigint";
            return Err(SqlError::invalid_parameter(message));
        }
        if !column.not_null {
            return Err(self.identity_state(name, "must be declared NOT NULL before identity can be added"));
        }
        if column.identity.is_some() {
            return Err(self.identity_state(name, "is already an identity column"));
        }
        if column.stored_default().is_some() {
            return Err(self.identity_state(name, "already has a default value"));
        }
        let settings = sequence::settings(context.view, column.type_id, options)?;
        let chosen = match Written::of(context.view, options)?.name {
            // The dump's own words; it is made beside its table whatever the schema that stands there.
            Some(written) => match self.before.relation_in(self.table.schema, written.last()) {
                Some(_) => return Err(super::lookup::name_taken(written.last())),
                None => written.last().to_owned(),
            },
            None => names.choose_relation(&self.table.name, Some(name), "seq"),
        };
        let owner = Some((self.table.oid, at));
        let mut sequence = sequence::draft(context, self.table.schema, chosen, settings, owner)?;
        sequence.owner = self.table.owner;
        self.identity_sequences.push(sequence);
        self.table.columns[at].identity = Some(identity(always));
        Ok(())
    }

    /// The sequence of an identity column.
    pub(super) fn identity_sequence(&self, at: usize) -> Option<Arc<Sequence>> {
        let owner = Some((self.table.oid, at));
        self.before.sequences().find(|sequence| sequence.owned_by == owner).cloned()
    }

    pub(super) fn set_identity(
        &mut self,
        name: &str,
        always: Option<bool>,
        options: &[SequenceOption],
    ) -> Result<()> {
        let at = self.column(name)?;
        if self.table.columns[at].identity.is_none() {
            return Err(self.identity_state(name, "is not an identity column"));
        }
        if let Some(always) = always {
            self.table.columns[at].identity = Some(identity(always));
        }
        if !options.is_empty()
            && let Some(sequence) = self.identity_sequence(at)
        {
            self.altered_sequences.push((sequence, options.to_vec()));
        }
        Ok(())
    }

    pub(super) fn drop_identity(
        &mut self,
        context: &mut DefinitionContext<'_>,
        name: &str,
        if_exists: bool,
    ) -> Result<()> {
        let at = self.column(name)?;
        if self.table.columns[at].identity.take().is_none() {
            let error = self.identity_state(name, "is not an identity column");
            if !if_exists {
                return Err(error);
            }
            let message = format!("{}, skipping", error.message());
            context.notice(SqlState::SUCCESSFUL_COMPLETION, message);
            return Ok(());
        }
        self.fallen_sequences.extend(self.identity_sequence(at));
        Ok(())
    }
}
