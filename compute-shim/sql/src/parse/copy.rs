//! The grammar of COPY, with the forms that older releases had and `psql` and drivers still send.
//!
//! Options are kept as written: `session/copy/options.rs` says what they mean, after the table has been looked up.

use super::tree::{Copy, CopyOption, CopyOptionValue, CopySource, Statement};
use super::{Reader, refuse};
use hexalog_sql_types::SqlError;
use hexalog_sql_types::error::Result;
use sqlparser::tokenizer::Token;

/// First words of what may stand in COPY's parentheses.
const QUERY_WORDS: &[&str] = &["select", "values", "with", "table", "insert", "update", "delete"];

pub(super) fn copy(reader: &mut Reader<'_>) -> Result<Statement> {
    reader.expect("copy")?;
    let mut options = Vec::new();
    let position = reader.position();
    // A table may be called so.
    let is_target = |word: &str| matches!(word, "from" | "to");
    let next = reader.peek_word_nth(1).map(str::to_lowercase);
    if reader.peek_words(&["binary"]) && next.is_some_and(|word| !is_target(&word)) {
        reader.expect("binary")?;
        options.push(option("format", CopyOptionValue::Text("binary".to_owned()), position));
    }
    let source = source(reader)?;
    let is_query = matches!(source, CopySource::Query(_));
    let from = !is_query && reader.eat(&["from"]);
    if !from {
        reader.expect("to")?;
    }
    if !reader.eat(&["stdin"]) && !reader.eat(&["stdout"]) {
        return Err(refuse("COPY with a file or program on the server"));
    }
    let position = reader.position();
    if reader.eat(&["using", "delimiters"]) || reader.eat(&["delimiters"]) {
        options.push(option("delimiter", CopyOptionValue::Text(reader.string()?), position));
    }
    let _ = reader.eat(&["with"]);
    if reader.eat_token(&Token::LParen) {
        loop {
            options.push(generic_option(reader)?);
            if !reader.eat_token(&Token::Comma) {
                break;
            }
        }
        reader.expect_token(&Token::RParen)?;
    } else {
        while let Some(option) = plain_option(reader)? {
            options.push(option);
        }
    }
    let position = reader.position();
    let filter = if !is_query && reader.eat(&["where"]) { Some(reader.expr()?) } else { None };
    if filter.is_some() && !from {
        return Err(super::at(SqlError::syntax("WHERE clause not allowed with COPY TO"), position));
    }
    Ok(Statement::Copy(Box::new(Copy { source, from, options, filter })))
}

fn source(reader: &mut Reader<'_>) -> Result<CopySource> {
    if !reader.eat_token(&Token::LParen) {
        let name = reader.name()?;
        let columns = match reader.parser.peek_token_ref().token {
            Token::LParen => reader.column_list()?,
            _ => Vec::new(),
        };
        return Ok(CopySource::Table { name, columns });
    }
    let is_nested = reader.parser.peek_token_ref().token == Token::LParen;
    if !is_nested && !QUERY_WORDS.iter().any(|word| reader.peek_words(&[word])) {
        return Err(reader.unexpected());
    }
    let statement = super::statement::plannable(reader, "COPY (SELECT INTO)")?;
    reader.expect_token(&Token::RParen)?;
    Ok(CopySource::Query(statement))
}

fn option(name: &str, value: CopyOptionValue, position: u32) -> CopyOption {
    CopyOption { name: name.to_owned(), value, position }
}

/// An option in parentheses: a name and perhaps a value.
fn generic_option(reader: &mut Reader<'_>) -> Result<CopyOption> {
    let position = reader.position();
    let name = reader.word()?;
    let value = match &reader.parser.peek_token_ref().token {
        Token::Comma | Token::RParen => CopyOptionValue::None,
        Token::Mul => {
            reader.expect_token(&Token::Mul)?;
            CopyOptionValue::All
        }
        Token::LParen => {
            reader.expect_token(&Token::LParen)?;
            let mut names = vec![generic_word(reader)?];
            while reader.eat_token(&Token::Comma) {
                names.push(generic_word(reader)?);
            }
            reader.expect_token(&Token::RParen)?;
            CopyOptionValue::List(names)
        }
        Token::Number(..) | Token::Minus | Token::Plus => CopyOptionValue::Number(number(reader)?),
        _ => CopyOptionValue::Text(generic_word(reader)?),
    };
    Ok(CopyOption { name, value, position })
}

fn generic_word(reader: &mut Reader<'_>) -> Result<String> {
    match reader.parser.peek_token_ref().token {
        Token::Word(_) => reader.word(),
        _ => reader.string(),
    }
}

fn number(reader: &mut Reader<'_>) -> Result<String> {
    let sign = if reader.eat_token(&Token::Minus) { "-" } else { "" };
    if sign.is_empty() {
        let _ = reader.eat_token(&Token::Plus);
    }
    let Token::Number(digits, _) = &reader.parser.peek_token_ref().token else {
        return Err(reader.unexpected());
    };
    let text = format!("{sign}{digits}");
    reader.parser.next_token();
    Ok(text)
}

/// An option of the form before PostgreSQL 9.0; `None` where there is no more.
fn plain_option(reader: &mut Reader<'_>) -> Result<Option<CopyOption>> {
    let position = reader.position();
    let text = |text: &str| CopyOptionValue::Text(text.to_owned());
    for format in ["csv", "binary"] {
        if reader.eat(&[format]) {
            return Ok(Some(option("format", text(format), position)));
        }
    }
    for name in ["freeze", "header"] {
        if reader.eat(&[name]) {
            return Ok(Some(option(name, text("true"), position)));
        }
    }
    for name in ["delimiter", "null", "quote", "escape", "encoding"] {
        if reader.eat(&[name]) {
            if name != "encoding" {
                let _ = reader.eat(&["as"]);
            }
            return Ok(Some(option(name, CopyOptionValue::Text(reader.string()?), position)));
        }
    }
    if !reader.eat(&["force"]) {
        return Ok(None);
    }
    let name = if reader.eat(&["quote"]) {
        if reader.eat_token(&Token::Mul) {
            return Ok(Some(option("force_quote", CopyOptionValue::All, position)));
        }
        "force_quote"
    } else if reader.eat(&["not", "null"]) {
        "force_not_null"
    } else if reader.eat(&["null"]) {
        "force_null"
    } else {
        return Err(reader.unexpected());
    };
    let mut columns = vec![reader.identifier()?];
    while reader.eat_token(&Token::Comma) {
        columns.push(reader.identifier()?);
    }
    Ok(Some(option(name, CopyOptionValue::List(columns), position)))
}
