//! The single actions of ALTER TABLE, drafted: what the table shall be, and what storage has to do for it.
//!
//! Nothing here touches storage or takes a lock; the table is locked already.

use super::column::{self, Columns, Target};
use super::constraint::{self, KeyClause};
use super::drop::{notice_cascade, shown, still_needed};
use super::foreign_key::{add_foreign_keys, referring};
use super::lookup::Found;
use super::names::Names;
use super::parameters::{self, Of};
use super::replay::Replay;
use super::{Defined, DefinitionContext, expression, lookup, set_schema, store, view};
use crate::catalog::object::{ForeignKey, Index, Object, Oid, Sequence, Table};
use crate::catalog::overlay::ChangeSet;
use crate::catalog::{Catalog, Relation};
use crate::expression::Expr;
use crate::parse::tree::{self, AlterTableAction, ColumnDefinition, ObjectKind};
use crate::stop::Step;
use hexalog_engine::TreeId;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::function::quote_identifier;
use hexalog_sql_types::{SqlError, SqlState};
use std::collections::BTreeMap;
use std::sync::Arc;

/// PostgreSQL's name of an action.
pub(super) fn word(action: &AlterTableAction) -> &'static str {
    use AlterTableAction as A;
    match action {
        A::AddConstraint(_) => "ADD CONSTRAINT",
        A::AddColumn { .. } => "ADD COLUMN",
        A::DropColumn { .. } => "DROP COLUMN",
        A::DropConstraint { .. } => "DROP CONSTRAINT",
        A::RenameTable(_) | A::RenameColumn { .. } => "RENAME",
        A::RenameConstraint { .. } => "RENAME CONSTRAINT",
        A::SetType { .. } => "ALTER COLUMN ... SET DATA TYPE",
        A::SetDefault { .. } => "ALTER COLUMN ... SET DEFAULT",
        A::SetNotNull { not_null: true, .. } => "ALTER COLUMN ... SET NOT NULL",
        A::SetNotNull { not_null: false, .. } => "ALTER COLUMN ... DROP NOT NULL",
        A::SetParameters(_) => "SET",
        A::ResetParameters(_) => "RESET",
        A::OwnerTo(_) => "OWNER TO",
        A::SetSchema(_) => "SET SCHEMA",
        A::AlterConstraint { .. } => "ALTER CONSTRAINT",
        A::ValidateConstraint(_) => "VALIDATE CONSTRAINT",
        A::AddIdentity { .. } => "ALTER COLUMN ... ADD IDENTITY",
        A::SetIdentity { .. } => "ALTER COLUMN ... SET",
        A::DropIdentity { .. } => "ALTER COLUMN ... DROP IDENTITY",
        A::DropExpression { .. } => "ALTER COLUMN ... DROP EXPRESSION",
    }
}

pub(super) fn is_rename(action: &AlterTableAction) -> bool {
    matches!(
        action,
        AlterTableAction::RenameTable(_)
            | AlterTableAction::RenameColumn { .. }
            | AlterTableAction::RenameConstraint { .. }
            | AlterTableAction::SetSchema(_)
    )
}

/// The tables that an action's foreign keys refer to.
pub(super) fn targets(action: &AlterTableAction) -> Vec<&tree::Name> {
    match action {
        AlterTableAction::AddConstraint(item) => match &item.constraint {
            tree::TableConstraint::ForeignKey { references, .. } => vec![&references.table],
            _ => Vec::new(),
        },
        AlterTableAction::AddColumn { definition, .. } => {
            let constraints = definition.constraints.iter();
            let named = constraints.filter_map(|item| match &item.constraint {
                tree::ColumnConstraint::References(references) => Some(&references.table),
                _ => None,
            });
            named.collect()
        }
        _ => Vec::new(),
    }
}

