//! The catalog: what objects exist in one database, as one immutable snapshot per version.
//!
//! Owns [`Catalog`] (the snapshot), look-up by name, and the way from one version to the next by a list of changes.
//! Databases and roles are shared: they stand in the catalog of each database.
//! A snapshot is shared by all sessions of its database; a transaction with uncommitted definitions holds a view of its own made of the
//! same parts. `object.rs` holds the objects, `types.rs` what names of types mean, `row_expression.rs` what is computed from their rows, `published.rs` the newest snapshot, `codec.rs` their stored form, `store.rs` reads and writes them,
//! `system` shows them as tables. Never parses statements (see `definition`).

mod codec;
pub(crate) mod moved;
pub(crate) mod object;
pub(crate) mod overlay;
pub(crate) mod published;
pub(crate) mod registry;
pub(crate) mod row_expression;
pub(crate) mod statistics;
pub(crate) mod store;
pub(crate) mod system;
mod types;

pub(crate) use types::{is_type_visible, type_shown, types_used};

use hexalog_sql_types::TypeId;
use object::{
    Comments, DATABASE_OID, DATABASE_OWNER_OID, DatabaseObject, EnumType, INFORMATION_SCHEMA_OID, Object,
    ObjectClass, Oid, PG_CATALOG_OID, PUBLIC_OID, ROLE_OID, Role, Schema, Sequence, TEMPLATES, Table, View,
};
use statistics::Statistics;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One object's change: its new state, or nothing if it was dropped.
pub(crate) type Changes = BTreeMap<(ObjectClass, Oid), Option<Object>>;

/// What a new database holds.
pub(crate) fn first_schemas() -> Changes {
    Changes::from([((ObjectClass::Schema, PUBLIC_OID), Some(Object::Schema(Arc::new(Schema::public()))))])
}

/// What a relation's name stands for.
#[derive(Clone, Debug)]
pub(crate) enum Relation {
    Table(Arc<Table>),
    /// An index, by its position in its table.
    Index(Arc<Table>, usize),
    Sequence(Arc<Sequence>),
    View(Arc<View>),
    /// A table of the system's own, made of what the catalog says.
    System(&'static system::SystemTable),
}

impl Relation {
    pub(crate) fn oid(&self) -> Oid {
        match self {
            Relation::Table(table) => table.oid,
            Relation::Index(table, at) => table.indexes[*at].oid,
            Relation::Sequence(sequence) => sequence.oid,
            Relation::View(view) => view.oid,
            Relation::System(table) => table.oid,
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Relation::Table(table) => &table.name,
            Relation::Index(table, at) => &table.indexes[*at].name,
            Relation::Sequence(sequence) => &sequence.name,
            Relation::View(view) => &view.name,
            Relation::System(table) => table.name,
        }
    }

