//! The system's own tables: `pg_catalog` and `information_schema`, made of what the catalog says.
//!
//! Owns [`SystemTable`] and the list of them. Rows are made anew for each scan from the session's view.

use super::object::Oid;
use crate::execute::Row;
use crate::session::SessionView;
use hexalog_sql_types::TypeId;

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
}

/// Every system table.
pub(crate) fn tables() -> &'static [SystemTable] {
    &[]
}

pub(crate) fn by_oid(oid: Oid) -> Option<&'static SystemTable> {
    tables().iter().find(|table| table.oid == oid)
}

pub(crate) fn by_name(schema: Oid, name: &str) -> Option<&'static SystemTable> {
    tables().iter().find(|table| table.schema == schema && table.name == name)
}
