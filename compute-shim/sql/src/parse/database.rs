//! The grammar of databases: CREATE, ALTER and DROP DATABASE.
//!
//! Every database here has the encoding and the locale that the server shows. To say so is allowed, to ask for others is
//! refused by name.

use super::statement::{assigned, setting_name, setting_of, setting_word};
use super::tree::{AlterDatabaseAction, DatabaseProperties, Statement};
use super::{Reader, at, refuse};
use crate::catalog::system::ENCODING_UTF8;
use crate::session::encoding_name;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use sqlparser::tokenizer::Token;

/// The one locale, in its spellings.
const LOCALES: &[&str] = &["C.UTF-8", "C.utf8"];

/// What is behind CREATE DATABASE.
pub(super) fn create(reader: &mut Reader<'_>) -> Result<Statement> {
    let name = reader.identifier()?;
    let _ = reader.eat(&["with"]);
    Ok(Statement::CreateDatabase { name, properties: properties(reader, true)? })
}

/// What is behind DROP DATABASE.
pub(super) fn drop(reader: &mut Reader<'_>) -> Result<Statement> {
    let if_exists = reader.eat(&["if", "exists"]);
    let name = reader.identifier()?;
    let mut force = false;
    if reader.eat(&["with"]) || reader.parser.peek_token_ref().token == Token::LParen {
        reader.expect_token(&Token::LParen)?;
        loop {
            reader.expect("force")?;
            force = true;
            if !reader.eat_token(&Token::Comma) {
                break;
            }
        }
        reader.expect_token(&Token::RParen)?;
    }
    Ok(Statement::DropDatabase { name, if_exists, force })
}

/// What is behind ALTER DATABASE.
pub(super) fn alter(reader: &mut Reader<'_>) -> Result<Statement> {
    let name = reader.identifier()?;
    let action = if reader.eat(&["rename", "to"]) {
        AlterDatabaseAction::Rename(reader.identifier()?)
    } else if reader.eat(&["owner", "to"]) {
        AlterDatabaseAction::OwnerTo(reader.word()?)
    } else if reader.peek_words(&["set", "tablespace"]) || reader.peek_words(&["tablespace"]) {
        return Err(refuse("TABLESPACE"));
    } else if reader.peek_words(&["refresh"]) {
        return Err(refuse("ALTER DATABASE REFRESH COLLATION VERSION"));
    } else if reader.eat(&["set"]) {
        set(reader)?
    } else if reader.eat(&["reset"]) {
        match reader.eat(&["all"]) {
            true => AlterDatabaseAction::Reset(None),
            false => AlterDatabaseAction::Reset(Some(setting_name(reader)?)),
        }
    } else {
        let _ = reader.eat(&["with"]);
        if reader.at_end() {
            return Err(reader.unexpected());
        }
        AlterDatabaseAction::Properties(properties(reader, false)?)
    };
    Ok(Statement::AlterDatabase { name, action })
}

fn set(reader: &mut Reader<'_>) -> Result<AlterDatabaseAction> {
    for (words, feature) in [
        (&["role"][..], "ALTER DATABASE SET ROLE"),
        (&["session", "authorization"], "ALTER DATABASE SET SESSION AUTHORIZATION"),
        (&["transaction"], "ALTER DATABASE SET TRANSACTION"),
    ] {
        if reader.peek_words(words) {
            return Err(refuse(feature));
        }
    }
    if reader.peek_words(&["time", "zone"]) || reader.peek_words(&["names"]) {
        let (name, value) = setting_of(reader)?;
        return Ok(AlterDatabaseAction::Set { name, value });
    }
    let name = reader.name()?.to_string();
    if reader.eat(&["from", "current"]) {
        return Ok(AlterDatabaseAction::SetFromCurrent(name));
    }
    Ok(AlterDatabaseAction::Set { name, value: assigned(reader)? })
}