    pub(crate) fn schema(&self) -> Oid {
        match self {
            Relation::Table(table) | Relation::Index(table, _) => table.schema,
            Relation::Sequence(sequence) => sequence.schema,
            Relation::View(view) => view.schema,
            Relation::System(table) => table.schema,
        }
    }
}

/// What a name row or an oid leads to.
#[derive(Clone, Copy, Debug)]
enum Target {
    Table(Oid),
    Index(Oid, usize),
    Sequence(Oid),
    View(Oid),
}

/// One version of the catalog of a database.
#[derive(Debug)]
pub(crate) struct Catalog {
    pub database: Oid,
    /// Rises with every change; private views share the version they were made from, marked by `is_private`.
    pub version: u64,
    /// Holds uncommitted definitions of one transaction.
    pub is_private: bool,
    /// The objects that these define, in a private view.
    own: BTreeSet<Oid>,
    databases: BTreeMap<Oid, Arc<DatabaseObject>>,
    roles: BTreeMap<Oid, Arc<Role>>,
    schemas: BTreeMap<Oid, Arc<Schema>>,
    tables: BTreeMap<Oid, Arc<Table>>,
    sequences: BTreeMap<Oid, Arc<Sequence>>,
    views: BTreeMap<Oid, Arc<View>>,
    /// By the number of what they are about.
    comments: BTreeMap<Oid, Arc<Comments>>,
    enums: BTreeMap<Oid, Arc<EnumType>>,
    /// Schema → name → type, those of arrays included. Derived.
    type_names: BTreeMap<Oid, BTreeMap<String, TypeId>>,
    /// By table.
    statistics: BTreeMap<Oid, Arc<Statistics>>,
    /// Schema → name → what bears it. Derived.
    names: BTreeMap<Oid, BTreeMap<String, Target>>,
    /// Index oid → its table and place. Derived.
    index_oids: BTreeMap<Oid, (Oid, usize)>,
    /// Table → the tables and places of the foreign keys that refer to it. Derived.
    referring: BTreeMap<Oid, Vec<(Oid, usize)>>,
}

impl Catalog {
    /// A catalog of the system's own schemas, and of what is there from the start in all databases.
    pub(crate) fn empty(database: Oid) -> Catalog {
        let template = |(oid, name)| (oid, Arc::new(DatabaseObject::template(oid, name)));
        let system_schema =
            |oid, name: &str| (oid, Arc::new(Schema { oid, name: name.to_owned(), owner: ROLE_OID }));
        Catalog {
            database,
            version: 0,
            is_private: false,
            own: BTreeSet::new(),
            databases: TEMPLATES.map(template).into(),
            roles: BTreeMap::from([(
                DATABASE_OWNER_OID,
                Arc::new(Role { oid: DATABASE_OWNER_OID, name: "pg_database_owner".to_owned() }),
            )]),
            schemas: BTreeMap::from([
                system_schema(PG_CATALOG_OID, "pg_catalog"),
                system_schema(INFORMATION_SCHEMA_OID, "information_schema"),
            ]),
            tables: BTreeMap::new(),
            sequences: BTreeMap::new(),
            views: BTreeMap::new(),
            comments: BTreeMap::new(),
            enums: BTreeMap::new(),
            type_names: BTreeMap::new(),
            statistics: BTreeMap::new(),
            names: BTreeMap::new(),
            index_oids: BTreeMap::new(),
            referring: BTreeMap::new(),
        }
    }

    /// The next version.
    pub(crate) fn with_changes(&self, changes: &Changes, version: u64, is_private: bool) -> Catalog {
        let mut next = Catalog {
            database: self.database,
            version,
            is_private,
            own: if is_private { changes.keys().map(|(_, oid)| *oid).collect() } else { BTreeSet::new() },
            databases: self.databases.clone(),
            roles: self.roles.clone(),
            schemas: self.schemas.clone(),
            tables: self.tables.clone(),
            sequences: self.sequences.clone(),
            views: self.views.clone(),
            comments: self.comments.clone(),
            enums: self.enums.clone(),
            type_names: BTreeMap::new(),
            statistics: self.statistics.clone(),
            names: BTreeMap::new(),
            index_oids: BTreeMap::new(),
            referring: BTreeMap::new(),
        };
        for (&(class, oid), change) in changes {
            match change {
                Some(object) => next.put(object),
                None => next.remove(class, oid),
            }
        }
        next.derive_names();
        next.derive_type_names();
        next
    }

    /// The first version of the catalog of a database that has just been made.
    pub(crate) fn of_new_database(&self, database: Oid) -> Catalog {
        let mut first = Catalog::empty(database);
        first.databases.clone_from(&self.databases);
        first.roles.clone_from(&self.roles);
        let shared = self.comments.iter().filter(|(oid, _)| self.is_shared(ObjectClass::Comments, **oid));
        first.comments = shared.map(|(oid, comments)| (*oid, comments.clone())).collect();
        first.with_changes(&first_schemas(), 1, false)
    }

    /// Whether an object belongs to all databases: these themselves, roles, and the comments on both.
    pub(crate) fn is_shared(&self, class: ObjectClass, oid: Oid) -> bool {
        match class {
            ObjectClass::Database | ObjectClass::Role => true,
            ObjectClass::Comments => self.databases.contains_key(&oid) || self.roles.contains_key(&oid),
            _ => false,
        }
    }

