//! DROP of relations and schemas, and what falls with them.
//!
//! Owns the dependencies that there are: indexes and owned sequences belong to their table, defaults draw from
//! sequences, constraints need their indexes, views read relations, foreign keys refer to tables, relations lie in schemas. RESTRICT reports them, CASCADE follows them, in
//! PostgreSQL's words.

use super::dependents::{Dependents, lock_views};
use super::foreign_key::{Referring, referring, referring_tables};
use super::lookup::{self, Found};
use super::replay::Replay;
use super::truncate::drop_trees;
use super::{Defined, DefinitionContext, drop_type, drop_verb, sequence, store};
use crate::answer::Severity;
use crate::catalog::object::{
    INFORMATION_SCHEMA_OID, Object, ObjectClass, Oid, PG_CATALOG_OID, Sequence, Table,
};
use crate::catalog::overlay::ChangeSet;
use crate::catalog::{Catalog, Relation};
use crate::parse::tree::{Name, ObjectKind};
use crate::session::with_type_names;
use crate::stop::Step;
use hexalog_engine::{RelationLockMode, TreeId};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::function::quote_identifier;
use hexalog_sql_types::{SqlError, SqlState, TypeId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const CASCADE_HINT: &str = "Use DROP ... CASCADE to drop the dependent objects too.";

/// A relation's name as messages show it: with its schema unless the search path leads to it.
pub(super) fn shown(context: &DefinitionContext<'_>, catalog: &Catalog, relation: &Relation) -> String {
    let name = quote_identifier(relation.name());
    match catalog.is_visible(context.view.search_path(), relation) {
        true => name,
        false => format!("{}.{name}", quote_identifier(catalog.schema_name(relation.schema()))),
    }
}

/// A column's default that draws from a sequence.
#[derive(Clone, Debug)]
pub(super) struct DefaultUse {
    pub table: Oid,
    pub column: usize,
    /// `default value for column a of table t`.
    pub description: String,
    /// `sequence s`.
    pub sequence: String,
}

/// Defaults outside of what falls already that draw from sequences that fall.
pub(super) fn uses_of(
    context: &DefinitionContext<'_>,
    catalog: &Catalog,
    sequences: &[Arc<Sequence>],
    falls: impl Fn(Oid, usize) -> bool,
) -> Vec<DefaultUse> {
    let mut uses = Vec::new();
    for sequence in sequences {
        let literal = sequence::literal(catalog, sequence);
        for table in catalog.tables() {
            for (column, definition) in table.columns.iter().enumerate() {
                let draws = definition.default.as_ref().is_some_and(|text| text.contains(&literal));
                if !draws || definition.dropped || falls(table.oid, column) {
                    continue;
                }
                let table_name = shown(context, catalog, &Relation::Table(table.clone()));
                uses.push(DefaultUse {
                    table: table.oid,
                    column,
                    description: format!(
                        "default value for column {} of table {table_name}",
                        quote_identifier(&definition.name)
                    ),
                    sequence: format!(
                        "sequence {}",
                        shown(context, catalog, &Relation::Sequence(sequence.clone()))
                    ),
                });
            }
        }
    }
    uses
}

/// 2BP01 with what depends on the objects.
pub(super) fn still_needed(what: &str, details: &[String]) -> SqlError {
    let message = format!("cannot drop {what}");
    SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
        .with_detail(details.join("\n"))
        .with_hint(CASCADE_HINT)
}

/// The notice of CASCADE.
pub(super) fn notice_cascade(context: &mut DefinitionContext<'_>, objects: &[String]) {
    let lines: Vec<String> = objects.iter().map(|object| format!("drop cascades to {object}")).collect();
    let notice = match &*lines {
        [] => return,
        [line] => SqlError::new(SqlState::SUCCESSFUL_COMPLETION, line.as_str()),
        _ => {
            let message = format!("drop cascades to {} other objects", lines.len());
            SqlError::new(SqlState::SUCCESSFUL_COMPLETION, message).with_detail(lines.join("\n"))
        }
    };
    // What falls has no name when the notice goes out.
    context.notices.push((Severity::Notice, with_type_names(context.view, notice)));
}

/// All that falls.
#[derive(Clone, Debug, Default)]
struct Fall {
    tables: BTreeMap<Oid, Arc<Table>>,
    /// Index oid → its table.
    indexes: BTreeMap<Oid, Arc<Table>>,
    sequences: BTreeMap<Oid, Arc<Sequence>>,
    defaults: Vec<DefaultUse>,
    views: Dependents,
    types: BTreeSet<TypeId>,
    foreign_keys: Vec<Referring>,
}

impl Fall {
    fn add_table(&mut self, catalog: &Catalog, table: Arc<Table>) {
        for sequence in catalog.sequences() {
            if sequence.owned_by.is_some_and(|(owner, _)| owner == table.oid) {
                self.sequences.insert(sequence.oid, sequence.clone());
            }
        }
        self.tables.insert(table.oid, table);
    }

    fn find_defaults(&mut self, context: &DefinitionContext<'_>, catalog: &Catalog) {
        let sequences: Vec<Arc<Sequence>> = self.sequences.values().cloned().collect();
        self.defaults = uses_of(context, catalog, &sequences, |table, _| self.tables.contains_key(&table));
    }

    /// Foreign keys of other tables to what falls.
    fn find_foreign_keys(&mut self, context: &DefinitionContext<'_>, catalog: &Catalog) {
        for table in self.tables.values() {
            let on = format!("table {}", shown(context, catalog, &Relation::Table(table.clone())));
            let found =
                referring(context, catalog, table.oid, &on, |other, _| !self.tables.contains_key(&other.oid));
            self.foreign_keys.extend(found);
        }
        for (&oid, table) in self.indexes.iter().filter(|(_, table)| !self.tables.contains_key(&table.oid)) {
            let at = table.indexes.iter().position(|index| index.oid == oid).expect("an index of its table");
            let on = format!("index {}", shown(context, catalog, &Relation::Index(table.clone(), at)));
            let found = referring(context, catalog, table.oid, &on, |_, key| key.index == oid);
            self.foreign_keys.extend(found);
        }
    }

    /// Views that read what falls.
    fn find_views(&mut self, context: &DefinitionContext<'_>, catalog: &Catalog) {
        let tables = self.tables.values().cloned().map(Relation::Table);
        let sequences = self.sequences.values().cloned().map(Relation::Sequence);
        let views = self.views.views.values().cloned().map(Relation::View);
        for relation in tables.chain(sequences).chain(views).collect::<Vec<_>>() {
            let kind = lookup::kind_of(&relation).word();
            let on = format!("{kind} {}", shown(context, catalog, &relation));
            self.views.follow(context, catalog, &on, &|view| view.reads(relation.oid()));
        }
    }
}

/// What one name of the statement leads to; `None` if there is nothing and that is no error.
fn target(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    (kind, mode): (ObjectKind, RelationLockMode),
    name: &Name,
    if_exists: bool,
) -> Step<Option<Relation>> {
    let found = lookup::locked(replay, context, name, mode)?;
    let (state, message) = match found {
        Found::Relation(relation) => return Ok(Some(checked_kind(kind, relation)?)),
        Found::Nothing => {
            let state = match kind {
                ObjectKind::Index => SqlState::UNDEFINED_OBJECT,
                _ => SqlState::UNDEFINED_TABLE,
            };
            (state, format!("{} \"{name}\" does not exist", kind.word()))
        }
        Found::NoSchema(schema) => {
            (SqlState::INVALID_SCHEMA_NAME, format!("schema \"{schema}\" does not exist"))
        }
    };
    if !if_exists {
        return Err(SqlError::new(state, message).into());
    }
    replay.once(context, |context| {
        context.notice(SqlState::SUCCESSFUL_COMPLETION, format!("{message}, skipping"));
        Ok(())
    })?;
    Ok(None)
}

fn checked_kind(kind: ObjectKind, relation: Relation) -> Result<Relation> {
    let found = lookup::kind_of(&relation);
    if found != kind {
        let article = if found == ObjectKind::Index { "an" } else { "a" };
        let hint = format!("Use {} to remove {article} {}.", drop_verb(found), found.word());
        return Err(lookup::not_a(kind.word(), relation.name()).with_hint(hint));
    }
    match relation {
        Relation::System(table) => Err(lookup::is_system(table.name)),
        relation => Ok(relation),
    }
}

/// 2BP01 for what is part of something else.
fn check_part(
    context: &DefinitionContext<'_>,
    catalog: &Catalog,
    fall: &Fall,
    relation: &Relation,
) -> Result<()> {
    let (what, whole, hint) = match relation {
        Relation::Index(table, at) if table.indexes[*at].constraint != 0 => {
            if fall.tables.contains_key(&table.oid) {
                return Ok(());
            }
            let table_name = shown(context, catalog, &Relation::Table(table.clone()));
            let constraint =
                format!("constraint {} on table {table_name}", quote_identifier(relation.name()));
            ("index", constraint.clone(), constraint)
        }
        Relation::Sequence(sequence) => {
            let Some((owner, column)) = sequence.owned_by else { return Ok(()) };
            let Some(table) = catalog.table(owner).filter(|_| !fall.tables.contains_key(&owner)) else {
                return Ok(());
            };
            let definition = &table.columns[column];
            if definition.identity.is_none() {
                return Ok(());
            }
            let table_name = shown(context, catalog, &Relation::Table(table.clone()));
            let column = format!("column {} of table {table_name}", quote_identifier(&definition.name));
            ("sequence", column.clone(), column)
        }
        _ => return Ok(()),
    };
    let name = shown(context, catalog, relation);
    let message = format!("cannot drop {what} {name} because {whole} requires it");
    Err(SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
        .with_hint(format!("You can drop {hint} instead.")))
}

fn draft(
    context: &mut DefinitionContext<'_>,
    catalog: &Catalog,
    targets: &[Relation],
    cascade: bool,
) -> Result<Fall> {
    let mut fall = Fall::default();
    for relation in targets {
        match relation {
            Relation::Table(table) => fall.add_table(catalog, table.clone()),
            Relation::Index(table, at) => drop(fall.indexes.insert(table.indexes[*at].oid, table.clone())),
            Relation::Sequence(sequence) => drop(fall.sequences.insert(sequence.oid, sequence.clone())),
            Relation::View(view) => fall.views.add(view.clone()),
            Relation::System(_) => unreachable!("refused by `checked_kind`"),
        }
    }
    for relation in targets {
        check_part(context, catalog, &fall, relation)?;
    }
    fall.find_defaults(context, catalog);
    fall.find_foreign_keys(context, catalog);
    fall.find_views(context, catalog);
    if fall.defaults.is_empty() && fall.views.found.is_empty() && fall.foreign_keys.is_empty() {
        return Ok(fall);
    }
    if cascade {
        let mut objects: Vec<String> = fall.defaults.iter().map(|item| item.description.clone()).collect();
        objects.extend(fall.foreign_keys.iter().map(|item| item.description.clone()));
        objects.extend(fall.views.found.iter().map(|(what, _)| what.clone()));
        notice_cascade(context, &objects);
        return Ok(fall);
    }
    let defaults =
        fall.defaults.iter().map(|item| format!("{} depends on {}", item.description, item.sequence));
    let keys = fall.foreign_keys.iter().map(Referring::line);
    let details: Vec<String> = defaults.chain(keys).chain(fall.views.lines()).collect();
    let what = match targets {
        [relation] => {
            let kind = lookup::kind_of(relation).word();
            let name = shown(context, catalog, relation);
            format!("{kind} {name} because other objects depend on it")
        }
        _ => "desired object(s) because other objects depend on them".to_owned(),
    };
    Err(still_needed(&what, &details))
}

/// DROP TABLE, INDEX, SEQUENCE, VIEW.
pub(super) fn relations(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    (kind, mode): (ObjectKind, RelationLockMode),
    names: &[Name],
    if_exists: bool,
    cascade: bool,
) -> Step<Defined> {
    let mut targets = Vec::with_capacity(names.len());
    for name in names {
        targets.extend(target(replay, context, (kind, mode), name, if_exists)?);
    }
    let verb = drop_verb(kind);
    if targets.is_empty() {
        return Ok(Defined::nothing(verb));
    }
    if cascade {
        let relations: Vec<Oid> = targets.iter().map(Relation::oid).collect();
        lock_views(replay, context, &relations)?;
        lock_referring(replay, context, &relations)?;
    }
    let (before, fall) = replay.once(context, |context| {
        let before = context.newest();
        let fall = draft(context, &before, &targets, cascade)?;
        Ok((before, fall))
    })?;
    let changes = carry_out(replay, context, &before, fall)?;
    Ok(Defined::plain(verb, store(replay, context, &before, changes)?))
}

/// Locks the tables whose foreign keys may fall.
fn lock_referring(replay: &mut Replay, context: &mut DefinitionContext<'_>, relations: &[Oid]) -> Step<()> {
    let found = replay.once(context, |context| {
        let catalog = context.newest();
        let of_index = |&oid: &Oid| match catalog.relation(oid) {
            Some(Relation::Index(table, _)) => table.oid,
            _ => oid,
        };
        let targets: Vec<Oid> = relations.iter().map(of_index).collect();
        Ok(referring_tables(&catalog, &targets))
    })?;
    for oid in found {
        lookup::lock(replay, context, oid, RelationLockMode::AccessExclusive)?;
    }
    Ok(())
}

/// Drops trees and sequences, and gathers the changes.
fn carry_out(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    before: &Catalog,
    fall: Fall,
) -> Step<ChangeSet> {
    for table in fall.tables.values() {
        lookup::check_unused(context, table, "DROP TABLE")?;
    }
    for item in &fall.defaults {
        lookup::lock(replay, context, item.table, RelationLockMode::AccessExclusive)?;
    }
    let Fall { tables, indexes, sequences, defaults, views, types, foreign_keys } = fall;
    let mut changes = ChangeSet::default();
    let mut trees: Vec<TreeId> = Vec::new();
    let mut index_trees: Vec<(TreeId, TreeId)> = Vec::new();
    for table in tables.values() {
        trees.extend(table.trees());
        changes.remove(ObjectClass::Table, table.oid);
    }
    let mut changed: BTreeMap<Oid, Table> = BTreeMap::new();
    for (oid, table) in indexes {
        if tables.contains_key(&table.oid) {
            continue;
        }
        let table = changed.entry(table.oid).or_insert_with(|| Table::clone(&table));
        let at = table.indexes.iter().position(|index| index.oid == oid).expect("its table was locked");
        index_trees.extend(table.indexes.remove(at).tree.map(|tree| (tree, table.tree)));
    }
    for DefaultUse { table, column, .. } in defaults {
        let Some(stored) = before.table(table) else { continue };
        let table = changed.entry(table).or_insert_with(|| Table::clone(stored));
        table.columns[column].default = None;
    }
    for &view in views.views.keys() {
        changes.remove(ObjectClass::View, view);
    }
    for id in types {
        changes.remove(ObjectClass::Enum, id.0);
    }
    for Referring { table, key, .. } in foreign_keys {
        let Some(stored) = before.table(table) else { continue };
        let table = changed.entry(table).or_insert_with(|| Table::clone(stored));
        table.foreign_keys.retain(|other| other.oid != key);
    }
    drop_trees(replay, context, trees, None)?;
    for (tree, rows) in index_trees {
        drop_trees(replay, context, [tree], Some(rows))?;
    }
    for sequence in sequences.into_values() {
        let id = sequence.id;
        sequence::drop(replay, context, id)?;
        changes.remove(ObjectClass::Sequence, sequence.oid);
    }
    for table in changed.into_values() {
        changes.put(Object::Table(Arc::new(table)));
    }
    Ok(changes)
}

/// The schema that a name means, locked.
fn target_schema(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    name: &Name,
    if_exists: bool,
) -> Step<Option<Oid>> {
    replay.once(context, |context| {
        let name = name.last();
        let Some(oid) = context.newest().schema_by_name(name).map(|schema| schema.oid) else {
            if !if_exists {
                return Err(lookup::no_schema(name).into());
            }
            let message = format!("schema \"{name}\" does not exist, skipping");
            context.notice(SqlState::SUCCESSFUL_COMPLETION, message);
            return Ok(None);
        };
        if oid == PG_CATALOG_OID || oid == INFORMATION_SCHEMA_OID {
            let message = format!("cannot drop schema {name} because it is required by the database system");
            return Err(SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message).into());
        }
        lookup::lock_schema(context, oid, RelationLockMode::AccessExclusive)?;
        match context.newest().schema(oid) {
            Some(_) => Ok(Some(oid)),
            None => Err(lookup::no_schema(name).into()),
        }
    })
}

