//! The stored form of databases.

use super::{Reader, Writer};
use crate::catalog::object::{DatabaseObject, Oid};
use hexalog_sql_types::error::Result;

impl Writer {
    pub(super) fn database(&mut self, database: &DatabaseObject) {
        let DatabaseObject {
            oid: _,
            name,
            owner,
            connection_limit,
            allows_connections,
            is_template,
            settings,
        } = database;
        self.text(name);
        self.u32(*owner);
        self.u32(connection_limit.cast_unsigned());
        self.bool(*allows_connections);
        self.bool(*is_template);
        self.count(settings.len());
        for (name, value) in settings {
            self.text(name);
            self.text(value);
        }
    }
}

impl Reader<'_> {
    pub(super) fn database(&mut self, oid: Oid, version: u8) -> Result<DatabaseObject> {
        let (name, owner) = (self.text()?, self.u32()?);
        if version == 1 {
            return Ok(DatabaseObject::new(oid, &name, owner));
        }
        let connection_limit = self.u32()?.cast_signed();
        let (allows_connections, is_template) = (self.bool()?, self.bool()?);
        let settings = self.list(|reader| Ok((reader.text()?, reader.text()?)))?;
        Ok(DatabaseObject { oid, name, owner, connection_limit, allows_connections, is_template, settings })
    }
}