/// When an action's turn comes, whatever the order that they were written in.
fn pass(action: &AlterTableAction) -> u8 {
    use AlterTableAction as A;
    match action {
        A::DropColumn { .. }
        | A::DropConstraint { .. }
        | A::SetDefault { value: None, .. }
        | A::DropIdentity { .. }
        | A::DropExpression { .. }
        | A::SetNotNull { not_null: false, .. } => 0,
        A::SetType { .. } => 1,
        A::AddColumn { .. } => 2,
        A::SetNotNull { not_null: true, .. } => 3,
        A::AddConstraint(_) | A::SetDefault { value: Some(_), .. } => 4,
        A::RenameTable(_)
        | A::RenameColumn { .. }
        | A::RenameConstraint { .. }
        | A::SetParameters(_)
        | A::ResetParameters(_)
        | A::SetSchema(_)
        | A::AlterConstraint { .. }
        | A::ValidateConstraint(_)
        | A::AddIdentity { .. }
        | A::SetIdentity { .. }
        | A::OwnerTo(_) => 5,
    }
}

/// The table as it shall be, and the way there.
#[derive(Clone)]
pub(super) struct Draft {
    pub before: Arc<Catalog>,
    pub old: Arc<Table>,
    /// Trees that are still to be made are marked.
    pub table: Table,
    pub added_sequences: Vec<Sequence>,
    pub changed_sequences: Vec<Sequence>,
    /// Sequences of columns that become identity columns: they change no row.
    pub identity_sequences: Vec<Sequence>,
    /// Sequences that get other options.
    pub altered_sequences: Vec<(Arc<Sequence>, Vec<tree::SequenceOption>)>,
    pub fallen_sequences: Vec<Arc<Sequence>>,
    /// Other tables that lose a default, and their numbers, to be locked.
    pub other_tables: Vec<Table>,
    pub changed_tables: Vec<Oid>,
    pub fallen_views: Vec<Oid>,
    pub dropped_trees: Vec<TreeId>,
    /// Generated columns whose values are to be computed for all rows.
    pub generated: Vec<usize>,
    /// Added columns with their defaults.
    pub added: Vec<(usize, Option<Expr>)>,
    /// Columns of another type, and the new values of those that are stored otherwise then, over the rows as they were.
    pub retyped: Vec<usize>,
    pub casts: Vec<(usize, Expr)>,
    /// What existing rows must comply with.
    pub new_not_null: Vec<usize>,
    pub new_checks: Vec<String>,
    pub new_foreign_keys: Vec<Oid>,
    /// Indexes to be built, the primary key apart.
    pub new_indexes: Vec<Oid>,
}

impl Draft {
    pub(super) fn of(
        context: &mut DefinitionContext<'_>,
        old: Arc<Table>,
        actions: &[AlterTableAction],
    ) -> Result<Draft> {
        let before = context.newest();
        let mut draft = Draft {
            before: before.clone(),
            table: Table::clone(&old),
            old,
            added_sequences: Vec::new(),
            changed_sequences: Vec::new(),
            identity_sequences: Vec::new(),
            altered_sequences: Vec::new(),
            fallen_sequences: Vec::new(),
            other_tables: Vec::new(),
            changed_tables: Vec::new(),
            fallen_views: Vec::new(),
            dropped_trees: Vec::new(),
            generated: Vec::new(),
            added: Vec::new(),
            retyped: Vec::new(),
            casts: Vec::new(),
            new_not_null: Vec::new(),
            new_checks: Vec::new(),
            new_foreign_keys: Vec::new(),
            new_indexes: Vec::new(),
        };
        let mut names = Names::new(&before, draft.table.schema);
        let mut clauses = constraint::Clauses::default();
        let mut ordered: Vec<&AlterTableAction> = actions.iter().collect();
        ordered.sort_by_key(|action| pass(action));
        for action in ordered {
            draft.act(context, &mut names, action, &mut clauses)?;
        }
        draft.table.layout = Table::layout_of(&draft.table.columns);
        draft.retype_dependents(context)?;
        let new_checks = constraint::add_checks(context, &mut draft.table, &mut names, &clauses.checks)?;
        draft.new_checks.extend(new_checks);
        draft.add_keys(context, &mut names, &clauses.keys)?;
        draft.add_keys_of_indexes(context, &mut names, &clauses.keys_of_indexes)?;
        let foreign = &clauses.foreign_keys;
        draft.new_foreign_keys = add_foreign_keys(context, &before, &mut draft.table, &mut names, foreign)?;
        draft.check_new_foreign_keys()?;
        clauses.validations.iter().try_for_each(|name| draft.validate_constraint(name))?;
        Ok(draft)
    }