/// A relation or type in a schema that falls: its number, and how messages call it.
type Content = (Oid, String, Oid);

/// What lies in schemas, in order of number: owned sequences belong to their tables.
fn contents(context: &DefinitionContext<'_>, catalog: &Catalog, schemas: &[Oid]) -> Vec<Content> {
    let mut found: Vec<Content> = Vec::new();
    for table in catalog.tables().filter(|table| schemas.contains(&table.schema)) {
        let name = shown(context, catalog, &Relation::Table(table.clone()));
        found.push((table.oid, format!("table {name}"), table.schema));
    }
    for sequence in catalog.sequences().filter(|sequence| schemas.contains(&sequence.schema)) {
        let owner = sequence.owned_by.and_then(|(owner, _)| catalog.table(owner));
        if owner.is_some_and(|owner| schemas.contains(&owner.schema)) {
            continue;
        }
        let name = shown(context, catalog, &Relation::Sequence(sequence.clone()));
        found.push((sequence.oid, format!("sequence {name}"), sequence.schema));
    }
    for view in catalog.views().filter(|view| schemas.contains(&view.schema)) {
        let name = shown(context, catalog, &Relation::View(view.clone()));
        found.push((view.oid, format!("view {name}"), view.schema));
    }
    found.sort_unstable();
    // Types are there before the relations that are made of them.
    let types = catalog.enums().filter(|object| schemas.contains(&object.schema));
    let types =
        types.map(|object| (object.oid, format!("type {}", object.id().display_name()), object.schema));
    types.chain(found).collect()
}

