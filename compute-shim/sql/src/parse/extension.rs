//! CREATE and DROP EXTENSION.

use super::tree::{CreateExtension, Statement};
use super::{Reader, statement};
use hexalog_sql_types::SqlError;
use hexalog_sql_types::error::Result;
use sqlparser::tokenizer::Token;

/// Behind CREATE EXTENSION.
pub(super) fn create(reader: &mut Reader<'_>) -> Result<Statement> {
    let if_not_exists = reader.eat(&["if", "not", "exists"]);
    let name = reader.identifier()?;
    let _ = reader.eat(&["with"]);
    let mut create = CreateExtension { name, if_not_exists, schema: None, version: None };
    let mut cascades = false;
    loop {
        let is_twice = if reader.eat(&["schema"]) {
            create.schema.replace(reader.identifier()?).is_some()
        } else if reader.eat(&["version"]) {
            let is_text = matches!(reader.parser.peek_token_ref().token, Token::SingleQuotedString(_));
            let version = if is_text { reader.string()? } else { reader.word()? };
            create.version.replace(version).is_some()
        } else if reader.eat(&["cascade"]) {
            std::mem::replace(&mut cascades, true)
        } else {
            return Ok(Statement::CreateExtension(create));
        };
        if is_twice {
            return Err(SqlError::syntax("conflicting or redundant options"));
        }
    }
}

/// Behind DROP EXTENSION.
pub(super) fn drop(reader: &mut Reader<'_>) -> Result<Statement> {
    let if_exists = reader.eat(&["if", "exists"]);
    let mut names = vec![reader.identifier()?];
    while reader.eat_token(&Token::Comma) {
        names.push(reader.identifier()?);
    }
    statement::drop_behavior(reader);
    Ok(Statement::DropExtension { names, if_exists })
}