    fn act(
        &mut self,
        context: &mut DefinitionContext<'_>,
        names: &mut Names<'_>,
        action: &AlterTableAction,
        clauses: &mut constraint::Clauses,
    ) -> Result<()> {
        use AlterTableAction as A;
        match action {
            A::AddConstraint(constraint) => {
                constraint::sort(constraint, clauses);
                Ok(())
            }
            A::AddColumn { definition, if_not_exists } => {
                let added = self.add_column(context, names, definition, *if_not_exists)?;
                if let Some(Columns { constraints, .. }) = added {
                    clauses.keys.extend(constraints.keys);
                    clauses.checks.extend(constraints.checks);
                    clauses.foreign_keys.extend(constraints.foreign_keys);
                }
                Ok(())
            }
            A::DropColumn { name, if_exists, cascade } => {
                self.drop_column(context, names, name, *if_exists, *cascade)
            }
            A::DropConstraint { name, if_exists, cascade } => {
                self.drop_constraint(context, names, name, *if_exists, *cascade)
            }
            A::RenameTable(name) => self.rename_table(name),
            A::RenameColumn { from, to } => self.rename_column(context, from, to),
            A::SetDefault { column, value } => self.set_default(context, column, value.as_ref()),
            A::SetNotNull { column, not_null } => self.set_not_null(column, *not_null),
            A::SetType { column, type_name, collation, using } => {
                self.set_type(context, column, (type_name, collation.as_ref()), using.as_ref())
            }
            A::RenameConstraint { from, to } => self.rename_constraint(from, to),
            A::SetParameters(_) | A::ResetParameters(_) => {
                self.table.parameters = parameters::altered(Of::Table, &self.table.parameters, action)?;
                Ok(())
            }
            A::OwnerTo(role) => self.set_owner(context, role),
            A::SetSchema(_) => unreachable!("it stands alone and is done elsewhere"),
            A::AddIdentity { column, always, options } => {
                self.add_identity(context, names, column, *always, options)
            }
            A::AlterConstraint { name, deferral } => self.alter_constraint(name, *deferral),
            // It may be one that another action adds.
            A::ValidateConstraint(name) => {
                clauses.validations.push(name.clone());
                Ok(())
            }
            A::SetIdentity { column, always, options } => self.set_identity(column, *always, options),
            A::DropIdentity { column, if_exists } => self.drop_identity(context, column, *if_exists),
            A::DropExpression { column, if_exists } => self.drop_expression(context, column, *if_exists),
        }
    }

    pub(super) fn no_column(&self, name: &str) -> SqlError {
        let message = format!("column \"{name}\" of relation \"{}\" does not exist", self.table.name);
        SqlError::new(SqlState::UNDEFINED_COLUMN, message)
    }

    pub(super) fn column(&self, name: &str) -> Result<usize> {
        self.table.column_index(name).ok_or_else(|| self.no_column(name))
    }

    fn column_exists(&self, name: &str) -> SqlError {
        let message = format!("column \"{name}\" of relation \"{}\" already exists", self.table.name);
        SqlError::new(SqlState::DUPLICATE_COLUMN, message)
    }

    fn add_column(
        &mut self,
        context: &mut DefinitionContext<'_>,
        names: &mut Names<'_>,
        definition: &ColumnDefinition,
        if_not_exists: bool,
    ) -> Result<Option<Columns>> {
        if self.table.column_index(&definition.name).is_some() {
            let error = self.column_exists(&definition.name);
            if !if_not_exists {
                return Err(error);
            }
            let message = format!("{}, skipping", error.message());
            context.notice(SqlState::DUPLICATE_COLUMN, message);
            return Ok(None);
        }
        let number = self.table.columns.len();
        column::check_count(number + 1)?;
        let target = Target {
            catalog: &self.before,
            schema: self.table.schema,
            table: self.table.oid,
            table_name: &self.table.name,
        };
        let mut columns = Columns::default();
        columns.add(context, &target, names, number, definition)?;
        let new = columns.columns.pop().expect("one was added");
        let default = columns.defaults.pop().expect("one for each column");
        if new.not_null {
            self.new_not_null.push(number);
        }
        self.added_sequences.append(&mut columns.sequences);
        self.table.columns.push(new);
        self.added.push((number, default));
        if let Some((_, expr)) = columns.generations.pop() {
            self.add_generated(context, number, &expr)?;
        }
        Ok(Some(columns))
    }

