//! CREATE VIEW and ALTER VIEW.
//!
//! Owns the way from a query to a view: bound once with everything noted that its names mean, its text written out where
//! a later session could read it otherwise, and bound again from that text before it is stored.

use super::create_table_as::lock_sources;
use super::dependents::Dependents;
use super::drop::{shown, still_needed};
use super::expression::{bind_context, with_marks};
use super::lookup::{self, Found};
use super::replay::Replay;
use super::{Defined, DefinitionContext, alter_action, column, set_schema, store};
use crate::bind;
use crate::catalog::object::{Object, Oid, View, ViewColumn};
use crate::catalog::overlay::ChangeSet;
use crate::catalog::{Catalog, Relation};
use crate::expression::{is_collatable, no_collation_for};
use crate::parse::tree::{AlterViewAction, CheckOption, CreateView, Name};
use crate::parse::view::{Edit, edited, query};
use crate::plan::Plan;
use crate::stop::Step;
use hexalog_engine::RelationLockMode;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::function::quote_identifier;
use hexalog_sql_types::types::format_type;
use hexalog_sql_types::{SqlError, SqlState};
use std::sync::Arc;

#[derive(Clone)]
struct Draft {
    before: Arc<Catalog>,
    view: View,
    plan: Arc<Plan>,
}

fn columns(plan: &Plan, names: &[String]) -> Result<Vec<ViewColumn>> {
    let described = plan.columns.as_deref().unwrap_or_default();
    if names.len() > described.len() {
        return Err(SqlError::syntax("CREATE VIEW specifies more column names than columns"));
    }
    column::check_count(described.len())?;
    let mut columns = Vec::with_capacity(described.len());
    for (at, found) in described.iter().enumerate() {
        let name = names.get(at).map_or(&*found.name, String::as_str);
        column::check_column(name, found.type_id)?;
        if found.collation.is_none() && is_collatable(found.type_id) {
            return Err(no_collation_for(&format!("view column \"{name}\"")));
        }
        columns.push(ViewColumn { name: name.to_owned(), type_id: found.type_id, typmod: found.typmod });
    }
    column::check_distinct(columns.iter().map(|column| column.name.as_str()))?;
    Ok(columns)
}

/// The view that a query makes, under the numbers of the one that it replaces.
fn draft(
    context: &mut DefinitionContext<'_>,
    schema: Oid,
    create: &CreateView,
    replaced: Option<&Arc<View>>,
) -> Result<Draft> {
    let before = context.newest();
    let (plan, noted) = bind::view_plan(bind_context(context), &create.query, None)?;
    let columns = columns(&plan, &create.columns)?;
    if replaced.is_none() {
        lookup::is_free(context, &before, schema, create.name.last(), false)?;
    }
    // Places are those of the statement; the text begins with the query.
    let inside = |edit: &Edit| Edit { position: edit.position - (create.position - 1), ..edit.clone() };
    let types = with_marks(context, |env| noted.type_edits(env));
    let edits: Vec<Edit> = noted.edits.iter().chain(&types).map(inside).collect();
    let (oid, rule, owner) = match replaced {
        Some(old) => (old.oid, old.rule, old.owner),
        None => (context.database.allocate_oid()?, context.database.allocate_oid()?, context.view.user_oid),
    };
    let view = View {
        oid,
        name: create.name.last().to_owned(),
        schema,
        owner,
        rule,
        columns,
        text: edited(&create.text, &edits)?,
        names: noted.names,
        used: noted.used.into_iter().collect(),
        keys: noted.keys.into_iter().collect(),
        check_option: create.check_option,
    };
    if let Some(old) = replaced {
        check_replacement(old, &view)?;
        check_cycle(&before, &view)?;
    }
    let stored = Arc::new(view.clone());
    let (again, _) = bind::view_plan(bind_context(context), &query(&view.text)?, Some(&stored))?;
    if !bind::is_view_of(&view, again.columns.as_deref().unwrap_or_default()) {
        return Err(SqlError::internal("a view's text gives other columns than its query"));
    }
    check_checkable(context, &stored)?;
    Ok(Draft { before, view, plan: Arc::new(plan) })
}

