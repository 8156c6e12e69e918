//! LIKE and ILIKE.
//!
//! Owns the matching of `%` and `_` with an escape character. `regex.rs` owns the other patterns.

use crate::datum::Datum;
use crate::env::{EvalEnv, Watch};
use crate::error::{Result, SqlError, SqlState};
use crate::function::to_lower;

/// Most pairs of a byte of the text and one of the pattern that are compared without a look whether the statement shall stop:
/// 30 ms at 2 ns each.
const UNWATCHED_PAIRS_MAX: usize = 1 << 24;

/// Pairs that count as one step. A guess.
const PAIRS_PER_STEP: usize = 16;

/// Whether the whole text matches. `\` escapes the character behind it; 22025 where it stands last.
pub(crate) fn matches(env: &EvalEnv<'_>, text: &str, pattern: &str) -> Result<bool> {
    matches_bytes(env, text.as_bytes(), pattern.as_bytes(), character_len)
}

/// Likewise, of characters whose length their first byte tells.
fn matches_bytes(
    env: &EvalEnv<'_>,
    text: &[u8],
    pattern: &[u8],
    character_len: fn(u8) -> usize,
) -> Result<bool> {
    let (mut watch, pairs) = (Watch::new(env), text.len().saturating_mul(pattern.len()));
    if pairs <= UNWATCHED_PAIRS_MAX {
        watch.count(pairs / PAIRS_PER_STEP)?;
        return matches_counted(text, pattern, character_len, |_| Ok(()));
    }
    matches_counted(text, pattern, character_len, |compared| watch.count(compared))
}

fn matches_counted(
    text: &[u8],
    pattern: &[u8],
    character_len: fn(u8) -> usize,
    mut count: impl FnMut(usize) -> Result<()>,
) -> Result<bool> {
    let (mut t, mut p) = (0, 0);
    // Where to go on after the latest `%` if what follows it does not match here.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let matched = match pattern.get(p) {
            Some(b'%') => {
                p += 1;
                retry = Some((t, p));
                continue;
            }
            Some(b'_') if t < text.len() => {
                t += character_len(text[t]);
                p += 1;
                true
            }
            // The end of the text comes first: what stands behind it in the pattern is not looked at.
            Some(b'\\') if t == text.len() => false,
            Some(b'\\') => {
                let Some(literal) = pattern.get(p + 1) else {
                    let message = "LIKE pattern must not end with escape character";
                    return Err(SqlError::new(SqlState::INVALID_ESCAPE_SEQUENCE, message));
                };
                let same = text.get(t) == Some(literal);
                (t, p) = if same { (t + 1, p + 2) } else { (t, p) };
                same
            }
            Some(literal) => {
                let same = *literal != b'_' && text.get(t) == Some(literal);
                (t, p) = if same { (t + 1, p + 1) } else { (t, p) };
                same
            }
            None if t == text.len() => return Ok(true),
            None => false,
        };
        if matched {
            continue;
        }
        match retry {
            Some((from, behind)) if from < text.len() => {
                count(1 + p - behind)?;
                t = from + character_len(text[from]);
                p = behind;
                retry = Some((t, p));
            }
            _ => return Ok(false),
        }
    }
}

/// Bytes of the character that begins with this byte.
fn character_len(first: u8) -> usize {
    match first {
        0..=0xbf => 1,
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        _ => 4,
    }
}

fn operands_text(operands: &[Datum]) -> (&str, &str) {
    match operands {
        [Datum::Text(text), Datum::Text(pattern)] => (text, pattern),
        _ => panic!("LIKE was given values of other types: {operands:?}"),
    }
}

pub(crate) fn like(env: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    let (text, pattern) = operands_text(operands);
    matches(env, text, pattern).map(Datum::Bool)
}

pub(crate) fn bytes_like(env: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    match operands {
        [Datum::Bytea(bytes), Datum::Bytea(pattern)] => {
            matches_bytes(env, bytes, pattern, |_| 1).map(Datum::Bool)
        }
        _ => panic!("LIKE was given values of other types: {operands:?}"),
    }
}

pub(crate) fn bytes_not_like(env: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    bytes_like(env, operands).map(|matched| Datum::Bool(matched.as_bool() == Some(false)))
}

pub(crate) fn not_like(env: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    let (text, pattern) = operands_text(operands);
    matches(env, text, pattern).map(|matched| Datum::Bool(!matched))
}

pub(crate) fn ilike(env: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    let (text, pattern) = operands_text(operands);
    matches(env, &to_lower(text), &to_lower(pattern)).map(Datum::Bool)
}

pub(crate) fn not_ilike(env: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    let (text, pattern) = operands_text(operands);
    matches(env, &to_lower(text), &to_lower(pattern)).map(|matched| Datum::Bool(!matched))
}

/// Rewrites a pattern whose escape character is another (`LIKE … ESCAPE 'x'`); an empty escape switches escapes off.
/// 22025 for an escape of more than one character.
pub(crate) fn escape(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    let (pattern, escape) = operands_text(operands);
    let mut characters = escape.chars();
    let escape = match (characters.next(), characters.next()) {
        (None, _) => return Ok(Datum::text(pattern.replace('\\', "\\\\"))),
        (Some('\\'), None) => return Ok(operands[0].clone()),
        (Some(escape), None) => escape,
        _ => {
            let error = SqlError::new(SqlState::INVALID_ESCAPE_SEQUENCE, "invalid escape string");
            return Err(error.with_hint("Escape string must be empty or one character."));
        }
    };
    let mut result = String::with_capacity(pattern.len());
    let mut escaped = false;
    for character in pattern.chars() {
        if character == escape && !escaped {
            result.push('\\');
            escaped = true;
            continue;
        }
        if character == '\\' && !escaped {
            result.push('\\');
        }
        result.push(character);
        escaped = false;
    }
    Ok(Datum::text(result))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (text, pattern, expected) in [
            ("abc", "abc", true),
            ("abc", "a%", true),
            ("abc", "%c", true),
            ("abc", "_b_", true),
            ("abc", "a_", false),
            ("", "%", true),
            ("", "_", false),
            ("aXbXc", "%X%c", true),
            ("äöü", "_ö_", true),
            ("äöü", "%ü", true),
            ("a%c", "a\\%c", true),
            ("abc", "a\\%c", false),
            ("a_c", "a\\_c", true),
            ("mississippi", "%iss%ip%i", true),
            ("aaa", "%aaaa%", false),
            ("_", "_", true),
            // The text ends before the pattern's fault is reached.
            ("abc", "abc\\", false),
        ] {
            assert_eq!(
                matches(&EvalEnv::without_session(), text, pattern).expect(pattern),
                expected,
                "{text} LIKE {pattern}"
            );
        }
        assert_eq!(
            matches(&EvalEnv::without_session(), "abcd", "abc\\")
                .expect_err("ends with the escape")
                .to_string(),
            "ERROR 22025: LIKE pattern must not end with escape character"
        );
    }
}