    /// The primary key is part of the copy; the others are built over the rows.
    fn add_keys(
        &mut self,
        context: &DefinitionContext<'_>,
        names: &mut Names<'_>,
        keys: &[KeyClause],
    ) -> Result<()> {
        let nullable = |table: &Table| -> Vec<usize> {
            (0..table.columns.len()).filter(|&at| !table.columns[at].not_null).collect()
        };
        let before = nullable(&self.table);
        let new = constraint::add_keys(context, &mut self.table, names, keys)?;
        let after = nullable(&self.table);
        self.new_not_null.extend(before.into_iter().filter(|column| !after.contains(column)));
        let built =
            self.table.indexes.iter().filter(|index| new.contains(&index.name) && !index.is_clustered());
        self.new_indexes.extend(built.map(|index| index.oid));
        Ok(())
    }

    pub(super) fn remove_indexes(&mut self, names: &mut Names<'_>, falls: impl Fn(&Index) -> bool) {
        let (fallen, kept) =
            std::mem::take(&mut self.table.indexes).into_iter().partition(|index| falls(index));
        self.table.indexes = kept;
        let fallen: Vec<Index> = fallen;
        fallen.iter().for_each(|index| names.free(&index.name));
        self.dropped_trees.extend(fallen.iter().filter_map(|index| index.tree));
    }

    /// Foreign keys that rest on indexes fall with them, if that was asked for. `what` falls, and the keys rest on `on`.
    pub(super) fn drop_referring(
        &mut self,
        context: &mut DefinitionContext<'_>,
        names: &mut Names<'_>,
        indexes: &[Oid],
        (what, on): (&str, &str),
        cascade: bool,
    ) -> Result<()> {
        let (before, oid) = (self.before.clone(), self.table.oid);
        let found = referring(context, &before, oid, on, |_, key| indexes.contains(&key.index));
        let found: Vec<_> = found
            .into_iter()
            .filter(|item| item.table != oid || self.table.foreign_keys.iter().any(|key| key.oid == item.key))
            .collect();
        if !found.is_empty() && !cascade {
            let lines: Vec<String> = found.iter().map(super::foreign_key::Referring::line).collect();
            return Err(still_needed(&format!("{what} because other objects depend on it"), &lines));
        }
        let objects: Vec<String> = found.iter().map(|item| item.description.clone()).collect();
        notice_cascade(context, &objects);
        for item in found {
            let fallen = |key: &ForeignKey| key.oid == item.key;
            let table = if item.table == oid {
                &mut self.table
            } else {
                let at = self.other_table(item.table);
                &mut self.other_tables[at]
            };
            table.foreign_keys.iter().filter(|key| fallen(key)).for_each(|key| names.free(&key.name));
            table.foreign_keys.retain(|key| !fallen(key));
        }
        Ok(())
    }

    /// The place of another table that changes.
    pub(super) fn other_table(&mut self, oid: Oid) -> usize {
        self.changed_tables.push(oid);
        let known = self.other_tables.iter().position(|other| other.oid == oid);
        known.unwrap_or_else(|| {
            let stored = self.before.table(oid).expect("found in this catalog");
            self.other_tables.push(Table::clone(stored));
            self.other_tables.len() - 1
        })
    }

