//! Databases: CREATE, ALTER and DROP DATABASE.

use super::SettingValue;

/// What CREATE and ALTER DATABASE say of a database; `None` where nothing is said.
#[derive(Clone, Debug, Default)]
pub(crate) struct DatabaseProperties {
    pub owner: Option<String>,
    pub template: Option<String>,
    pub connection_limit: Option<i32>,
    pub allows_connections: Option<bool>,
    pub is_template: Option<bool>,
}

#[derive(Clone, Debug)]
pub(crate) enum AlterDatabaseAction {
    Rename(String),
    OwnerTo(String),
    Properties(DatabaseProperties),
    Set {
        name: String,
        value: SettingValue,
    },
    SetFromCurrent(String),
    /// One setting, or all.
    Reset(Option<String>),
}
