//! CREATE and DROP EXTENSION: the extensions that there are have always been made.
//!
//! `docs/decisions/0133-pg-stat-statements-is-always-there.md` says why one that is there may be made again.

use super::transaction::Scope;
use crate::answer::Severity;
use crate::catalog::system::{EXTENSION, EXTENSION_VERSION};
use crate::parse::tree::CreateExtension;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};

pub(super) fn create(scope: &mut Scope, create: &CreateExtension) -> Result<()> {
    scope.check_may_write("CREATE EXTENSION")?;
    let CreateExtension { name, if_not_exists, schema, version } = create;
    if name != EXTENSION {
        let message = format!("extension \"{name}\" is not available");
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
            .with_hint("The extension must first be installed on the system where PostgreSQL is running."));
    }
    // As in PostgreSQL, IF NOT EXISTS asks of the name alone.
    if !if_not_exists {
        if let Some(schema) = schema.as_ref().filter(|schema| *schema != "pg_catalog") {
            return Err(SqlError::unsupported(format!("extension \"{name}\" in schema \"{schema}\""))
                .with_hint("It is in pg_catalog, where its names are found without a schema."));
        }
        if let Some(version) = version.as_ref().filter(|version| *version != EXTENSION_VERSION) {
            let message = format!(
                "extension \"{name}\" has no installation script nor update path for version \"{version}\""
            );
            return Err(SqlError::invalid_parameter(message));
        }
    }
    let message = format!("extension \"{name}\" already exists, skipping");
    scope.notices.push((Severity::Notice, SqlError::new(SqlState::DUPLICATE_OBJECT, message)));
    Ok(())
}

pub(super) fn drop(scope: &mut Scope, names: &[String], if_exists: bool) -> Result<()> {
    scope.check_may_write("DROP EXTENSION")?;
    for name in names {
        if name == EXTENSION {
            let message =
                format!("cannot drop extension {name} because it is required by the database system");
            return Err(SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message));
        }
        if !if_exists {
            let message = format!("extension \"{name}\" does not exist");
            return Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message));
        }
        let message = format!("extension \"{name}\" does not exist, skipping");
        scope.notices.push((Severity::Notice, SqlError::new(SqlState::SUCCESSFUL_COMPLETION, message)));
    }
    Ok(())
}
