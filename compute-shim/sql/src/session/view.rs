//! What a running statement may know of its session: names, settings, the catalog as its transaction sees it.
//!
//! Owns [`SessionView`], fixed while a statement runs, and [`SessionHost`], which answers expressions' questions. The
//! session brings the view up to date between the steps of a statement, never inside one.

use super::settings::Settings;
use super::statement::NamedStatements;
use crate::catalog::object::{
    Oid, PG_CATALOG_OID, ROLE_OID, Schema, TEMPORARY_ALIAS, TEMPORARY_PREFIX, Table,
};
use crate::catalog::published::PublishedCatalog;
use crate::catalog::{Catalog, Relation, registry};
use crate::environment::{CancelReason, Environment};
use crate::execute::{RowKeys, RowPlace, TemporaryUsage};
use crate::parse::tree::Name;
use crate::stores::Snapshots;
use hexalog_protocol::Lsn;
use hexalog_sql_types::datetime::{IntervalStyle, TimeZone, Timestamptz};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{EnumValue, EvalEnv, Host, SqlError, SqlState, TypeId};
use std::sync::Arc;

/// The session as statements see it.
pub(crate) struct SessionView {
    pub user: String,
    pub user_oid: Oid,
    pub database: String,
    pub process_id: i32,
    pub settings: Settings,
    /// The catalog of the session's database as it was last published.
    pub published: Arc<PublishedCatalog>,
    catalog: Arc<Catalog>,
    /// Schemas that names are looked up in; that of temporary objects first and `pg_catalog` next, unless they were named
    /// elsewhere.
    search_path: Vec<Oid>,
    creation_place: CreationPlace,
    /// N of the session's `pg_temp_N`, once it has wanted one.
    temporary_number: Option<u32>,
    /// That schema, while it is there.
    temporary_schema: Option<Oid>,
    /// The session's portals as they were when the statement began, by name.
    pub cursors: Vec<CursorView>,
    /// The session's prepared statements.
    pub statements: NamedStatements,
    /// Its temporary files.
    pub temporary: Arc<TemporaryUsage>,
}

/// Where relations go that are named without a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CreationPlace {
    /// The search path names no schema that there is.
    Nowhere,
    Schema(Oid),
    /// The session's own schema for temporary objects, which need not be there yet.
    Temporary,
}

/// A portal, as `pg_cursors` and WHERE CURRENT OF see it.
pub(crate) struct CursorView {
    pub name: String,
    pub statement: Arc<str>,
    pub is_holdable: bool,
    pub is_binary: bool,
    pub is_scrollable: bool,
    pub created_us: i64,
    pub is_query: bool,
    /// Its transaction has ended.
    pub is_held_over: bool,
    /// Its query locks rows.
    pub is_locking: bool,
    /// The relations of its query, unless all rows have been read for good.
    pub reads: Vec<Oid>,
    /// The tables of the rows that it stands on.
    pub tables: Vec<Oid>,
    /// Their keys; `None` if it is on no row.
    pub keys: Option<RowKeys>,
    /// What it reads the tables at.
    pub snapshots: Snapshots,
}

impl SessionView {
    /// The view of a session of this user over the newest version of a database's catalog.
    pub(crate) fn new(
        user: &str,
        database: &str,
        process_id: i32,
        settings: Settings,
        published: Arc<PublishedCatalog>,
    ) -> SessionView {
        let catalog = published.newest().catalog;
        let user_oid = catalog.role_by_name(user).map_or(ROLE_OID, |role| role.oid);
        let mut view = SessionView {
            user: user.to_owned(),
            user_oid,
            database: database.to_owned(),
            process_id,
            settings,
            published,
            catalog,
            search_path: Vec::new(),
            creation_place: CreationPlace::Nowhere,
            temporary_number: None,
            temporary_schema: None,
            cursors: Vec::new(),
            statements: NamedStatements::default(),
            temporary: Arc::default(),
        };
        view.find_search_path();
        view
    }

