//! The system's own tables: `pg_catalog` and `information_schema`, made of what the catalog says.
//!
//! Owns [`SystemTable`] and look-up among them. Rows are made anew for each scan from the session's view. `list.rs` names
//! them all, `columns_….rs` hold their columns (PostgreSQL 15's own names, order and types), `facts.rs` what PostgreSQL
//! says of built-in types, and the other files the rows of one subject each. System columns (`ctid`, `xmin`, …) have no
//! rows in `pg_attribute`.

mod activity;
mod cluster;
mod columns_catalogs;
mod columns_information_schema;
mod columns_views;
mod constraint;
mod counters;
mod facts;
mod information_schema;
mod list;
mod locks;
mod progress;
mod relation;
mod routine;
mod sql_text;
mod statements;
mod statistics;
#[cfg(test)]
mod tests;
mod types;
mod user_view;
mod value;
mod view;

pub(crate) use cluster::{ENCODING_UTF8, is_shared_class};
pub(crate) use constraint::{Constraint, constraint};
pub(crate) use facts::{
    C_COLLATION_OID, COLLATIONS, DEFAULT_COLLATION_OID, OPERATOR_CLASSES, OPERATOR_FAMILIES, collation_name,
    collation_named, collation_of, collation_of_column, collation_of_key, foreign_type_name,
    operator_class_of, own_collation, routine_by_name, routine_name,
};
pub(crate) use routine::{Routine, routines};
pub(crate) use sql_text::{
    check_definition, expression_text, foreign_key_definition, index_column_definition, index_definition,
    key_definition,
};
pub(crate) use statements::{EXTENSION, EXTENSION_VERSION, pg_stat_statements, pg_stat_statements_info};
pub(crate) use user_view::{DELETES, INSERTS, UPDATES, changes_of_view, view_definition};

use super::object::Oid;
use crate::database::Database;
use crate::execute::Row;
use crate::session::SessionView;
use hexalog_sql_types::{EvalEnv, TypeId, Typmod};

/// A table without storage.
#[derive(Debug)]
pub(crate) struct SystemTable {
    /// PostgreSQL's own oid of the relation.
    pub oid: Oid,
    /// `PG_CATALOG_OID` or `INFORMATION_SCHEMA_OID`.
    pub schema: Oid,
    pub name: &'static str,
    /// Whether PostgreSQL has it as a view.
    pub is_view: bool,
    pub columns: &'static [SystemColumn],
    /// All rows, one value per column.
    pub rows: fn(&SessionView) -> Vec<Row>,
}

#[derive(Debug)]
pub(crate) struct SystemColumn {
    pub name: &'static str,
    pub type_id: TypeId,
    pub typmod: Typmod,
    pub not_null: bool,
}

/// Columns, as the files `columns_….rs` spell them: `[TYPE]` is NOT NULL, `(1)` a type by its number, `{TYPE 1}` one
/// with a modifier.
macro_rules! columns {
    ($($name:ident $type:tt),*) => {
        &[$($crate::catalog::system::SystemColumn {
            name: stringify!($name),
            type_id: columns!(@type $type),
            typmod: ::hexalog_sql_types::Typmod(columns!(@typmod $type)),
            not_null: columns!(@not_null $type),
        }),*]
    };
    (@type [$type:tt]) => { columns!(@type $type) };
    (@type {$type:ident $typmod:literal}) => { ::hexalog_sql_types::TypeId::$type };
    (@typmod {$type:ident $typmod:literal}) => { $typmod };
    (@typmod $type:tt) => { -1 };
    (@type ($oid:literal)) => { ::hexalog_sql_types::TypeId($oid) };
    (@type $type:ident) => { ::hexalog_sql_types::TypeId::$type };
    (@not_null [$type:tt]) => { true };
    (@not_null $type:tt) => { false };
}
use columns;

/// Every system table, in order of schema and name.
pub(crate) fn tables() -> &'static [SystemTable] {
    list::TABLES
}

pub(crate) fn by_oid(oid: Oid) -> Option<&'static SystemTable> {
    tables().iter().find(|table| table.oid == oid)
}

pub(crate) fn by_name(schema: Oid, name: &str) -> Option<&'static SystemTable> {
    let tables = tables();
    let at = tables.binary_search_by(|table| (table.schema, table.name).cmp(&(schema, name))).ok()?;
    Some(&tables[at])
}

/// The rows of a table as a statement of this session finds them.
pub(crate) fn rows(
    table: &SystemTable,
    view: &SessionView,
    database: &Database,
    env: &EvalEnv<'_>,
) -> Vec<Row> {
    match table.name {
        // Nothing that the catalog knows of.
        "pg_locks" => locks::pg_locks(view, database),
        "pg_prepared_xacts" => locks::pg_prepared_xacts(view, database),
        "pg_stat_activity" => activity::pg_stat_activity(view, database),
        "pg_stat_all_indexes" | "pg_stat_user_indexes" => counters::pg_stat_indexes(view, database),
        "pg_stat_all_tables" => counters::pg_stat_all_tables(view, database),
        "pg_stat_user_tables" => counters::pg_stat_user_tables(view, database),
        "pg_stat_database" => activity::pg_stat_database(view, database, env.host.clock().0),
        "pg_stat_progress_copy" => {
            progress::copy(view, &database.progress.shown(), &database.connections.by_session())
        }
        "pg_stat_progress_create_index" => {
            progress::create_index(view, &database.progress.shown(), &database.connections.by_session())
        }
        "pg_stat_statements" => pg_stat_statements(&database.statements, true),
        "pg_stat_statements_info" => pg_stat_statements_info(&database.statements),
        "pg_timezone_names" => cluster::pg_timezone_names(env.transaction_timestamp),
        _ => (table.rows)(view),
    }
}

/// The rows of a table that holds objects which this product does not have (triggers, foreign tables, …).
fn none(_: &SessionView) -> Vec<Row> {
    Vec::new()
}
