//! The grammar of DECLARE, FETCH, MOVE and CLOSE.

use super::Reader;
use super::tree::{DeclareCursor, Fetch, Movement, RowCount, Scroll, Statement};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use sqlparser::tokenizer::Token;

/// What is said twice, or against itself, in DECLARE.
fn conflict(words: &str) -> SqlError {
    SqlError::new(SqlState::INVALID_CURSOR_DEFINITION, format!("cannot specify both {words}"))
}

pub(super) fn declare(reader: &mut Reader<'_>) -> Result<Statement> {
    reader.expect("declare")?;
    let name = reader.identifier()?;
    let (mut binary, mut insensitive, mut asensitive) = (false, false, false);
    let (mut scroll, mut no_scroll) = (false, false);
    loop {
        if reader.eat(&["binary"]) {
            binary = true;
        } else if reader.eat(&["insensitive"]) {
            insensitive = true;
        } else if reader.eat(&["asensitive"]) {
            asensitive = true;
        } else if reader.eat(&["no", "scroll"]) {
            no_scroll = true;
        } else if reader.eat(&["scroll"]) {
            scroll = true;
        } else {
            break;
        }
    }
    reader.expect("cursor")?;
    let hold = reader.eat(&["with", "hold"]);
    if !hold {
        let _ = reader.eat(&["without", "hold"]);
    }
    reader.expect("for")?;
    if ["insert", "update", "delete"].iter().any(|word| reader.peek_words(&[word])) {
        return Err(reader.unexpected());
    }
    let query = Box::new(Statement::Query(reader.query()?));
    if scroll && no_scroll {
        return Err(conflict("SCROLL and NO SCROLL"));
    }
    if asensitive && insensitive {
        return Err(conflict("INSENSITIVE and ASENSITIVE"));
    }
    let scroll = match (scroll, no_scroll) {
        (true, _) => Scroll::Yes,
        (_, true) => Scroll::No,
        _ => Scroll::Unsaid,
    };
    Ok(Statement::Declare(DeclareCursor { name, binary, insensitive, scroll, hold, query }))
}

/// FETCH, or MOVE.
pub(super) fn fetch(reader: &mut Reader<'_>, word: &str) -> Result<Statement> {
    reader.expect(word)?;
    // A cursor may be called by the name of a direction.
    let is_name_alone = reader.parser.peek_nth_token_ref(1).token == Token::EOF;
    let movement = if is_name_alone { None } else { movement(reader)? };
    if !reader.eat(&["from"]) {
        let _ = reader.eat(&["in"]);
    }
    let cursor = reader.identifier()?;
    let movement = movement.unwrap_or(Movement::Forward(RowCount::Rows(1)));
    Ok(Statement::Fetch(Fetch { cursor, movement, is_move: word == "move" }))
}

fn movement(reader: &mut Reader<'_>) -> Result<Option<Movement>> {
    let one = RowCount::Rows(1);
    Ok(Some(if reader.eat(&["next"]) {
        Movement::Forward(one)
    } else if reader.eat(&["prior"]) {
        Movement::Backward(one)
    } else if reader.eat(&["first"]) {
        Movement::Absolute(1)
    } else if reader.eat(&["last"]) {
        Movement::Absolute(-1)
    } else if reader.eat(&["absolute"]) {
        Movement::Absolute(reader.integer()?)
    } else if reader.eat(&["relative"]) {
        Movement::Relative(reader.integer()?)
    } else if reader.eat(&["forward"]) {
        Movement::Forward(count(reader)?.unwrap_or(one))
    } else if reader.eat(&["backward"]) {
        Movement::Backward(count(reader)?.unwrap_or(one))
    } else {
        match count(reader)? {
            Some(count) => Movement::Forward(count),
            None => return Ok(None),
        }
    }))
}

fn count(reader: &mut Reader<'_>) -> Result<Option<RowCount>> {
    if reader.eat(&["all"]) {
        return Ok(Some(RowCount::All));
    }
    let is_number =
        matches!(reader.parser.peek_token_ref().token, Token::Number(..) | Token::Minus | Token::Plus);
    if is_number { Ok(Some(RowCount::Rows(reader.integer()?))) } else { Ok(None) }
}

pub(super) fn close(reader: &mut Reader<'_>) -> Result<Statement> {
    reader.expect("close")?;
    let cursor = if reader.eat(&["all"]) { None } else { Some(reader.identifier()?) };
    Ok(Statement::CloseCursor { cursor })
}