    /// The catalog as the current transaction sees it.
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The same, to keep.
    pub(crate) fn catalog_arc(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// Another version is seen from now on.
    pub(super) fn set_catalog(&mut self, catalog: Arc<Catalog>) {
        self.catalog = catalog;
        self.find_search_path();
    }

    /// `search_path` or the catalog has changed: the schemas that it names are found anew.
    pub(super) fn find_search_path(&mut self) {
        let (mut path, mut place) = (Vec::new(), CreationPlace::Nowhere);
        let temporary = self.temporary_name();
        let temporary = temporary.and_then(|name| self.catalog.schema_by_name(&name)).map(|it| it.oid);
        for name in self.settings.search_path() {
            let name = if name == "$user" { &self.user } else { name };
            let (found, here) = match name.as_str() {
                TEMPORARY_ALIAS => (temporary, Some(CreationPlace::Temporary)),
                name => {
                    let found = self.catalog.schema_by_name(name).map(|schema| schema.oid);
                    (found, found.filter(|&schema| schema != PG_CATALOG_OID).map(CreationPlace::Schema))
                }
            };
            path.extend(found.filter(|schema| !path.contains(schema)));
            if let (CreationPlace::Nowhere, Some(here)) = (place, here) {
                place = here;
            }
        }
        for implied in [Some(PG_CATALOG_OID), temporary].into_iter().flatten() {
            if !path.contains(&implied) {
                path.insert(0, implied);
            }
        }
        (self.search_path, self.creation_place, self.temporary_schema) = (path, place, temporary);
    }

    /// The schemas of the search path that exist, `pg_catalog` and that of temporary objects included.
    pub(crate) fn search_path(&self) -> &[Oid] {
        &self.search_path
    }

    /// Where objects are made that are named without a schema.
    pub(crate) fn creation_place(&self) -> CreationPlace {
        self.creation_place
    }

    pub(super) fn temporary_number(&self) -> Option<u32> {
        self.temporary_number
    }

    /// The session's temporary objects go to `pg_temp_N`.
    pub(super) fn set_temporary_number(&mut self, number: u32) {
        self.temporary_number = Some(number);
        self.find_search_path();
    }

    /// There are none any more.
    pub(super) fn forget_temporary_number(&mut self) {
        self.temporary_number = None;
        self.find_search_path();
    }

    /// The name of the schema for the session's temporary objects, once it has wanted one.
    pub(crate) fn temporary_name(&self) -> Option<String> {
        self.temporary_number.map(|number| format!("{TEMPORARY_PREFIX}{number}"))
    }

    /// That schema, if it is there.
    pub(crate) fn temporary_schema(&self) -> Option<Oid> {
        self.temporary_schema
    }

    /// Whether a schema holds the temporary objects of another session.
    pub(crate) fn is_of_other_session(&self, catalog: &Catalog, schema: Oid) -> bool {
        catalog.is_temporary(schema) && Some(schema) != self.temporary_schema
    }

    /// 0A000 for rows of another session's temporary table or sequence, which is in this schema, as PostgreSQL has it.
    pub(crate) fn check_own(&self, catalog: &Catalog, schema: Oid) -> Result<()> {
        if !self.is_of_other_session(catalog, schema) {
            return Ok(());
        }
        let message = "cannot access temporary tables of other sessions";
        Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message))
    }

    /// The schema that a name means in a version of the catalog: `pg_temp` is the session's own.
    pub(crate) fn schema_in<'c>(&self, catalog: &'c Catalog, name: &str) -> Option<&'c Arc<Schema>> {
        match name {
            TEMPORARY_ALIAS => self.temporary_name().and_then(|name| catalog.schema_by_name(&name)),
            name => catalog.schema_by_name(name),
        }
    }

    pub(crate) fn interval_style(&self) -> IntervalStyle {
        self.settings.interval_style()
    }

    pub(crate) fn time_zone(&self) -> &TimeZone {
        self.settings.time_zone()
    }

    /// The key of the row of a table that a cursor stands on; `None` if the row that it is on has none.
    /// With it the snapshot that it was seen at.
    pub(crate) fn row_at_cursor(&self, name: &str, table: &Table) -> Result<Option<(&RowPlace, Lsn)>> {
        let Some(cursor) = self.cursors.iter().find(|cursor| cursor.name == name) else {
            let message = format!("cursor \"{name}\" does not exist");
            return Err(SqlError::new(SqlState::INVALID_CURSOR_NAME, message));
        };
        let state = |what: String| {
            Err(SqlError::new(SqlState::INVALID_CURSOR_STATE, format!("cursor \"{name}\" {what}")))
        };
        if !cursor.is_query {
            return state("is not a SELECT query".to_owned());
        }
        if cursor.is_held_over {
            return state("is held from a previous transaction".to_owned());
        }
        let table_name = &table.name;
        let count = cursor.tables.iter().filter(|oid| **oid == table.oid).count();
        match (count, cursor.is_locking) {
            (1, _) => {}
            (0, true) => {
                return state(format!(
                    "does not have a FOR UPDATE/SHARE reference to table \"{table_name}\""
                ));
            }
            (0, false) => return state(format!("is not a simply updatable scan of table \"{table_name}\"")),
            _ => {
                return state(format!("has multiple FOR UPDATE/SHARE references to table \"{table_name}\""));
            }
        }
        let Some(keys) = &cursor.keys else { return state("is not positioned on a row".to_owned()) };
        Ok(keys
            .iter()
            .find(|place| place.table == table.oid)
            .map(|place| (place, cursor.snapshots.of(table.tree))))
    }

    /// The relation that a written name means; 42P01, or 3F000 for a schema that is not there.
    pub(crate) fn find_relation(&self, name: &Name) -> Result<Relation> {
        if let [database, _, _] = name.parts.as_slice()
            && *database != self.database
        {
            let message = format!("cross-database references are not implemented: \"{name}\"");
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        let found = match name.qualifier() {
            Some(schema) => {
                let schema = self.schema_in(&self.catalog, schema).ok_or_else(|| {
                    let message = format!("schema \"{schema}\" does not exist");
                    SqlError::new(SqlState::INVALID_SCHEMA_NAME, message)
                })?;
                self.catalog.relation_in(schema.oid, name.last())
            }
            None => self.catalog.relation_on_path(&self.search_path, name.last()),
        };
        found.ok_or_else(|| {
            let message = format!("relation \"{name}\" does not exist");
            SqlError::new(SqlState::UNDEFINED_TABLE, message)
        })
    }
}