    /// Rows that are there are looked at before anything of them changes, so a key on a column that comes with values of
    /// its own cannot be judged.
    fn check_new_foreign_keys(&self) -> Result<()> {
        for key in self.table.foreign_keys.iter().filter(|key| self.new_foreign_keys.contains(&key.oid)) {
            let is_filled = |column: usize| {
                let owned = |sequence: &Sequence| sequence.owned_by == Some((self.table.oid, column));
                self.added.iter().any(|(added, default)| *added == column && default.is_some())
                    || self.added_sequences.iter().any(owned)
            };
            let is_new = |column: usize| column >= self.old.columns.len();
            let filled = key.columns.iter().any(|(column, _)| is_new(*column) && is_filled(*column));
            if filled || (key.match_full && key.columns.iter().any(|(column, _)| is_new(*column))) {
                let what = "a foreign key on a column that is added with a default";
                return Err(SqlError::unsupported(what));
            }
        }
        Ok(())
    }

    fn drop_constraint(
        &mut self,
        context: &mut DefinitionContext<'_>,
        names: &mut Names<'_>,
        name: &str,
        if_exists: bool,
        cascade: bool,
    ) -> Result<()> {
        let backing = |index: &&Index| index.constraint != 0 && index.name == name;
        if let Some(index) = self.table.indexes.iter().find(backing).map(|index| index.oid) {
            let table = shown(context, &self.before, &Relation::Table(self.old.clone()));
            let what = format!("constraint {} on table {table}", quote_identifier(name));
            let on = format!("index {}", quote_identifier(name));
            self.drop_referring(context, names, &[index], (&what, &on), cascade)?;
        }
        let foreign = self.table.foreign_keys.len();
        self.table.foreign_keys.retain(|key| key.name != name);
        if self.table.foreign_keys.len() < foreign {
            names.free(name);
            return Ok(());
        }
        if let Some(key) = self.table.primary_key().filter(|key| key.name == name) {
            view::check_key_unneeded(context, &self.before, &self.old, &key.name)?;
        }
        let checks = self.table.checks.len();
        self.table.checks.retain(|check| check.name != name);
        let indexes = self.table.indexes.len();
        self.remove_indexes(names, |index| index.constraint != 0 && index.name == name);
        if self.table.checks.len() < checks || self.table.indexes.len() < indexes {
            names.free(name);
            return Ok(());
        }
        let message = format!("constraint \"{name}\" of relation \"{}\" does not exist", self.table.name);
        if !if_exists {
            return Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message));
        }
        context.notice(SqlState::SUCCESSFUL_COMPLETION, format!("{message}, skipping"));
        Ok(())
    }

    fn rename_table(&mut self, name: &str) -> Result<()> {
        if self.before.relation_in(self.table.schema, name).is_some() {
            return Err(lookup::name_taken(name));
        }
        name.clone_into(&mut self.table.name);
        Ok(())
    }

    /// Checks are printed anew, with the new name in them.
    fn rename_column(&mut self, context: &DefinitionContext<'_>, from: &str, to: &str) -> Result<()> {
        let Some(at) = self.table.column_index(from) else {
            let message = format!("column \"{from}\" does not exist");
            return Err(SqlError::new(SqlState::UNDEFINED_COLUMN, message));
        };
        if self.table.column_index(to).is_some() {
            return Err(self.column_exists(to));
        }
        if column::is_system_column(to) {
            let message = format!("column name \"{to}\" conflicts with a system column name");
            return Err(SqlError::new(SqlState::DUPLICATE_COLUMN, message));
        }
        to.clone_into(&mut self.table.columns[at].name);
        let columns: Vec<&str> = self.table.columns.iter().map(|column| column.name.as_str()).collect();
        for check in &mut self.table.checks {
            let bound = expression::stored_check(context, &self.old, &check.expression)?;
            check.expression = expression::stored_text(context, &bound, &columns);
        }
        self.rename_in_expressions(context)
    }

    fn rename_constraint(&mut self, from: &str, to: &str) -> Result<()> {
        if !constraint::has_constraint(&self.table, from) {
            let message = format!("constraint \"{from}\" for table \"{}\" does not exist", self.table.name);
            return Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message));
        }
        if constraint::has_constraint(&self.table, to) {
            return Err(constraint::constraint_taken(to, &self.table.name));
        }
        let backing = |index: &&mut Index| index.constraint != 0 && index.name == from;
        if let Some(index) = self.table.indexes.iter_mut().find(backing) {
            if self.before.relation_in(self.table.schema, to).is_some() {
                return Err(lookup::name_taken(to));
            }
            to.clone_into(&mut index.name);
        }
        let checks = self.table.checks.iter_mut().map(|check| &mut check.name);
        let keys = self.table.foreign_keys.iter_mut().map(|key| &mut key.name);
        checks.chain(keys).filter(|name| *name == from).for_each(|name| to.clone_into(name));
        Ok(())
    }

    fn alter_constraint(&mut self, name: &str, deferral: tree::Deferral) -> Result<()> {
        let table = self.table.name.clone();
        if let Some(key) = self.table.foreign_keys.iter_mut().find(|key| key.name == name) {
            key.deferral = deferral;
            return Ok(());
        }
        Err(match constraint::has_constraint(&self.table, name) {
            true => {
                let message =
                    format!("constraint \"{name}\" of relation \"{table}\" is not a foreign key constraint");
                SqlError::new(SqlState::WRONG_OBJECT_TYPE, message)
            }
            false => {
                let message = format!("constraint \"{name}\" of relation \"{table}\" does not exist");
                SqlError::new(SqlState::UNDEFINED_OBJECT, message)
            }
        })
    }

    /// VALIDATE CONSTRAINT: nothing is to be done for one that is validated.
    fn validate_constraint(&mut self, name: &str) -> Result<()> {
        if let Some(check) = self.table.checks.iter_mut().find(|check| check.name == name) {
            if !std::mem::replace(&mut check.validated, true) {
                self.new_checks.push(check.name.clone());
            }
            return Ok(());
        }
        if let Some(key) = self.table.foreign_keys.iter_mut().find(|key| key.name == name) {
            if !std::mem::replace(&mut key.validated, true) {
                self.new_foreign_keys.push(key.oid);
            }
            return Ok(());
        }
        let table = &self.table.name;
        Err(match constraint::has_constraint(&self.table, name) {
            true => {
                let message = format!(
                    "constraint \"{name}\" of relation \"{table}\" is not a foreign key or check constraint"
                );
                SqlError::new(SqlState::WRONG_OBJECT_TYPE, message)
            }
            false => {
                let message = format!("constraint \"{name}\" of relation \"{table}\" does not exist");
                SqlError::new(SqlState::UNDEFINED_OBJECT, message)
            }
        })
    }

    fn is_identity(&self, name: &str) -> SqlError {
        let message = format!("column \"{name}\" of relation \"{}\" is an identity column", self.table.name);
        SqlError::syntax(message)
    }

    fn set_default(
        &mut self,
        context: &DefinitionContext<'_>,
        name: &str,
        value: Option<&tree::Expr>,
    ) -> Result<()> {
        let at = self.column(name)?;
        self.refuse_default_of_generated(name, at, value.is_none())?;
        if self.table.columns[at].identity.is_some() {
            let error = self.is_identity(name);
            return Err(match value {
                Some(_) => error,
                None => error.with_hint("Use ALTER TABLE ... ALTER COLUMN ... DROP IDENTITY instead."),
            });
        }
        let column = &mut self.table.columns[at];
        column.default = None;
        let Some(expr) = value else { return Ok(()) };
        let target = (column.type_id, column.typmod);
        let bound = expression::default_value(context, name, target, expr).map_err(|mut error| {
            // PostgreSQL has lost the statement's text when it comes here.
            error.fields_mut().position = None;
            error
        })?;
        column.default = bound.map(|bound| expression::stored_text(context, &bound, &[]));
        Ok(())
    }

    fn set_not_null(&mut self, name: &str, not_null: bool) -> Result<()> {
        let at = self.column(name)?;
        if not_null {
            if !self.table.columns[at].not_null {
                self.new_not_null.push(at);
            }
        } else {
            if self.table.columns[at].identity.is_some() {
                return Err(self.is_identity(name));
            }
            let in_key = |index: &Index| index.rests_on(at);
            if self.table.primary_key().is_some_and(in_key) {
                let message = format!("column \"{name}\" is in a primary key");
                return Err(SqlError::new(SqlState::INVALID_TABLE_DEFINITION, message));
            }
        }
        self.table.columns[at].not_null = not_null;
        Ok(())
    }

    fn set_owner(&mut self, context: &DefinitionContext<'_>, role: &str) -> Result<()> {
        let oid = role_oid(context, &self.before, role)?;
        self.table.owner = oid;
        let table = self.table.oid;
        let owned = self
            .before
            .sequences()
            .filter(|sequence| sequence.owned_by.is_some_and(|(owner, _)| owner == table));
        self.changed_sequences
            .extend(owned.map(|sequence| Sequence { owner: oid, ..Sequence::clone(sequence) }));
        Ok(())
    }
}

