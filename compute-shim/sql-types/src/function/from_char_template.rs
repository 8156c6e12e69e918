//! Templates by which dates and times are read: patterns and text.
//!
//! Owns the patterns' names, which of them read digits, and their calendars. Read next: `from_char.rs`.

use crate::error::{Result, SqlError, SqlState};

/// Which calendar a pattern counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Any,
    Gregorian,
    IsoWeek,
}

/// A pattern: its name in upper case, whether it reads digits, and its calendar.
pub(super) struct Pattern {
    pub name: &'static str,
    pub is_digits: bool,
    pub mode: Mode,
}

const fn pattern(name: &'static str, is_digits: bool, mode: Mode) -> Pattern {
    Pattern { name, is_digits, mode }
}

/// Where one begins with another the longer comes first; all may be written in lower case too.
const PATTERNS: &[Pattern] = &[
    pattern("A.D.", false, Mode::Any),
    pattern("A.M.", false, Mode::Any),
    pattern("AD", false, Mode::Any),
    pattern("AM", false, Mode::Any),
    pattern("B.C.", false, Mode::Any),
    pattern("BC", false, Mode::Any),
    pattern("CC", true, Mode::Any),
    pattern("DAY", false, Mode::Any),
    pattern("DDD", true, Mode::Gregorian),
    pattern("DD", true, Mode::Gregorian),
    pattern("DY", false, Mode::Any),
    pattern("D", true, Mode::Gregorian),
    pattern("FF1", true, Mode::Any),
    pattern("FF2", true, Mode::Any),
    pattern("FF3", true, Mode::Any),
    pattern("FF4", true, Mode::Any),
    pattern("FF5", true, Mode::Any),
    pattern("FF6", true, Mode::Any),
    pattern("FX", false, Mode::Any),
    pattern("HH24", true, Mode::Any),
    pattern("HH12", true, Mode::Any),
    pattern("HH", true, Mode::Any),
    pattern("IDDD", true, Mode::IsoWeek),
    pattern("ID", true, Mode::IsoWeek),
    pattern("IW", true, Mode::IsoWeek),
    pattern("IYYY", true, Mode::IsoWeek),
    pattern("IYY", true, Mode::IsoWeek),
    pattern("IY", true, Mode::IsoWeek),
    pattern("I", true, Mode::IsoWeek),
    pattern("J", true, Mode::Any),
    pattern("MI", true, Mode::Any),
    pattern("MM", true, Mode::Gregorian),
    pattern("MONTH", false, Mode::Gregorian),
    pattern("MON", false, Mode::Gregorian),
    pattern("MS", true, Mode::Any),
    pattern("OF", false, Mode::Any),
    pattern("P.M.", false, Mode::Any),
    pattern("PM", false, Mode::Any),
    pattern("Q", true, Mode::Any),
    pattern("RM", false, Mode::Gregorian),
    pattern("SSSSS", true, Mode::Any),
    pattern("SSSS", true, Mode::Any),
    pattern("SS", true, Mode::Any),
    pattern("TZH", false, Mode::Any),
    pattern("TZM", true, Mode::Any),
    pattern("TZ", false, Mode::Any),
    pattern("US", true, Mode::Any),
    pattern("WW", true, Mode::Gregorian),
    pattern("W", true, Mode::Gregorian),
    pattern("Y,YYY", true, Mode::Gregorian),
    pattern("YYYY", true, Mode::Gregorian),
    pattern("YYY", true, Mode::Gregorian),
    pattern("YY", true, Mode::Gregorian),
    pattern("Y", true, Mode::Gregorian),
];

/// A piece of a template.
pub(super) enum Node {
    /// `written`: the pattern as the template has it, for errors.
    Field {
        pattern: &'static Pattern,
        written: String,
        fill: bool,
        ordinal: bool,
    },
    Separator(char),
    Space(char),
    Text(char),
}

pub(super) fn invalid(message: impl Into<String>) -> SqlError {
    SqlError::new(SqlState::INVALID_DATETIME_FORMAT, message)
}

/// As C's `isspace`.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Printable, and neither a letter nor a digit.
pub(super) fn is_separator(c: char) -> bool {
    c.is_ascii_graphic() && !c.is_ascii_alphanumeric()
}

/// The pattern at the beginning of a text: in upper case, in lower case, or as a capitalised name.
fn pattern_at(text: &str) -> Option<&'static Pattern> {
    PATTERNS.iter().find(|pattern| {
        let Some(written) = text.get(..pattern.name.len()) else { return false };
        let capitalised = ["MONTH", "MON", "DAY", "DY"].contains(&pattern.name)
            && written.eq_ignore_ascii_case(pattern.name)
            && written[1..].bytes().all(|byte| byte.is_ascii_lowercase())
            && written.as_bytes()[0].is_ascii_uppercase();
        written == pattern.name || written == pattern.name.to_ascii_lowercase() || capitalised
    })
}

pub(super) fn parse(template: &str, strict: bool) -> Result<Vec<Node>> {
    let mut nodes = Vec::new();
    let mut rest = template;
    while let Some(first) = rest.chars().next() {
        let prefix = ["FM", "fm", "TM", "tm"].into_iter().find(|prefix| rest.starts_with(prefix));
        let behind = prefix.map_or(rest, |prefix| &rest[prefix.len()..]);
        if let Some(pattern) = pattern_at(behind) {
            let (written, after) = behind.split_at(pattern.name.len());
            let ordinal = after.starts_with("TH") || after.starts_with("th");
            let suffix = usize::from(ordinal || after.starts_with("SP")) * 2;
            let fill = matches!(prefix, Some("FM" | "fm"));
            nodes.push(Node::Field { pattern, written: written.to_owned(), fill, ordinal });
            rest = &after[suffix..];
            continue;
        }
        if prefix.is_some() {
            rest = behind;
            continue;
        }
        if first == '"' {
            rest = quoted(&rest[1..], &mut nodes);
            continue;
        }
        if strict {
            if !"-./,':; ".contains(first) {
                return Err(invalid(format!("invalid datetime format separator: \"{first}\"")));
            }
            nodes.push(if first == ' ' { Node::Space(first) } else { Node::Separator(first) });
            rest = &rest[1..];
            continue;
        }
        let after = if rest.starts_with("\\\"") { &rest[1..] } else { rest };
        let c = after.chars().next().expect("not empty");
        nodes.push(match c {
            c if is_separator(c) => Node::Separator(c),
            c if c.is_ascii() && is_space(c as u8) => Node::Space(c),
            c => Node::Text(c),
        });
        rest = &after[c.len_utf8()..];
    }
    Ok(nodes)
}

fn quoted<'a>(mut rest: &'a str, nodes: &mut Vec<Node>) -> &'a str {
    while let Some(c) = rest.chars().next() {
        if c == '"' {
            return &rest[1..];
        }
        let after = if c == '\\' && rest.len() > 1 { &rest[1..] } else { rest };
        let c = after.chars().next().expect("not empty");
        nodes.push(Node::Text(c));
        rest = &after[c.len_utf8()..];
    }
    rest
}