fn draft_schemas(
    context: &mut DefinitionContext<'_>,
    catalog: &Catalog,
    schemas: &[Oid],
    cascade: bool,
) -> Result<Fall> {
    let found = contents(context, catalog, schemas);
    if !found.is_empty() && !cascade {
        let line = |(_, what, schema): &Content| {
            format!("{what} depends on schema {}", quote_identifier(catalog.schema_name(*schema)))
        };
        let details: Vec<String> = found.iter().map(line).collect();
        let what = match schemas {
            [schema] => {
                let name = quote_identifier(catalog.schema_name(*schema));
                format!("schema {name} because other objects depend on it")
            }
            _ => "desired object(s) because other objects depend on them".to_owned(),
        };
        return Err(still_needed(&what, &details));
    }
    let mut fall = Fall::default();
    for (oid, _, _) in &found {
        match catalog.relation(*oid) {
            Some(Relation::Table(table)) => fall.add_table(catalog, table),
            Some(Relation::Sequence(sequence)) => drop(fall.sequences.insert(*oid, sequence)),
            Some(Relation::View(view)) => fall.views.add(view),
            Some(Relation::Index(..) | Relation::System(_)) => {}
            None => drop(fall.types.insert(TypeId(*oid))),
        }
    }
    fall.find_defaults(context, catalog);
    fall.find_foreign_keys(context, catalog);
    fall.find_views(context, catalog);
    let falls = |oid: Oid| fall.tables.contains_key(&oid) || fall.views.views.contains_key(&oid);
    drop_type::check_falls_with(catalog, &fall.types, falls)?;
    let mut objects: Vec<String> = found.into_iter().map(|(_, what, _)| what).collect();
    objects.extend(fall.defaults.iter().map(|item| item.description.clone()));
    objects.extend(fall.foreign_keys.iter().map(|item| item.description.clone()));
    objects.extend(fall.views.found.iter().map(|(what, _)| what.clone()));
    notice_cascade(context, &objects);
    Ok(fall)
}

