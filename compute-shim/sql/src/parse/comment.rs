//! The grammar of COMMENT ON.

use super::tree::{CommentTarget, ObjectKind, Statement};
use super::{Reader, refuse};
use hexalog_sql_types::error::Result;
use sqlparser::tokenizer::Token;

/// Kinds of objects that PostgreSQL comments on, and that do not exist here or that nothing is kept of.
const REFUSED: &[&str] = &[
    "access",
    "cast",
    "conversion",
    "domain",
    "event",
    "extension",
    "foreign",
    "language",
    "large",
    "materialized",
    "operator",
    "policy",
    "procedural",
    "publication",
    "server",
    "statistics",
    "subscription",
    "tablespace",
    "text",
    "transform",
    "trigger",
];

pub(super) fn comment(reader: &mut Reader<'_>) -> Result<Statement> {
    reader.expect("comment")?;
    reader.expect("on")?;
    let target = target(reader)?;
    reader.expect("is")?;
    let text = if reader.eat(&["null"]) { None } else { Some(reader.string()?) };
    Ok(Statement::Comment { target, text })
}

fn target(reader: &mut Reader<'_>) -> Result<CommentTarget> {
    let kinds = [
        ("table", ObjectKind::Table),
        ("index", ObjectKind::Index),
        ("sequence", ObjectKind::Sequence),
        ("view", ObjectKind::View),
    ];
    for (word, kind) in kinds {
        if reader.eat(&[word]) {
            return Ok(CommentTarget::Relation { kind, name: reader.name()? });
        }
    }
    if reader.eat(&["column"]) {
        return Ok(CommentTarget::Column(reader.name()?));
    }
    if reader.eat(&["schema"]) {
        return Ok(CommentTarget::Schema(reader.identifier()?));
    }
    if reader.eat(&["database"]) {
        return Ok(CommentTarget::Database(reader.identifier()?));
    }
    if reader.eat(&["role"]) {
        return Ok(CommentTarget::Role(reader.identifier()?));
    }
    if reader.eat(&["constraint"]) {
        let name = reader.identifier()?;
        reader.expect("on")?;
        if reader.peek_words(&["domain"]) {
            return Err(refuse("COMMENT ON CONSTRAINT of a domain"));
        }
        return Ok(CommentTarget::Constraint { name, table: reader.name()? });
    }
    if reader.eat(&["rule"]) {
        let name = reader.identifier()?;
        reader.expect("on")?;
        return Ok(CommentTarget::Rule { name, relation: reader.name()? });
    }
    if reader.eat(&["type"]) {
        return Ok(CommentTarget::Type(reader.type_name()?));
    }
    if reader.eat(&["collation"]) {
        return Ok(CommentTarget::Collation(reader.name()?));
    }
    for word in ["function", "aggregate", "procedure", "routine"] {
        if reader.eat(&[word]) {
            let name = reader.name()?;
            return Ok(CommentTarget::Function { kind: word, name, arguments: arguments(reader)? });
        }
    }
    match reader.peek_word_nth(0).map(str::to_lowercase) {
        Some(word) if REFUSED.contains(&word.as_str()) => {
            Err(refuse(format!("COMMENT ON {}", word.to_uppercase())))
        }
        _ => Err(reader.unexpected()),
    }
}

/// The types of a function's arguments; `*` of an aggregate without any.
fn arguments(reader: &mut Reader<'_>) -> Result<Vec<super::tree::TypeName>> {
    let mut types = Vec::new();
    reader.expect_token(&Token::LParen)?;
    if reader.eat_token(&Token::Mul) {
        reader.expect_token(&Token::RParen)?;
        return Ok(types);
    }
    if reader.eat_token(&Token::RParen) {
        return Ok(types);
    }
    loop {
        types.push(reader.type_name()?);
        if !reader.eat_token(&Token::Comma) {
            break;
        }
    }
    reader.expect_token(&Token::RParen)?;
    Ok(types)
}
