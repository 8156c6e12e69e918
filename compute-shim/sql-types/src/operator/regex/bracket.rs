//! Bracket expressions of an ARE, brought into the syntax of the crate.
//!
//! Members are written by their codes, since the crate gives meaning to more characters inside than ARE does, and in expanded
//! syntax passes over blanks there.

use super::escape::{Escape, invalid_escape};
use super::{CLASSES, Previous, Translator, cases, invalid};
use crate::error::{Result, SqlError};

/// What matches no character, as a member.
pub(super) const NONE: &str = "[^\\x{0}-\\x{10FFFF}]";

/// One thing between brackets.
enum Member {
    Character(u32),
    /// A class in the syntax of the crate: it neither begins nor ends a range.
    Class(String),
    /// A hyphen that is neither first nor last.
    Hyphen,
}

impl Translator<'_> {
    /// A bracket expression behind its opening bracket.
    pub(super) fn bracket(&mut self) -> Result<Previous> {
        for (word, boundary) in [("[:<:]]", "\\b{start}"), ("[:>:]]", "\\b{end}")] {
            if self.rest_starts_with(word) {
                self.out.push_str(boundary);
                self.skip(word.len());
                return Ok(Previous::Nothing);
            }
        }
        let is_negated = self.rest.next_if_eq(&'^').is_some();
        let mut members = String::new();
        // A closing bracket or a hyphen in the first place is itself.
        let mut first = self.rest.next_if(|&next| next == ']' || next == '-').map(u32::from);
        while let Some(member) =
            first.take().map(Member::Character).map_or_else(|| self.member(), |m| Ok(Some(m)))?
        {
            match member {
                Member::Hyphen => return Err(invalid_range()),
                Member::Class(class) => members.push_str(&class),
                Member::Character(low) => {
                    let high = match self.hyphen() {
                        true => self.range_end()?,
                        false => low,
                    };
                    if high < low {
                        return Err(invalid_range());
                    }
                    push_cases(&mut members, low, high, self.options.ignore_case);
                }
            }
        }
        if members.is_empty() {
            members.push_str(NONE);
        }
        let start = match (is_negated, self.options.breaks_lines) {
            (true, true) => "[^\\n",
            (true, false) => "[^",
            (false, _) => "[",
        };
        self.out.push_str(start);
        self.out.push_str(&members);
        self.out.push(']');
        Ok(Previous::Atom)
    }

    /// Takes a hyphen unless it is the last member.
    fn hyphen(&mut self) -> bool {
        let is_last = self.rest_starts_with("-]");
        !is_last && self.rest.next_if_eq(&'-').is_some()
    }

    fn range_end(&mut self) -> Result<u32> {
        match self.member()? {
            Some(Member::Character(code)) => Ok(code),
            Some(Member::Hyphen) => Ok(u32::from('-')),
            Some(Member::Class(_)) => Err(invalid_range()),
            None => unreachable!("a hyphen before the closing bracket is no range's"),
        }
    }

    /// The next member; none at the closing bracket.
    fn member(&mut self) -> Result<Option<Member>> {
        if self.hyphen() {
            return Ok(Some(Member::Hyphen));
        }
        Ok(Some(match self.rest.next() {
            None => return Err(unbalanced()),
            Some(']') => return Ok(None),
            Some('[') => match self.rest.peek() {
                Some(&mark @ (':' | '.' | '=')) => self.named(mark)?,
                _ => Member::Character(u32::from('[')),
            },
            Some('\\') if self.rest.peek().is_some_and(|next| matches!(next, '1'..='9')) => {
                return Err(invalid_escape());
            }
            Some('\\') => match self.read_escape()? {
                Escape::Character(code) => Member::Character(code),
                Escape::Class(members, false) => Member::Class(format!("[{members}]")),
                Escape::Class(members, true) => Member::Class(format!("[^{members}]")),
                Escape::Constraint(_) | Escape::BackReference => return Err(invalid_escape()),
            },
            Some(other) => Member::Character(u32::from(other)),
        }))
    }

    /// `[:class:]`, `[.x.]`, `[=x=]` behind their opening bracket.
    fn named(&mut self, mark: char) -> Result<Member> {
        self.rest.next();
        let mut name = String::new();
        loop {
            match self.rest.next() {
                None => return Err(unbalanced()),
                Some(next) if next == mark && self.rest.next_if_eq(&']').is_some() => break,
                Some(next) => name.push(next),
            }
        }
        let name = name.as_str();
        if mark == ':' {
            let class = match name {
                "lower" | "upper" if self.options.ignore_case => "alpha",
                name => name,
            };
            let found = CLASSES.iter().find(|(name, _)| *name == class);
            let (_, members) = found.ok_or_else(|| invalid("invalid character class"))?;
            return Ok(Member::Class(format!("[{members}]")));
        }
        let mut characters = name.chars();
        match (characters.next(), characters.next()) {
            (None, _) => Err(invalid("invalid collating element")),
            (Some(character), None) if mark == '.' => Ok(Member::Character(u32::from(character))),
            // No character has an equal but itself.
            (Some(character), None) => {
                let mut members = String::new();
                let code = u32::from(character);
                push_cases(&mut members, code, code, self.options.ignore_case);
                Ok(Member::Class(members))
            }
            _ => Err(SqlError::unsupported("a collating element's name in regular expressions")),
        }
    }

    /// One code outside of brackets.
    pub(super) fn single(&self, code: u32) -> String {
        single(code, self.options.ignore_case)
    }

    pub(super) fn rest_starts_with(&self, word: &str) -> bool {
        let mut rest = self.rest.clone();
        word.chars().all(|character| rest.next() == Some(character))
    }

    fn skip(&mut self, characters: usize) {
        for _ in 0..characters {
            self.rest.next();
        }
    }
}

fn unbalanced() -> SqlError {
    invalid("brackets [] not balanced")
}

fn invalid_range() -> SqlError {
    invalid("invalid character range")
}

/// What there is of characters in a range of codes.
fn push_range(members: &mut String, low: u32, high: u32) {
    let low = if char::from_u32(low).is_none() && low < 0xe000 { 0xe000 } else { low };
    let high = if char::from_u32(high).is_none() && high < 0xe000 { 0xd7ff } else { high.min(0x10_ffff) };
    if low < high {
        members.push_str(&format!("\\x{{{low:x}}}-\\x{{{high:x}}}"));
    } else if low == high {
        members.push_str(&format!("\\x{{{low:x}}}"));
    }
}

/// A range, with the other cases of what is in it if they do not count.
fn push_cases(members: &mut String, low: u32, high: u32, ignore_case: bool) {
    push_range(members, low, high);
    if ignore_case {
        for code in cases::others(low, high) {
            push_range(members, code, code);
        }
    }
}

/// One code outside of brackets.
pub(super) fn single(code: u32, ignore_case: bool) -> String {
    let mut members = String::new();
    push_cases(&mut members, code, code, ignore_case);
    match ignore_case {
        _ if members.is_empty() => NONE.to_owned(),
        true => format!("[{members}]"),
        false => members,
    }
}