/// DROP SCHEMA.
pub(super) fn schemas(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    names: &[Name],
    if_exists: bool,
    cascade: bool,
) -> Step<Defined> {
    let mut targets = Vec::with_capacity(names.len());
    for name in names {
        let target = target_schema(replay, context, name, if_exists)?;
        targets.extend(target.filter(|oid| !targets.contains(oid)));
    }
    if targets.is_empty() {
        return Ok(Defined::nothing("DROP SCHEMA"));
    }
    // Nothing new can come into the schemas now; what is there is locked before it is looked at again.
    let inside: Vec<Oid> = replay.once(context, |context| {
        let catalog = context.newest();
        Ok(contents(context, &catalog, &targets).into_iter().map(|(oid, _, _)| oid).collect())
    })?;
    if cascade {
        for &oid in &inside {
            lookup::lock(replay, context, oid, RelationLockMode::AccessExclusive)?;
        }
        lock_views(replay, context, &inside)?;
        lock_referring(replay, context, &inside)?;
    }
    let (before, fall) = replay.once(context, |context| {
        let before = context.newest();
        let fall = draft_schemas(context, &before, &targets, cascade)?;
        Ok((before, fall))
    })?;
    let mut changes = carry_out(replay, context, &before, fall)?;
    for oid in targets {
        changes.remove(ObjectClass::Schema, oid);
    }
    Ok(Defined::plain("DROP SCHEMA", store(replay, context, &before, changes)?))
}