    /// All objects that fall with the database.
    pub(crate) fn own_objects(&self) -> Vec<(ObjectClass, Oid)> {
        let of = |class: ObjectClass, oids: Vec<Oid>| oids.into_iter().map(move |oid| (class, oid));
        let keys = [
            of(ObjectClass::Schema, self.schemas.keys().copied().collect()),
            of(ObjectClass::Table, self.tables.keys().copied().collect()),
            of(ObjectClass::Sequence, self.sequences.keys().copied().collect()),
            of(ObjectClass::View, self.views.keys().copied().collect()),
            of(ObjectClass::Comments, self.comments.keys().copied().collect()),
            of(ObjectClass::Enum, self.enums.keys().copied().collect()),
            of(ObjectClass::Statistics, self.statistics.keys().copied().collect()),
        ];
        let is_own = |(class, oid): &(ObjectClass, Oid)| {
            let is_system =
                *class == ObjectClass::Schema && [PG_CATALOG_OID, INFORMATION_SCHEMA_OID].contains(oid);
            !is_system && !self.is_shared(*class, *oid)
        };
        keys.into_iter().flatten().filter(is_own).collect()
    }

    /// Whether users have made nothing in the database, nor changed what is there from the start.
    pub(crate) fn is_as_new(&self) -> bool {
        let public = self.schemas.get(&PUBLIC_OID);
        self.own_objects() == [(ObjectClass::Schema, PUBLIC_OID)]
            && public.is_some_and(|schema| **schema == Schema::public())
    }

    /// The number that a schema is locked by. `public` bears the same number in each database; the one behind that of a
    /// database is kept for it.
    pub(crate) fn lock_number_of_schema(&self, schema: Oid) -> Oid {
        match schema == PUBLIC_OID && self.database != DATABASE_OID {
            true => self.database + 1,
            false => schema,
        }
    }

    /// Whether the object is as this view's own transaction has defined it.
    pub(crate) fn is_own(&self, oid: Oid) -> bool {
        self.own.contains(&oid)
    }

    fn put(&mut self, object: &Object) {
        match object {
            Object::Database(object) => drop(self.databases.insert(object.oid, object.clone())),
            Object::Role(object) => drop(self.roles.insert(object.oid, object.clone())),
            Object::Schema(object) => drop(self.schemas.insert(object.oid, object.clone())),
            Object::Table(object) => drop(self.tables.insert(object.oid, object.clone())),
            Object::Sequence(object) => drop(self.sequences.insert(object.oid, object.clone())),
            Object::View(object) => drop(self.views.insert(object.oid, object.clone())),
            Object::Comments(object) => drop(self.comments.insert(object.oid, object.clone())),
            Object::Enum(object) => drop(self.enums.insert(object.oid, object.clone())),
            Object::Statistics(object) => drop(self.statistics.insert(object.table, object.clone())),
        }
    }

    fn remove(&mut self, class: ObjectClass, oid: Oid) {
        match class {
            ObjectClass::Database => drop(self.databases.remove(&oid)),
            ObjectClass::Role => drop(self.roles.remove(&oid)),
            ObjectClass::Schema => drop(self.schemas.remove(&oid)),
            ObjectClass::Table => drop(self.tables.remove(&oid)),
            ObjectClass::Sequence => drop(self.sequences.remove(&oid)),
            ObjectClass::View => drop(self.views.remove(&oid)),
            ObjectClass::Comments => drop(self.comments.remove(&oid)),
            ObjectClass::Enum => drop(self.enums.remove(&oid)),
            ObjectClass::Statistics => drop(self.statistics.remove(&oid)),
        }
    }