/// The properties up to the end. `creates`: of CREATE, which takes more of them.
fn properties(reader: &mut Reader<'_>, creates: bool) -> Result<DatabaseProperties> {
    let mut properties = DatabaseProperties::default();
    let mut seen: Vec<String> = Vec::new();
    while !reader.at_end() {
        let position = reader.position();
        let mut name = reader.word()?;
        if name == "connection" && reader.eat(&["limit"]) {
            "connection_limit".clone_into(&mut name);
        }
        let is_known = ["connection_limit", "allow_connections", "is_template"].contains(&name.as_str())
            || (creates && CREATE_OPTIONS.contains(&name.as_str()));
        if !is_known {
            let message = format!("option \"{name}\" not recognized");
            return Err(at(SqlError::syntax(message), position));
        }
        let _ = reader.eat_token(&Token::Eq);
        let value = match reader.eat(&["default"]) {
            true => None,
            false => Some(setting_word(reader)?),
        };
        if seen.contains(&name) {
            return Err(at(SqlError::syntax("conflicting or redundant options"), position));
        }
        if let Some(value) = value {
            property(&mut properties, &name, value, position)?;
        }
        seen.push(name);
    }
    Ok(properties)
}

/// Those that CREATE takes and ALTER does not.
const CREATE_OPTIONS: &[&str] = &[
    "owner",
    "template",
    "encoding",
    "locale",
    "lc_collate",
    "lc_ctype",
    "locale_provider",
    "tablespace",
    "strategy",
    "icu_locale",
    "collation_version",
    "oid",
];

fn property(properties: &mut DatabaseProperties, name: &str, value: String, position: u32) -> Result<()> {
    match name {
        "owner" => properties.owner = Some(value),
        "template" => properties.template = Some(value),
        "connection_limit" => properties.connection_limit = Some(connection_limit(&value)?),
        "allow_connections" => properties.allows_connections = Some(boolean(name, &value)?),
        "is_template" => properties.is_template = Some(boolean(name, &value)?),
        "encoding" => return check_encoding(&value, position),
        "locale" | "lc_collate" | "lc_ctype" if LOCALES.contains(&value.as_str()) => {}
        "locale_provider" if value.eq_ignore_ascii_case("libc") => {}
        "locale_provider" if !value.eq_ignore_ascii_case("icu") => {
            let message = format!("unrecognized locale provider: {value}");
            return Err(SqlError::new(SqlState::INVALID_OBJECT_DEFINITION, message));
        }
        "tablespace" if value == "pg_default" => {}
        _ => return Err(refuse(format!("{} \"{value}\" of a database", name.to_uppercase()))),
    }
    Ok(())
}

fn connection_limit(value: &str) -> Result<i32> {
    let limit = value.parse().map_err(|_| SqlError::syntax("connection_limit requires an integer value"))?;
    if limit < -1 {
        return Err(SqlError::invalid_parameter(format!("invalid connection limit: {limit}")));
    }
    Ok(limit)
}

fn boolean(name: &str, value: &str) -> Result<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" => Ok(true),
        "false" | "off" | "0" => Ok(false),
        _ => Err(SqlError::syntax(format!("{name} requires a Boolean value"))),
    }
}

fn check_encoding(value: &str, position: u32) -> Result<()> {
    let unknown = |what: &str| {
        let message = format!("{value} is not a valid encoding {what}");
        at(SqlError::new(SqlState::UNDEFINED_OBJECT, message), position)
    };
    if let Ok(number) = value.parse::<i32>() {
        return match number {
            ENCODING_UTF8 => Ok(()),
            // `_PG_LAST_ENCODING_` of PostgreSQL.
            0..42 => Err(refuse(format!("ENCODING {number} of a database"))),
            _ => Err(unknown("code")),
        };
    }
    match encoding_name(value).ok_or_else(|| unknown("name"))? {
        "utf8" => Ok(()),
        _ => Err(refuse(format!("ENCODING \"{value}\" of a database"))),
    }
}
