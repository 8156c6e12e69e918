//! The grammar of types: CREATE TYPE … AS ENUM, ALTER TYPE and DROP TYPE. Other kinds of types are refused by name.

use super::statement::drop_behavior;
use super::tree::{AlterTypeAction, Beside, Statement};
use super::{Reader, refuse};
use hexalog_sql_types::error::Result;
use sqlparser::tokenizer::Token;

/// What is behind CREATE TYPE.
pub(super) fn create_type(reader: &mut Reader<'_>) -> Result<Statement> {
    let name = reader.name()?;
    if !reader.eat(&["as"]) {
        return Err(match reader.at_end() || reader.parser.peek_token_ref().token == Token::LParen {
            true => refuse("CREATE TYPE of a base type"),
            false => reader.unexpected(),
        });
    }
    if reader.parser.peek_token_ref().token == Token::LParen {
        return Err(refuse("CREATE TYPE of a composite type"));
    }
    if reader.peek_words(&["range"]) {
        return Err(refuse("CREATE TYPE AS RANGE"));
    }
    reader.expect("enum")?;
    reader.expect_token(&Token::LParen)?;
    let mut labels = Vec::new();
    if !reader.eat_token(&Token::RParen) {
        labels.push(reader.string()?);
        while reader.eat_token(&Token::Comma) {
            labels.push(reader.string()?);
        }
        reader.expect_token(&Token::RParen)?;
    }
    Ok(Statement::CreateEnum { name, labels })
}

/// What is behind ALTER TYPE.
pub(super) fn alter_type(reader: &mut Reader<'_>) -> Result<Statement> {
    let name = reader.name()?;
    let action = if reader.eat(&["add", "value"]) {
        let if_not_exists = reader.eat(&["if", "not", "exists"]);
        let label = reader.string()?;
        let is_before = reader.eat(&["before"]);
        let beside = match is_before || reader.eat(&["after"]) {
            true => Some(Beside { is_before, label: reader.string()? }),
            false => None,
        };
        AlterTypeAction::AddValue { label, if_not_exists, beside }
    } else if reader.eat(&["rename", "value"]) {
        let from = reader.string()?;
        reader.expect("to")?;
        AlterTypeAction::RenameValue { from, to: reader.string()? }
    } else if reader.eat(&["rename", "to"]) {
        AlterTypeAction::RenameTo(reader.identifier()?)
    } else if reader.eat(&["set", "schema"]) {
        AlterTypeAction::SetSchema(reader.identifier()?)
    } else if reader.eat(&["owner", "to"]) {
        AlterTypeAction::OwnerTo(reader.word()?)
    } else {
        for words in [&["add", "attribute"][..], &["drop", "attribute"], &["alter", "attribute"]] {
            if reader.peek_words(words) {
                return Err(refuse(format!("ALTER TYPE {}", words.join(" ").to_uppercase())));
            }
        }
        return Err(match reader.peek_words(&["rename", "attribute"]) || reader.peek_words(&["set"]) {
            true => refuse("this form of ALTER TYPE"),
            false => reader.unexpected(),
        });
    };
    Ok(Statement::AlterType { name, action })
}

/// What is behind DROP TYPE.
pub(super) fn drop_type(reader: &mut Reader<'_>) -> Result<Statement> {
    let if_exists = reader.eat(&["if", "exists"]);
    let mut names = vec![reader.type_name()?];
    while reader.eat_token(&Token::Comma) {
        names.push(reader.type_name()?);
    }
    Ok(Statement::DropType { names, if_exists, cascade: drop_behavior(reader) })
}