    fn derive_names(&mut self) {
        let mut add = |schema: Oid, name: &str, target: Target| {
            let names = self.names.entry(schema).or_default();
            names.insert(name.to_owned(), target);
        };
        for table in self.tables.values() {
            add(table.schema, &table.name, Target::Table(table.oid));
            for (at, index) in table.indexes.iter().enumerate() {
                add(table.schema, &index.name, Target::Index(table.oid, at));
                self.index_oids.insert(index.oid, (table.oid, at));
            }
            for (at, key) in table.foreign_keys.iter().enumerate() {
                self.referring.entry(key.target).or_default().push((table.oid, at));
            }
        }
        for sequence in self.sequences.values() {
            add(sequence.schema, &sequence.name, Target::Sequence(sequence.oid));
        }
        for view in self.views.values() {
            add(view.schema, &view.name, Target::View(view.oid));
        }
    }

    pub(crate) fn databases(&self) -> impl Iterator<Item = &Arc<DatabaseObject>> {
        self.databases.values()
    }

    pub(crate) fn database_by_name(&self, name: &str) -> Option<&Arc<DatabaseObject>> {
        self.databases.values().find(|database| database.name == name)
    }

    pub(crate) fn database(&self, oid: Oid) -> Option<&Arc<DatabaseObject>> {
        self.databases.get(&oid)
    }

    /// The name of the database whose catalog this is.
    pub(crate) fn database_name(&self) -> &str {
        self.databases.get(&self.database).map_or("", |database| &database.name)
    }

    pub(crate) fn roles(&self) -> impl Iterator<Item = &Arc<Role>> {
        self.roles.values()
    }

    pub(crate) fn role(&self, oid: Oid) -> Option<&Arc<Role>> {
        self.roles.get(&oid)
    }

    pub(crate) fn role_by_name(&self, name: &str) -> Option<&Arc<Role>> {
        self.roles.values().find(|role| role.name == name)
    }

    pub(crate) fn schemas(&self) -> impl Iterator<Item = &Arc<Schema>> {
        self.schemas.values()
    }

    pub(crate) fn schema(&self, oid: Oid) -> Option<&Arc<Schema>> {
        self.schemas.get(&oid)
    }

    pub(crate) fn schema_by_name(&self, name: &str) -> Option<&Arc<Schema>> {
        self.schemas.values().find(|schema| schema.name == name)
    }

    pub(crate) fn schema_name(&self, oid: Oid) -> &str {
        self.schemas.get(&oid).map_or("", |schema| &schema.name)
    }