/// 0A000 for CHECK OPTION of a view that no row can be put into.
fn check_checkable(context: &DefinitionContext<'_>, view: &Arc<View>) -> Result<()> {
    if view.check_option == CheckOption::None {
        return Ok(());
    }
    match bind::updatability(bind_context(context), view)?.reason {
        None => Ok(()),
        Some(reason) => {
            let message = "WITH CHECK OPTION is supported only on automatically updatable views";
            Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message).with_hint(reason))
        }
    }
}

/// 42P16 unless the old columns stay what they were.
fn check_replacement(old: &View, new: &View) -> Result<()> {
    let invalid = |message: String| SqlError::new(SqlState::INVALID_TABLE_DEFINITION, message);
    if new.columns.len() < old.columns.len() {
        return Err(invalid("cannot drop columns from view".to_owned()));
    }
    for (was, is) in old.columns.iter().zip(&new.columns) {
        if was.name != is.name {
            let message = format!("cannot change name of view column \"{}\" to \"{}\"", was.name, is.name);
            return Err(invalid(message)
                .with_hint("Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead."));
        }
        if (was.type_id, was.typmod) != (is.type_id, is.typmod) {
            let (from, to) =
                (format_type(was.type_id, Some(was.typmod)), format_type(is.type_id, Some(is.typmod)));
            let message =
                format!("cannot change data type of view column \"{}\" from {from} to {to}", was.name);
            return Err(invalid(message));
        }
    }
    Ok(())
}

/// 42P17 for a view that would read itself. (PostgreSQL lets it be made, and refuses to read it.)
fn check_cycle(catalog: &Catalog, view: &View) -> Result<()> {
    let mut above = Dependents::default();
    above.follow_all(catalog, view.oid);
    let reads_above = view.reads(view.oid) || above.views.keys().any(|&oid| view.reads(oid));
    if !reads_above {
        return Ok(());
    }
    let message = format!("infinite recursion detected in rules for relation \"{}\"", view.name);
    Err(SqlError::new(SqlState::INVALID_OBJECT_DEFINITION, message))
}

/// Whether a view that nobody called temporary reads what is.
fn will_be_temporary(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    create: &CreateView,
) -> Step<bool> {
    replay.once(context, |context| {
        let Some(schema) = context.view.temporary_schema() else { return Ok(false) };
        let (_, noted) = bind::view_plan(bind_context(context), &create.query, None)?;
        let catalog = context.view.catalog();
        let is_temporary =
            |oid: Oid| catalog.relation(oid).is_some_and(|relation| relation.schema() == schema);
        let reads = noted.names.iter().any(|name| is_temporary(name.relation));
        if reads {
            let message = format!("view \"{}\" will be a temporary view", create.name.last());
            context.notice(SqlState::SUCCESSFUL_COMPLETION, message);
        }
        Ok(reads)
    })
}

/// CREATE [OR REPLACE] VIEW.
pub(super) fn create(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    create: &CreateView,
) -> Step<Defined> {
    // PostgreSQL's errors about the name point nowhere.
    let name = Name { position: 0, ..create.name.clone() };
    let temporary = create.temporary || will_be_temporary(replay, context, create)?;
    let schema = lookup::creation_schema(replay, context, &name, temporary)?;
    let mut replaced = None;
    if create.or_replace {
        let schema_name =
            replay.once(context, |context| Ok(context.newest().schema_name(schema).to_owned()))?;
        let parts = vec![schema_name, create.name.last().to_owned()];
        let full = Name { parts, position: create.name.position };
        replaced = match lookup::locked(replay, context, &full, RelationLockMode::AccessExclusive)? {
            Found::Relation(Relation::View(view)) => Some(view),
            Found::Relation(relation) => return Err(lookup::not_a("view", relation.name()).into()),
            Found::Nothing | Found::NoSchema(_) => None,
        };
    }
    let Draft { before, view, plan } =
        replay.once(context, |context| Ok(draft(context, schema, create, replaced.as_ref())?))?;
    lock_sources(replay, context, &plan)?;
    let mut changes = ChangeSet::default();
    changes.put(Object::View(Arc::new(view)));
    Ok(Defined::plain("CREATE VIEW", store(replay, context, &before, changes)?))
}