/// What expressions may ask a session.
pub(crate) struct SessionHost<'a> {
    pub view: &'a SessionView,
    pub environment: &'a dyn Environment,
}

impl Host for SessionHost<'_> {
    fn clock(&self) -> Timestamptz {
        Timestamptz(self.environment.wall_clock_us())
    }

    fn random_u64(&self) -> u64 {
        self.environment.random_u64()
    }

    fn cancelled(&self) -> Option<SqlError> {
        self.environment.cancelled().map(CancelReason::error)
    }

    fn registry_name(&self, id: TypeId, oid: u32) -> Option<String> {
        registry::registry_name(self.view, id, oid)
    }

    fn registry_oid(&self, id: TypeId, name: &str) -> Result<u32> {
        registry::registry_oid(self.view, id, name)
    }

    fn enum_label(&self, value: EnumValue) -> Option<Arc<str>> {
        // A row that has changed since the statement began may hold a value that has come since.
        let newest = || registry::enum_label(&self.view.published.newest().catalog, value);
        registry::enum_label(self.view.catalog(), value).or_else(newest)
    }

    fn enum_key(&self, id: TypeId, label: &str) -> Result<i64> {
        registry::enum_key(self.view, id, label)
    }
}

impl SessionHost<'_> {
    /// The environment of one statement's expressions.
    pub(crate) fn env(&self, transaction_us: i64, statement_us: i64) -> EvalEnv<'_> {
        EvalEnv {
            transaction_timestamp: Timestamptz(transaction_us),
            statement_timestamp: Timestamptz(statement_us),
            time_zone: self.view.time_zone(),
            interval_style: self.view.interval_style(),
            host: self,
        }
    }
}
