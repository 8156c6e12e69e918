//! A definition under way: its way through the session.
//!
//! Owns [`Defining`]: what comes before a definition's first step, the surroundings of each, and what the session keeps of
//! its outcome. The statements themselves are in `definition`.

use super::transaction::{Parts, Scope};
use super::view::SessionHost;
use crate::answer::CommandTag;
use crate::definition::{self, Defined, Definition, DefinitionContext, Parameters, temporary};
use crate::parse::tree::Statement;
use crate::stop::Step;

/// A definition that may have waited.
pub(super) struct Defining {
    definition: Definition,
    /// Makes the session's schema for temporary objects, where the definition needs it and it is not there.
    schema: Option<Definition>,
    has_begun: bool,
}

impl Defining {
    pub(super) fn new(statement: Statement) -> Defining {
        Defining { definition: Definition::new(statement), schema: None, has_begun: false }
    }

    /// Of a statement whose query has parameters.
    pub(super) fn with_parameters(statement: Statement, parameters: Parameters) -> Defining {
        let definition = Definition::with_parameters(statement, parameters);
        Defining { definition, schema: None, has_begun: false }
    }

    /// Goes on; call again after a need.
    pub(super) fn step(&mut self, scope: &mut Scope) -> Step<CommandTag> {
        // These are allowed in a read-only transaction, as in PostgreSQL: they change no data.
        let is_maintenance =
            matches!(definition::verb(self.definition.statement()), Some("ANALYZE" | "VACUUM" | "REINDEX"));
        if !is_maintenance || !scope.is_read_only() {
            return self.go_on(scope);
        }
        scope.restore_read_only(false);
        let result = self.go_on(scope);
        scope.restore_read_only(true);
        result
    }

    fn go_on(&mut self, scope: &mut Scope) -> Step<CommandTag> {
        if !self.has_begun {
            self.begin(scope)?;
            self.has_begun = true;
        }
        // A lock that it waited for may have brought a new version.
        scope.refresh_durable()?;
        if let Some(schema) = &mut self.schema {
            let defined = step(schema, scope)?;
            scope.add_changes(defined.changes);
            self.schema = None;
        }
        let defined = step(&mut self.definition, scope)?;
        scope.add_changes(defined.changes);
        scope.count_upkeep();
        scope.end_statement()?;
        Ok(defined.tag)
    }

    fn begin(&mut self, scope: &mut Scope) -> Step<()> {
        scope.refresh_durable()?;
        let statement = self.definition.statement();
        let verb = definition::verb(statement).expect("a definition has a name");
        if matches!(verb, "VACUUM" | "CREATE DATABASE" | "DROP DATABASE") {
            scope.check_outside_block(verb)?;
        }
        scope.check_may_write(verb)?;
        scope.begin_statement()?;
        if matches!(
            statement,
            Statement::Drop { .. }
                | Statement::DropType { .. }
                | Statement::DropDatabase { .. }
                | Statement::Truncate { .. }
        ) {
            scope.parts().stores.transaction.set_frees_space();
        }
        if temporary::wants_schema(statement, &scope.view) {
            if !scope.has_temporary_schema() {
                self.schema = Some(Definition::new(Statement::CreateTemporarySchema));
            }
            scope.open_temporary_store()?;
        }
        Ok(())
    }
}

fn step(definition: &mut Definition, scope: &mut Scope) -> Step<Defined> {
    let Parts {
        database,
        stores,
        view,
        changes,
        environment,
        effects,
        notices,
        transaction_us,
        statement_us,
    } = scope.parts();
    let host = SessionHost { view, environment };
    definition.step(&mut DefinitionContext {
        stores,
        database,
        env: host.env(transaction_us, statement_us),
        view,
        changes,
        environment,
        effects,
        notices,
    })
}