/// 2BP01 if a view needs the primary key of a table.
pub(super) fn check_key_unneeded(
    context: &DefinitionContext<'_>,
    catalog: &Catalog,
    table: &Arc<crate::catalog::object::Table>,
    constraint: &str,
) -> Result<()> {
    let table_name = shown(context, catalog, &Relation::Table(table.clone()));
    let key = format!("constraint {} on table {table_name}", quote_identifier(constraint));
    let needs = catalog.views().filter(|view| view.keys.contains(&table.oid));
    let line = |view: &Arc<View>| {
        format!("view {} depends on {key}", shown(context, catalog, &Relation::View(view.clone())))
    };
    let lines: Vec<String> = needs.map(line).collect();
    match lines.is_empty() {
        true => Ok(()),
        false => Err(still_needed(&format!("{key} because other objects depend on it"), &lines)),
    }
}

/// ALTER VIEW [IF EXISTS]; `verb` is the statement's, which may be ALTER TABLE.
pub(super) fn alter(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    name: &Name,
    if_exists: bool,
    action: &AlterViewAction,
    verb: &'static str,
) -> Step<Defined> {
    let view = match lookup::locked(replay, context, name, RelationLockMode::AccessExclusive)? {
        Found::Relation(Relation::View(view)) => view,
        Found::Relation(Relation::System(table)) => return Err(lookup::is_system(table.name).into()),
        Found::Relation(relation) => return Err(lookup::not_a("view", relation.name()).into()),
        Found::Nothing | Found::NoSchema(_) if if_exists => {
            replay.once(context, |context| {
                let message = format!("relation \"{}\" does not exist, skipping", name.last());
                context.notice(SqlState::SUCCESSFUL_COMPLETION, message);
                Ok(())
            })?;
            return Ok(Defined::nothing(verb));
        }
        Found::Nothing => return Err(lookup::no_relation(name).into()),
        Found::NoSchema(schema) => return Err(lookup::no_schema(&schema).into()),
    };
    if let AlterViewAction::SetSchema(schema) = action {
        return set_schema::run(replay, context, Relation::View(view), schema, verb);
    }
    let (before, altered) = replay.once(context, |context| {
        let before = context.newest();
        let mut view = View::clone(&view);
        match action {
            AlterViewAction::SetSchema(_) => unreachable!("done above"),
            AlterViewAction::RenameView(to) => {
                if before.relation_in(view.schema, to).is_some() {
                    return Err(lookup::name_taken(to).into());
                }
                view.name.clone_from(to);
            }
            AlterViewAction::RenameColumn { from, to } => rename_column(&mut view, from, to)?,
            AlterViewAction::SetCheckOption(option) => {
                view.check_option = *option;
                check_checkable(context, &Arc::new(view.clone()))?;
            }
            AlterViewAction::OwnerTo(role) => view.owner = alter_action::role_oid(context, &before, role)?,
        }
        Ok((before, view))
    })?;
    let mut changes = ChangeSet::default();
    changes.put(Object::View(Arc::new(altered)));
    Ok(Defined::plain(verb, store(replay, context, &before, changes)?))
}

fn rename_column(view: &mut View, from: &str, to: &str) -> Result<()> {
    let place = |name: &str| view.columns.iter().position(|column| column.name == name);
    let Some(at) = place(from) else {
        let message = format!("column \"{from}\" does not exist");
        return Err(SqlError::new(SqlState::UNDEFINED_COLUMN, message));
    };
    if place(to).is_some() {
        let message = format!("column \"{to}\" of relation \"{}\" already exists", view.name);
        return Err(SqlError::new(SqlState::DUPLICATE_COLUMN, message));
    }
    to.clone_into(&mut view.columns[at].name);
    Ok(())
}
