//! What a running statement may know of its session: names, settings, the catalog as its transaction sees it.
//!
//! Owns [`SessionView`], fixed while a statement runs, and [`SessionHost`], which answers expressions' questions.

use super::settings::Settings;
use crate::catalog::object::{Oid, PG_CATALOG_OID};
use crate::catalog::{Catalog, registry};
use crate::environment::Environment;
use hexalog_sql_types::datetime::{TimeZone, Timestamptz};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{EvalEnv, Host, TypeId};
use std::sync::Arc;

/// The session as statements see it.
pub(crate) struct SessionView {
    pub user: String,
    pub user_oid: Oid,
    pub database: String,
    pub process_id: i32,
    pub settings: Settings,
    catalog: Arc<Catalog>,
    /// Schemas that names are looked up in; `pg_catalog` first unless it was named elsewhere.
    search_path: Vec<Oid>,
}

impl SessionView {
    /// The catalog as the current transaction sees it.
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The same, to keep.
    pub(crate) fn catalog_arc(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The schemas of the search path that exist, `pg_catalog` included.
    pub(crate) fn search_path(&self) -> &[Oid] {
        &self.search_path
    }

    /// Where objects are made that are named without a schema: the first of the path that is not `pg_catalog`.
    pub(crate) fn creation_schema(&self) -> Option<Oid> {
        self.search_path.iter().copied().find(|&schema| schema != PG_CATALOG_OID)
    }

    pub(crate) fn time_zone(&self) -> &TimeZone {
        self.settings.time_zone()
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

    fn registry_name(&self, id: TypeId, oid: u32) -> Option<String> {
        registry::registry_name(self.view, id, oid)
    }

    fn registry_oid(&self, id: TypeId, name: &str) -> Result<u32> {
        registry::registry_oid(self.view, id, name)
    }
}

impl SessionHost<'_> {
    /// The environment of one statement's expressions.
    pub(crate) fn env(&self, transaction_us: i64, statement_us: i64) -> EvalEnv<'_> {
        EvalEnv {
            transaction_timestamp: Timestamptz(transaction_us),
            statement_timestamp: Timestamptz(statement_us),
            time_zone: self.view.time_zone(),
            host: self,
        }
    }
}
