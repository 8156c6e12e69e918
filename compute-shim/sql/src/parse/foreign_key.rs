//! REFERENCES, as a column and a table constraint have it.

use super::tree::{Deferral, References, ReferentialAction};
use super::{Reader, refuse};
use hexalog_sql_types::error::Result;
use sqlparser::tokenizer::Token;

/// REFERENCES table [(columns)] [MATCH …] [ON DELETE …] [ON UPDATE …].
pub(super) fn references(reader: &mut Reader<'_>) -> Result<References> {
    reader.expect("references")?;
    let table = reader.name()?;
    let columns = match reader.parser.peek_token_ref().token {
        Token::LParen => reader.column_list()?,
        _ => Vec::new(),
    };
    let match_full = match reader.eat(&["match"]) {
        true => match_kind(reader)?,
        false => false,
    };
    let (mut on_delete, mut on_update) = (None, None);
    loop {
        let is_twice = (on_delete.is_some() && reader.peek_words(&["on", "delete"]))
            || (on_update.is_some() && reader.peek_words(&["on", "update"]));
        if is_twice {
            reader.expect("on")?;
            return Err(reader.unexpected());
        }
        let slot = if reader.eat(&["on", "delete"]) {
            &mut on_delete
        } else if reader.eat(&["on", "update"]) {
            &mut on_update
        } else {
            break;
        };
        *slot = Some(action(reader)?);
    }
    let (on_delete, on_update) = (on_delete.unwrap_or_default(), on_update.unwrap_or_default());
    Ok(References { table, columns, match_full, on_delete, on_update, deferral: Deferral::Never })
}

fn match_kind(reader: &mut Reader<'_>) -> Result<bool> {
    if reader.eat(&["full"]) {
        return Ok(true);
    }
    if reader.eat(&["simple"]) {
        return Ok(false);
    }
    match reader.peek_words(&["partial"]) {
        true => Err(refuse("MATCH PARTIAL")),
        false => Err(reader.unexpected()),
    }
}

fn action(reader: &mut Reader<'_>) -> Result<ReferentialAction> {
    for (words, action) in [
        (&["no", "action"][..], ReferentialAction::NoAction),
        (&["restrict"], ReferentialAction::Restrict),
        (&["cascade"], ReferentialAction::Cascade),
        (&["set", "null"], ReferentialAction::SetNull),
        (&["set", "default"], ReferentialAction::SetDefault),
    ] {
        if reader.eat(words) {
            return match reader.parser.peek_token_ref().token {
                Token::LParen => Err(refuse("a column list of a referential action")),
                _ => Ok(action),
            };
        }
    }
    Err(reader.unexpected())
}
