//! Counts of rows in FETCH and OFFSET, by their tokens.
//!
//! Behind FETCH FIRST, and between OFFSET and ROWS, PostgreSQL has an operand (`c_expr`) or a signed number: nothing that an operator,
//! a cast by `::` or COLLATE makes. The parser crate has numbers and texts there only for the one, and any expression for the other.

use super::place::is_word;
use sqlparser::tokenizer::Token;

/// Words that make something else of the operand in front of them or behind.
const OPERATORS: [&str; 17] = [
    "not", "and", "or", "is", "in", "like", "ilike", "similar", "between", "at", "collate", "isnull",
    "notnull", "operator", "overlaps", "distinct", "uescape",
];

/// Reserved words that no expression has outside of parentheses: what follows is another clause.
const NEXT_CLAUSE: [&str; 10] =
    ["fetch", "limit", "offset", "for", "union", "intersect", "except", "with", "on", "returning"];

/// The count of a FETCH clause that the parser crate has not, by places among the tokens that are no blanks.
pub(super) struct FetchCount {
    /// Where ROW or ROWS stands.
    pub end: usize,
    /// The clause's last word.
    pub last: usize,
    pub has_ties: bool,
}

/// A token that must not stand where it does, and its place.
type Unexpected = (String, usize);

/// The count that begins here; `None` for one that is left to the crate.
pub(super) fn fetch_count<'t>(
    first: usize,
    token: impl Fn(usize) -> Option<&'t Token> + Copy,
) -> Result<Option<FetchCount>, Unexpected> {
    let is = |nth: usize, word: &str| token(nth).is_some_and(|token| is_word(token, word));
    if matches!(token(first), Some(Token::Number(..) | Token::SingleQuotedString(_) | Token::Placeholder(_)))
    {
        return Ok(None);
    }
    let Some(end) = end_of_count(first, token).filter(|&end| end > first) else { return Ok(None) };
    let last = if is(end + 1, "only") {
        end + 1
    } else if is(end + 1, "with") && is(end + 2, "ties") {
        end + 2
    } else {
        return match token(end + 1) {
            Some(Token::EOF) | None => Ok(None),
            Some(found) => Err((found.to_string(), end + 1)),
        };
    };
    if let Some(nth) = operator(first, end, token) {
        return Err((token(nth).expect("it was looked at").to_string(), nth));
    }
    Ok(Some(FetchCount { end, last, has_ties: last == end + 2 }))
}

/// ROWS may not stand behind a whole expression.
pub(super) fn check_offset<'t>(
    first: usize,
    token: impl Fn(usize) -> Option<&'t Token> + Copy,
) -> Result<(), Unexpected> {
    let Some(end) = end_of_count(first, token).filter(|&end| end > first) else { return Ok(()) };
    let is_operand = matches!(
        token(end - 1),
        Some(
            Token::Word(_)
                | Token::Number(..)
                | Token::SingleQuotedString(_)
                | Token::RParen
                | Token::RBracket
        )
    );
    match operator(first, end, token) {
        Some(_) if is_operand => Err((token(end).expect("it was looked at").to_string(), end)),
        _ => Ok(()),
    }
}

/// Where ROW or ROWS ends the count that begins here.
fn end_of_count<'t>(first: usize, token: impl Fn(usize) -> Option<&'t Token>) -> Option<usize> {
    let mut depth = 0usize;
    for nth in first.. {
        match token(nth)? {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth = depth.checked_sub(1)?,
            Token::SemiColon | Token::EOF => return None,
            // `ROW (…)` is a row.
            found if is_word(found, "row") && token(nth + 1) == Some(&Token::LParen) => {}
            // Behind a period any word is a name.
            _ if depth > 0 || token(nth.checked_sub(1)?) == Some(&Token::Period) => {}
            found if is_word(found, "row") || is_word(found, "rows") => return Some(nth),
            found if NEXT_CLAUSE.iter().any(|word| is_word(found, word)) => return None,
            _ => {}
        }
    }
    None
}

/// The first token of these that is no part of an operand; a sign in front of a number is one.
fn operator<'t>(first: usize, end: usize, token: impl Fn(usize) -> Option<&'t Token>) -> Option<usize> {
    let is_signed = matches!(token(first), Some(Token::Plus | Token::Minus))
        && matches!(token(first + 1), Some(Token::Number(..)));
    let mut depth = 0usize;
    for nth in first + usize::from(is_signed)..end {
        match token(nth)? {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
            found if is_word(found, "case") => depth += 1,
            found if is_word(found, "end") => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            Token::Word(_) => {
                let found = token(nth)?;
                if OPERATORS.iter().any(|word| is_word(found, word)) {
                    return Some(nth);
                }
            }
            Token::Period
            | Token::Number(..)
            | Token::Placeholder(_)
            | Token::SingleQuotedString(_)
            | Token::EscapedStringLiteral(_)
            | Token::DollarQuotedString(_)
            | Token::NationalStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::SingleQuotedByteStringLiteral(_)
            | Token::HexStringLiteral(_) => {}
            _ => return Some(nth),
        }
    }
    None
}
