//! Text taken apart by SQL's own rules: `parse_ident`, `unistr`.
//!
//! Owns those of identifiers and of Unicode escapes. Read next: `quote.rs`.

use super::str_at;
use crate::datum::{Array, Datum};
use crate::env::EvalEnv;
use crate::error::{Result, SqlError};
use crate::types::TypeId;

fn invalid_identifier(text: &str, detail: Option<&str>) -> SqlError {
    let error = SqlError::invalid_parameter(format!("string is not a valid identifier: \"{text}\""));
    match detail {
        Some(detail) => error.with_detail(detail),
        None => error,
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}')
}

/// `parse_ident(text [, strict])`: the parts of a qualified name.
pub(super) fn parse_ident(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let text = str_at(args, 0);
    let strict = args.get(1).and_then(Datum::as_bool).unwrap_or(true);
    let mut rest = text.trim_start_matches(is_space);
    let mut parts = Vec::new();
    let mut after_dot = false;
    loop {
        if rest.starts_with('"') {
            let (part, behind) = quoted_part(text, rest)?;
            parts.push(Datum::from(part));
            rest = behind;
        } else {
            let starts = |c: char| c == '_' || c.is_ascii_alphabetic() || !c.is_ascii();
            let goes_on = |c: char| starts(c) || c == '$' || c.is_ascii_digit();
            if !rest.starts_with(starts) {
                let detail = match (rest.starts_with('.'), after_dot) {
                    (true, _) => Some("No valid identifier before \".\"."),
                    (false, true) => Some("No valid identifier after \".\"."),
                    (false, false) => None,
                };
                return Err(invalid_identifier(text, detail));
            }
            let end = rest.find(|c: char| !goes_on(c)).unwrap_or(rest.len());
            parts.push(Datum::from(rest[..end].to_ascii_lowercase()));
            rest = &rest[end..];
        }
        rest = rest.trim_start_matches(is_space);
        if let Some(behind) = rest.strip_prefix('.') {
            after_dot = true;
            rest = behind.trim_start_matches(is_space);
        } else if rest.is_empty() || !strict {
            return Ok(Array::from_values(TypeId::TEXT, parts).into());
        } else {
            return Err(invalid_identifier(text, None));
        }
    }
}

/// A part in quotes, a doubled one of which is one; and what is behind it.
fn quoted_part<'a>(text: &str, rest: &'a str) -> Result<(String, &'a str)> {
    let mut part = String::new();
    let mut from = 1;
    loop {
        let Some(end) = rest[from..].find('"').map(|at| from + at) else {
            return Err(invalid_identifier(text, Some("String has unclosed double quotes.")));
        };
        part.push_str(&rest[from..end]);
        if !rest[end + 1..].starts_with('"') {
            return match part.is_empty() {
                true => Err(invalid_identifier(text, Some("Quoted identifier must not be empty."))),
                false => Ok((part, &rest[end + 1..])),
            };
        }
        part.push('"');
        from = end + 2;
    }
}

/// `unistr(text)`: escapes of Unicode resolved.
pub(super) fn unistr(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let mut rest = str_at(args, 0);
    let mut out = String::new();
    let mut high: Option<u32> = None;
    let pair = || SqlError::syntax("invalid Unicode surrogate pair");
    while let Some(c) = rest.chars().next() {
        let is_escape = c == '\\' && !rest[1..].starts_with('\\');
        if !is_escape {
            if high.is_some() {
                return Err(pair());
            }
            out.push(c);
            rest = if c == '\\' { &rest[2..] } else { &rest[c.len_utf8()..] };
            continue;
        }
        let (code, length) = escape(&rest[1..]).ok_or_else(|| {
            SqlError::syntax("invalid Unicode escape")
                .with_hint("Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.")
        })?;
        rest = &rest[1 + length..];
        if code == 0 || code > 0x10_ffff {
            return Err(SqlError::invalid_parameter(format!("invalid Unicode code point: {code:04X}")));
        }
        let code = match (code, high.take()) {
            (0xd800..0xdc00, None) => {
                high = Some(code);
                continue;
            }
            (0xdc00..0xe000, Some(first)) => 0x10000 + ((first & 0x3ff) << 10) + (code & 0x3ff),
            (0xd800..0xe000, _) | (_, Some(_)) => return Err(pair()),
            (code, None) => code,
        };
        out.push(char::from_u32(code).ok_or_else(pair)?);
    }
    if high.is_some() {
        return Err(pair());
    }
    Ok(out.into())
}

/// The code behind a backslash and how many bytes it takes there.
fn escape(text: &str) -> Option<(u32, usize)> {
    let (skipped, digits) = match text.chars().next()? {
        'u' => (1, 4),
        'U' => (1, 8),
        '+' => (1, 6),
        _ => (0, 4),
    };
    let code = text.get(skipped..skipped + digits)?;
    if !code.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Some((u32::from_str_radix(code, 16).ok()?, skipped + digits))
}