    /// Whether a schema holds temporary objects of some session.
    pub(crate) fn is_temporary(&self, schema: Oid) -> bool {
        self.schema_name(schema).starts_with(object::TEMPORARY_PREFIX)
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = &Arc<Table>> {
        self.tables.values()
    }

    pub(crate) fn table(&self, oid: Oid) -> Option<&Arc<Table>> {
        self.tables.get(&oid)
    }

    /// The foreign keys that refer to a table: the table that each belongs to, and its place there.
    pub(crate) fn referring(&self, table: Oid) -> &[(Oid, usize)] {
        self.referring.get(&table).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn sequences(&self) -> impl Iterator<Item = &Arc<Sequence>> {
        self.sequences.values()
    }

    pub(crate) fn sequence(&self, oid: Oid) -> Option<&Arc<Sequence>> {
        self.sequences.get(&oid)
    }

    pub(crate) fn views(&self) -> impl Iterator<Item = &Arc<View>> {
        self.views.values()
    }

    pub(crate) fn view(&self, oid: Oid) -> Option<&Arc<View>> {
        self.views.get(&oid)
    }

    /// What ANALYZE has found of a table.
    pub(crate) fn statistics(&self, table: Oid) -> Option<&Arc<Statistics>> {
        self.statistics.get(&table)
    }

    /// Whether anybody has commented on anything.
    pub(crate) fn has_comments(&self) -> bool {
        !self.comments.is_empty()
    }

    /// The comments on a number, as far as they are kept.
    pub(crate) fn comments(&self, oid: Oid) -> Option<&Arc<Comments>> {
        self.comments.get(&oid)
    }

    /// All comments: those that are kept, and those that are there from the start.
    pub(crate) fn all_comments(&self) -> impl Iterator<Item = Comments> {
        let first = Comments::first();
        let untouched = first
            .filter(|first| !self.comments.contains_key(&first.oid) && self.schemas.contains_key(&first.oid));
        untouched.chain(self.comments.values().map(|kept| Comments::clone(kept)))
    }

    /// The comment on an object of a catalog (of any, if none is named) or on a column of it.
    pub(crate) fn comment(&self, of: impl Fn(Oid) -> bool, oid: Oid, column: i32) -> Option<String> {
        let kept = self.comments.get(&oid).map(|kept| Comments::clone(kept));
        let comments = kept.unwrap_or_else(|| Comments::of(oid));
        let found = comments.texts.into_iter().find(|(class, at, _)| of(*class) && *at == column);
        found.map(|(_, _, text)| text).filter(|text| !text.is_empty())
    }

    /// The tables and views that a view reads, those of its views included.
    pub(crate) fn tables_below(&self, view: Oid) -> BTreeSet<Oid> {
        let (mut found, mut rest) = (BTreeSet::new(), vec![view]);
        while let Some(view) = rest.pop().and_then(|oid| self.views.get(&oid)) {
            for name in &view.names {
                let oid = name.relation;
                let is_lockable = self.tables.contains_key(&oid) || self.views.contains_key(&oid);
                if is_lockable && found.insert(oid) && self.views.contains_key(&oid) {
                    rest.push(oid);
                }
            }
        }
        found
    }

    /// The relation with this oid.
    pub(crate) fn relation(&self, oid: Oid) -> Option<Relation> {
        if let Some(table) = self.tables.get(&oid) {
            return Some(Relation::Table(table.clone()));
        }
        if let Some(&(table, at)) = self.index_oids.get(&oid) {
            return Some(Relation::Index(self.tables[&table].clone(), at));
        }
        if let Some(sequence) = self.sequences.get(&oid) {
            return Some(Relation::Sequence(sequence.clone()));
        }
        if let Some(view) = self.views.get(&oid) {
            return Some(Relation::View(view.clone()));
        }
        system::by_oid(oid).map(Relation::System)
    }

    /// The relation with this name in one schema.
    pub(crate) fn relation_in(&self, schema: Oid, name: &str) -> Option<Relation> {
        if let Some(table) = system::by_name(schema, name) {
            return Some(Relation::System(table));
        }
        match *self.names.get(&schema)?.get(name)? {
            Target::Table(oid) => Some(Relation::Table(self.tables[&oid].clone())),
            Target::Index(oid, at) => Some(Relation::Index(self.tables[&oid].clone(), at)),
            Target::Sequence(oid) => Some(Relation::Sequence(self.sequences[&oid].clone())),
            Target::View(oid) => Some(Relation::View(self.views[&oid].clone())),
        }
    }

    /// The relation that a name means along a search path.
    pub(crate) fn relation_on_path(&self, path: &[Oid], name: &str) -> Option<Relation> {
        path.iter().find_map(|&schema| self.relation_in(schema, name))
    }

    /// Whether a name without a schema leads to this relation.
    pub(crate) fn is_visible(&self, path: &[Oid], relation: &Relation) -> bool {
        self.relation_on_path(path, relation.name()).is_some_and(|found| found.oid() == relation.oid())
    }

    /// The highest number given to anything of users but types; below [`object::FIRST_USER_OID`] there is nothing of theirs.
    pub(crate) fn highest_oid(&self) -> Oid {
        let tables = self.tables.values().flat_map(|table| {
            let inner = table.indexes.iter().flat_map(|index| [index.oid, index.constraint]);
            let inner = inner.chain(table.foreign_keys.iter().map(|key| key.oid));
            inner.chain(table.checks.iter().map(|check| check.oid)).chain([table.oid])
        });
        // The number behind a database's is its own, too.
        let databases = self.databases.keys().map(|database| database.saturating_add(1));
        tables
            .chain(databases)
            .chain(self.sequences.keys().copied())
            .chain(self.schemas.keys().copied())
            .chain(self.views.values().flat_map(|view| [view.oid, view.rule]))
            .chain(self.enums.values().flat_map(|object| object.labels.iter().map(|label| label.oid)))
            .max()
            .unwrap_or(object::FIRST_USER_OID)
            .max(object::FIRST_USER_OID)
    }
}
