//! The grammar of EXPLAIN.

use super::statement::{execute, plannable, setting_word};
use super::tree::{ExplainFormat, ExplainOptions, Statement};
use super::{Reader, at, refuse};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use sqlparser::tokenizer::Token;

pub(super) fn explain(reader: &mut Reader<'_>) -> Result<Statement> {
    reader.expect("explain")?;
    let mut options = ExplainOptions::default();
    if reader.eat_token(&Token::LParen) {
        loop {
            option(reader, &mut options)?;
            if !reader.eat_token(&Token::Comma) {
                break;
            }
        }
        reader.expect_token(&Token::RParen)?;
    } else {
        options.analyze = reader.eat(&["analyze"]) || reader.eat(&["analyse"]);
        options.verbose = reader.eat(&["verbose"]);
    }
    if options.timing == Some(true) && !options.analyze {
        let message = "EXPLAIN option TIMING requires ANALYZE";
        return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
    }
    if reader.peek_words(&["execute"]) {
        return Ok(Statement::Explain { options, statement: Box::new(execute(reader)?) });
    }
    for word in ["create", "declare", "refresh"] {
        if reader.peek_words(&[word]) {
            return Err(refuse(format!("EXPLAIN {}", word.to_uppercase())));
        }
    }
    let is_data = ["select", "values", "with", "table", "insert", "update", "delete", "merge"];
    let begins = reader.parser.peek_token_ref().token == Token::LParen
        || is_data.iter().any(|word| reader.peek_words(&[word]));
    if !begins {
        return Err(reader.unexpected());
    }
    Ok(Statement::Explain { options, statement: Box::new(plannable(reader, "EXPLAIN SELECT INTO")?) })
}

fn option(reader: &mut Reader<'_>, options: &mut ExplainOptions) -> Result<()> {
    let position = reader.position();
    let name = reader.word()?;
    match name.as_str() {
        "format" => options.format = format(reader, position)?,
        "analyze" | "analyse" => options.analyze = boolean(reader, "analyze")?,
        "verbose" => options.verbose = boolean(reader, &name)?,
        "buffers" => options.buffers = boolean(reader, &name)?,
        "timing" => options.timing = Some(boolean(reader, &name)?),
        "summary" => options.summary = Some(boolean(reader, &name)?),
        // None are shown either way.
        "costs" => drop(boolean(reader, &name)?),
        "settings" | "wal" => {
            if boolean(reader, &name)? {
                return Err(refuse(format!("EXPLAIN {}", name.to_uppercase())));
            }
        }
        other => {
            let message = format!("unrecognized EXPLAIN option \"{other}\"");
            return Err(at(SqlError::syntax(message), position));
        }
    }
    Ok(())
}

/// A word or number for yes or no, or nothing, which means yes.
pub(super) fn boolean(reader: &mut Reader<'_>, name: &str) -> Result<bool> {
    if matches!(reader.parser.peek_token_ref().token, Token::Comma | Token::RParen) {
        return Ok(true);
    }
    match setting_word(reader)?.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" => Ok(true),
        "false" | "off" | "0" => Ok(false),
        _ => Err(SqlError::syntax(format!("{name} requires a Boolean value"))),
    }
}

fn format(reader: &mut Reader<'_>, position: u32) -> Result<ExplainFormat> {
    if matches!(reader.parser.peek_token_ref().token, Token::Comma | Token::RParen) {
        return Err(SqlError::syntax("format requires a parameter"));
    }
    let value = setting_word(reader)?;
    match value.as_str() {
        "text" => Ok(ExplainFormat::Text),
        "json" => Ok(ExplainFormat::Json),
        "yaml" => Ok(ExplainFormat::Yaml),
        "xml" => Ok(ExplainFormat::Xml),
        other => {
            let message = format!("unrecognized value for EXPLAIN option \"format\": \"{other}\"");
            Err(at(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message), position))
        }
    }
}
