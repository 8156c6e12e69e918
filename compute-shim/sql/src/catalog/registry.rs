//! `reg…` values: the text of an object's number and back.
//!
//! Owns what `EvalEnv`'s host answers for a session: `regclass`, `regtype`, `regproc`, `regnamespace`, `regrole` and
//! their kin.

use crate::session::SessionView;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, TypeId};

/// How PostgreSQL prints the object, quoted and qualified where needed; `None` if there is none.
pub(crate) fn registry_name(view: &SessionView, id: TypeId, oid: u32) -> Option<String> {
    let _ = (view, id, oid);
    None
}

/// The object that a text names; 42P01 and the like if there is none.
pub(crate) fn registry_oid(view: &SessionView, id: TypeId, name: &str) -> Result<u32> {
    let _ = (view, name);
    Err(SqlError::unsupported(format!("looking up {} values", id.display_name())))
}