/// The role that OWNER TO names.
pub(super) fn role_oid(context: &DefinitionContext<'_>, catalog: &Catalog, role: &str) -> Result<Oid> {
    match role {
        "current_user" | "session_user" | "current_role" => Ok(context.view.user_oid),
        role => {
            let found = catalog.role_by_name(role);
            Ok(found.ok_or_else(|| SqlError::undefined_object("role", role))?.oid)
        }
    }
}

/// ALTER INDEX or SEQUENCE … RENAME TO. PostgreSQL takes ALTER INDEX for tables and views too.
pub(super) fn rename_relation(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    kind: ObjectKind,
    name: &tree::Name,
    if_exists: bool,
    to: &str,
) -> Step<Defined> {
    let verb = if kind == ObjectKind::Index { "ALTER INDEX" } else { "ALTER SEQUENCE" };
    match lookup::locked(replay, context, name, hexalog_engine::RelationLockMode::AccessExclusive)? {
        Found::Relation(relation) if lookup::kind_of(&relation) == kind => {
            rename_other(replay, context, &relation, to, verb)
        }
        Found::Relation(Relation::System(table)) => Err(lookup::is_system(table.name).into()),
        Found::Relation(relation) if kind == ObjectKind::Index => {
            let what = lookup::kind_of(&relation).word();
            Err(SqlError::unsupported(format!("ALTER INDEX of a {what}")).into())
        }
        Found::Relation(relation) => Err(lookup::not_a(kind.word(), relation.name()).into()),
        Found::Nothing | Found::NoSchema(_) if if_exists => {
            replay.once(context, |context| {
                let message = format!("relation \"{}\" does not exist, skipping", name.last());
                context.notice(SqlState::SUCCESSFUL_COMPLETION, message);
                Ok(())
            })?;
            Ok(Defined::nothing(verb))
        }
        Found::Nothing => Err(lookup::no_relation(name).into()),
        Found::NoSchema(schema) => Err(lookup::no_schema(&schema).into()),
    }
}

