//! The grammar of sequences: CREATE and ALTER SEQUENCE, and the options of identity columns.

use super::tree::{AlterSequenceAction, AlterTableAction, ObjectKind, SequenceOption, Statement};
use super::{Reader, refuse};
use hexalog_sql_types::error::Result;
use sqlparser::tokenizer::Token;

pub(super) fn create(reader: &mut Reader<'_>, temporary: bool) -> Result<Statement> {
    let if_not_exists = reader.eat(&["if", "not", "exists"]);
    let name = reader.name()?;
    let options = options(reader)?;
    Ok(Statement::CreateSequence { name, temporary, if_not_exists, options })
}

pub(super) fn alter(reader: &mut Reader<'_>) -> Result<Statement> {
    let if_exists = reader.eat(&["if", "exists"]);
    let name = reader.name()?;
    if reader.eat(&["rename", "to"]) {
        let to = reader.identifier()?;
        return Ok(Statement::RenameRelation { kind: ObjectKind::Sequence, name, if_exists, to });
    }
    let action = if reader.eat(&["owner", "to"]) {
        AlterSequenceAction::OwnerTo(reader.word()?)
    } else if reader.eat(&["set", "schema"]) {
        AlterSequenceAction::SetSchema(reader.identifier()?)
    } else if reader.peek_words(&["set", "logged"]) || reader.peek_words(&["set", "unlogged"]) {
        return Err(refuse("ALTER SEQUENCE SET LOGGED or UNLOGGED"));
    } else {
        let options = options(reader)?;
        if options.is_empty() {
            return Err(reader.unexpected());
        }
        AlterSequenceAction::Options(options)
    };
    Ok(Statement::AlterSequence { name, if_exists, action })
}

/// Options behind IDENTITY.
pub(super) fn in_parentheses(reader: &mut Reader<'_>) -> Result<Vec<SequenceOption>> {
    if !reader.eat_token(&Token::LParen) {
        return Ok(Vec::new());
    }
    let options = options(reader)?;
    reader.expect_token(&Token::RParen)?;
    Ok(options)
}

/// `SET GENERATED ALWAYS`, `SET INCREMENT 2`, `RESTART`, … behind ALTER COLUMN.
pub(super) fn identity_action(reader: &mut Reader<'_>, column: String) -> Result<AlterTableAction> {
    let (mut always, mut written) = (None, Vec::new());
    loop {
        if reader.eat(&["set", "generated"]) {
            always = Some(reader.eat(&["always"]));
            if always == Some(false) {
                reader.expect("by")?;
                reader.expect("default")?;
            }
            continue;
        }
        if !reader.eat(&["set"]) && !reader.peek_words(&["restart"]) {
            return Ok(AlterTableAction::SetIdentity { column, always, options: written });
        }
        written.push(option(reader)?.ok_or_else(|| reader.unexpected())?);
    }
}

fn options(reader: &mut Reader<'_>) -> Result<Vec<SequenceOption>> {
    let mut options = Vec::new();
    while let Some(option) = option(reader)? {
        options.push(option);
    }
    Ok(options)
}

fn option(reader: &mut Reader<'_>) -> Result<Option<SequenceOption>> {
    Ok(Some(if reader.eat(&["as"]) {
        SequenceOption::As(reader.type_name()?)
    } else if reader.eat(&["increment"]) {
        let _ = reader.eat(&["by"]);
        SequenceOption::Increment(reader.integer()?)
    } else if reader.eat(&["minvalue"]) {
        SequenceOption::MinValue(Some(reader.integer()?))
    } else if reader.eat(&["no", "minvalue"]) {
        SequenceOption::MinValue(None)
    } else if reader.eat(&["maxvalue"]) {
        SequenceOption::MaxValue(Some(reader.integer()?))
    } else if reader.eat(&["no", "maxvalue"]) {
        SequenceOption::MaxValue(None)
    } else if reader.eat(&["start"]) {
        let _ = reader.eat(&["with"]);
        SequenceOption::Start(reader.integer()?)
    } else if reader.eat(&["restart"]) {
        let _ = reader.eat(&["with"]);
        match reader.parser.peek_token_ref().token {
            Token::Number(..) | Token::Minus => SequenceOption::Restart(Some(reader.integer()?)),
            _ => SequenceOption::Restart(None),
        }
    } else if reader.eat(&["cache"]) {
        SequenceOption::Cache(reader.integer()?)
    } else if reader.eat(&["cycle"]) {
        SequenceOption::Cycle(true)
    } else if reader.eat(&["no", "cycle"]) {
        SequenceOption::Cycle(false)
    } else if reader.eat(&["owned", "by"]) {
        SequenceOption::OwnedBy(reader.name()?)
    } else if reader.eat(&["sequence", "name"]) {
        SequenceOption::Named(reader.name()?)
    } else {
        return Ok(None);
    }))
}
