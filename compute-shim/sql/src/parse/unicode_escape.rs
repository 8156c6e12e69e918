//! `U&'…' UESCAPE '!'`: a string whose escapes begin with another character than a backslash.
//!
//! The parser crate reads `U&'…'` by itself, with backslashes; here the string is read anew from the statement's text.

use super::place::is_word;
use super::{Lines, at};
use hexalog_sql_types::SqlError;
use hexalog_sql_types::error::Result;
use sqlparser::tokenizer::{Token, TokenWithSpan};
use std::str::Chars;

/// Puts a plain string in place of each string with UESCAPE.
pub(super) fn respell_unicode_escapes(
    tokens: Vec<TokenWithSpan>,
    lines: &Lines<'_>,
) -> Result<Vec<TokenWithSpan>> {
    let is_uescape = |token: &TokenWithSpan| is_word(&token.token, "uescape");
    if !tokens.iter().any(is_uescape) {
        return Ok(tokens);
    }
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut tokens = tokens.into_iter().peekable();
    let mut text = Text { rest: lines.text.chars(), position: 1 };
    // Where the last token that is no blank stands, if it is such a string.
    let mut last: Option<usize> = None;
    while let Some(token) = tokens.next() {
        let (true, Some(string)) = (is_uescape(&token), last) else {
            match token.token {
                Token::Whitespace(_) => {}
                Token::UnicodeStringLiteral(_) => last = Some(out.len()),
                _ => last = None,
            }
            out.push(token);
            continue;
        };
        last = None;
        while tokens.next_if(|token| matches!(token.token, Token::Whitespace(_))).is_some() {}
        let position = tokens.peek().map_or(0, |token| lines.position(token.span.start));
        let written = match tokens.next().map(|token| token.token) {
            Some(Token::SingleQuotedString(written)) => written,
            _ => {
                let message = "UESCAPE must be followed by a simple string literal";
                return Err(at(SqlError::syntax(message), position));
            }
        };
        let escape = escape_character(&written).ok_or_else(|| {
            let message = format!("invalid Unicode escape character at or near \"'{written}'\"");
            at(SqlError::syntax(message), position)
        })?;
        let start = lines.position(out[string].span.start);
        let raw = text.string(start, lines.position(out[string].span.end));
        // Behind `U&'`.
        let value = decoded(&raw, escape).map_err(|(error, offset)| at(error, start + 3 + offset))?;
        out.truncate(string + 1);
        out[string].token = Token::SingleQuotedString(value);
    }
    Ok(out)
}

fn escape_character(text: &str) -> Option<char> {
    let mut characters = text.chars();
    let escape = characters.next()?;
    let is_valid =
        !escape.is_ascii_hexdigit() && !matches!(escape, '+' | '\'' | '"') && !escape.is_whitespace();
    (characters.next().is_none() && is_valid).then_some(escape)
}

/// The statement's text from where it was last asked for.
struct Text<'a> {
    rest: Chars<'a>,
    position: u32,
}

impl Text<'_> {
    /// What stands between the quotes of a string: none in front of one that was asked for.
    fn string(&mut self, start: u32, end: u32) -> String {
        let passed = start.saturating_sub(self.position) as usize;
        let count = end.saturating_sub(start) as usize;
        self.position = self.position.max(start).max(end);
        let text: String = self.rest.by_ref().skip(passed).take(count).collect();
        let inner = text.find('\'').map_or("", |quote| &text[quote + 1..]);
        inner.strip_suffix('\'').unwrap_or(inner).replace("''", "'")
    }
}

fn invalid() -> SqlError {
    SqlError::syntax("invalid Unicode escape").with_hint("Unicode escapes must be \\XXXX or \\+XXXXXX.")
}

/// The string with its escapes as characters; 42601 with the place where it fails.
fn decoded(raw: &str, escape: char) -> std::result::Result<String, (SqlError, u32)> {
    let mut out = String::with_capacity(raw.len());
    // The first half of a surrogate pair.
    let mut high: Option<u32> = None;
    let mut rest = raw.chars();
    let place = |rest: &str| {
        let offset = raw[..raw.len() - rest.len()].chars().count();
        u32::try_from(offset).unwrap_or(u32::MAX / 2)
    };
    let pair = || SqlError::syntax("invalid Unicode surrogate pair");
    loop {
        let here = rest.as_str();
        let Some(character) = rest.next() else { break };
        if character != escape || rest.as_str().starts_with(escape) {
            if high.is_some() {
                return Err((pair(), place(here)));
            }
            if character == escape {
                rest.next();
            }
            out.push(character);
            continue;
        }
        let digits = if rest.as_str().starts_with('+') { 6 } else { 4 };
        if digits == 6 {
            rest.next();
        }
        let hex = rest.as_str().get(..digits).filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code =
            hex.and_then(|hex| u32::from_str_radix(hex, 16).ok()).ok_or_else(|| (invalid(), place(here)))?;
        rest = rest.as_str()[digits..].chars();
        let code = match (high.take(), code) {
            (None, 0xd800..=0xdbff) => {
                high = Some(code);
                continue;
            }
            (Some(high), 0xdc00..=0xdfff) => 0x1_0000 + ((high - 0xd800) << 10) + (code - 0xdc00),
            (Some(_), _) | (None, 0xdc00..=0xdfff) => return Err((pair(), place(here))),
            (None, code) => code,
        };
        let character = char::from_u32(code).filter(|character| *character != '\0');
        out.push(character.ok_or_else(|| (SqlError::syntax("invalid Unicode escape value"), place(here)))?);
    }
    match high {
        Some(_) => Err((pair(), place(""))),
        None => Ok(out),
    }
}
