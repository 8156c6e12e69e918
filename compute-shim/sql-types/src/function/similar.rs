//! Regular expressions of SQL: SIMILAR TO, and `substring(x SIMILAR pattern ESCAPE escape)`.
//!
//! Owns the way from such a pattern to an ARE. Read next: `similar/division.rs`, which divides a text by a pattern in three
//! parts; `operator/regex.rs`, which reads AREs.

mod division;

use self::division::division;
use super::regexp::flags_at;
use super::str_at;
use crate::datum::Datum;
use crate::env::{EvalEnv, Watch};
use crate::error::{Result, SqlError, SqlState};
use crate::operator::regex::searched::Searched;
use crate::operator::regex::{Options, compile};

/// SIMILAR TO's pattern as an ARE: `%` and `_` are wild, the other signs of SQL's regular expressions mean what they mean there.
pub(super) fn similar_to_escape(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let parts = parts(str_at(args, 0), flags_at(args, 1))?;
    let whole = match parts.as_slice() {
        [whole] => format!("^(?:{whole})$"),
        [first, middle] => format!("^(?:{first}){{1,1}}?({middle})$"),
        [first, middle, last] => format!("^(?:{first}){{1,1}}?({middle}){{1,1}}(?:{last})$"),
        more => unreachable!("{} parts", more.len()),
    };
    Ok(whole.into())
}

/// The text that the middle part matches, or all of it if the pattern is one part: of several divisions the one whose first part
/// is the shortest, and of those the one whose middle is the longest.
pub(super) fn substring(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let (text, parts) = (Searched::new(str_at(args, 0)), parts(str_at(args, 1), flags_at(args, 2))?);
    let Datum::Text(whole) = similar_to_escape(env, &args[1..])? else {
        unreachable!("a pattern is a text");
    };
    let (pattern, mut watch) = (compile(&whole, Options::default())?, Watch::new(env));
    if parts.len() == 1 {
        let is_match = pattern.is_match(&mut watch, &text)?;
        return Ok(if is_match { Datum::from(&*text) } else { Datum::Null });
    }
    let found = division(&mut watch, &whole, &parts)?.find(&mut watch, &text)?;
    Ok(found.map_or(Datum::Null, |range| Datum::from(&text[range])))
}

/// The pattern's parts, between escape-double-quote separators, as AREs.
fn parts(pattern: &str, escape: Option<&str>) -> Result<Vec<String>> {
    let escape = match escape {
        None => Some('\\'),
        Some(escape) => {
            let mut characters = escape.chars();
            let first = characters.next();
            if characters.next().is_some() {
                let error = SqlError::new(SqlState::INVALID_ESCAPE_SEQUENCE, "invalid escape string");
                return Err(error.with_hint("Escape string must be empty or one character."));
            }
            first
        }
    };
    let (mut parts, mut out) = (Vec::new(), String::new());
    let (mut in_bracket, mut after_escape) = (false, false);
    for character in pattern.chars() {
        if after_escape {
            after_escape = false;
            if character == '"' && !in_bracket {
                if parts.len() == 2 {
                    return Err(too_many_separators());
                }
                parts.push(std::mem::take(&mut out));
            } else {
                out.push('\\');
                out.push(character);
            }
        } else if Some(character) == escape {
            after_escape = true;
        } else if in_bracket {
            if character == '\\' {
                out.push('\\');
            }
            out.push(character);
            in_bracket = character != ']';
        } else {
            match character {
                '[' => {
                    out.push('[');
                    in_bracket = true;
                }
                '%' => out.push_str(".*"),
                '_' => out.push('.'),
                '(' => out.push_str("(?:"),
                '\\' | '.' | '^' | '$' => {
                    out.push('\\');
                    out.push(character);
                }
                other => out.push(other),
            }
        }
    }
    parts.push(out);
    Ok(parts)
}

fn too_many_separators() -> SqlError {
    let message = "SQL regular expression may not contain more than two escape-double-quote separators";
    SqlError::new(SqlState::INVALID_USE_OF_ESCAPE_CHARACTER, message)
}