/// The new name of an index or a sequence; ALTER TABLE … RENAME TO may mean one too. Defaults that draw from the sequence
/// follow its name.
pub(super) fn rename_other(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    relation: &Relation,
    name: &str,
    verb: &'static str,
) -> Step<Defined> {
    let before = replay.once(context, |context| {
        let before = context.newest();
        match before.relation_in(relation.schema(), name) {
            Some(_) => Err(lookup::name_taken(name).into()),
            None => Ok(before),
        }
    })?;
    let mut changes = ChangeSet::default();
    match relation {
        Relation::Index(table, at) => {
            let mut table = Table::clone(table);
            name.clone_into(&mut table.indexes[*at].name);
            changes.put(Object::Table(Arc::new(table)));
        }
        Relation::Sequence(sequence) => {
            let renamed = Sequence { name: name.to_owned(), ..Sequence::clone(sequence) };
            let mut tables = BTreeMap::new();
            set_schema::rename_in_defaults(replay, context, &before, &mut tables, (sequence, &renamed))?;
            for table in tables.into_values() {
                changes.put(Object::Table(Arc::new(table)));
            }
            changes.put(Object::Sequence(Arc::new(renamed)));
        }
        Relation::Table(_) | Relation::View(_) | Relation::System(_) => {
            unreachable!("asked for indexes and sequences only")
        }
    }
    Ok(Defined::plain(verb, store(replay, context, &before, changes)?))
}
