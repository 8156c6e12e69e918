//! Escapes of an ARE: what a backslash and the characters behind it stand for, outside of brackets and inside.
//!
//! <https://www.postgresql.org/docs/15/functions-matching.html>, tables 9.20 to 9.23.

use super::{Translator, invalid, shorthand};
use crate::error::Result;

/// Hexadecimal escapes name a code below this; one that is no character matches none.
const CODES_MAX: u32 = 0x7fff_ffff;

/// What an escape stands for.
pub(super) enum Escape {
    Character(u32),
    /// Members of a class, and whether it is all but them.
    Class(&'static str, bool),
    /// A constraint in the syntax of the crate: it matches a place.
    Constraint(&'static str),
    BackReference,
}

impl Translator<'_> {
    /// Reads an escape behind its backslash.
    pub(super) fn read_escape(&mut self) -> Result<Escape> {
        let Some(character) = self.rest.next() else {
            return Err(invalid_escape());
        };
        Ok(match character {
            'd' | 's' | 'w' => Escape::Class(shorthand(character), false),
            'D' | 'S' | 'W' => Escape::Class(shorthand(character.to_ascii_lowercase()), true),
            'A' => Escape::Constraint("\\A"),
            'Z' => Escape::Constraint("\\z"),
            'm' => Escape::Constraint("\\b{start}"),
            'M' => Escape::Constraint("\\b{end}"),
            'y' => Escape::Constraint("\\b"),
            'Y' => Escape::Constraint("\\B"),
            '0' => Escape::Character(self.octal(0, 2)?),
            '1'..='9' => self.number(character)?,
            other => Escape::Character(self.character_of(other)?),
        })
    }

    fn character_of(&mut self, letter: char) -> Result<u32> {
        Ok(match letter {
            'a' => 0x07,
            'b' => 0x08,
            't' => 0x09,
            'n' => 0x0a,
            'v' => 0x0b,
            'f' => 0x0c,
            'r' => 0x0d,
            'e' => 0x1b,
            'B' => u32::from('\\'),
            'c' => u32::from(self.rest.next().ok_or_else(invalid_escape)?) & 0x1f,
            'u' => self.hexadecimal(4, 4)?,
            'U' => self.hexadecimal(8, 8)?,
            'x' => self.hexadecimal(1, usize::MAX)?,
            other if other.is_ascii_alphanumeric() => return Err(invalid_escape()),
            other => u32::from(other),
        })
    }

    /// A back reference, or a character by three octal digits if there is no group of that number; of one digit it is
    /// always the former.
    fn number(&mut self, first: char) -> Result<Escape> {
        let digits: String = self.rest.clone().take_while(char::is_ascii_digit).collect();
        let groups: usize = format!("{first}{digits}").parse().unwrap_or(usize::MAX);
        if groups <= self.facts.captures {
            for _ in digits.chars() {
                self.rest.next();
            }
            return Ok(Escape::BackReference);
        }
        match first.to_digit(8) {
            _ if digits.is_empty() => Err(invalid("invalid backreference number")),
            Some(first) => Ok(Escape::Character(self.octal(first, 2)?)),
            None => Err(invalid_escape()),
        }
    }

    fn octal(&mut self, first: u32, more: usize) -> Result<u32> {
        self.digits(first, 8, 0, more)
    }

    fn hexadecimal(&mut self, at_least: usize, at_most: usize) -> Result<u32> {
        self.digits(0, 16, at_least, at_most)
    }

    fn digits(&mut self, first: u32, radix: u32, at_least: usize, at_most: usize) -> Result<u32> {
        let (mut code, mut count) = (first, 0);
        while count < at_most
            && let Some(digit) = self.rest.peek().and_then(|character| character.to_digit(radix))
        {
            self.rest.next();
            count += 1;
            code = code.checked_mul(radix).and_then(|code| code.checked_add(digit)).unwrap_or(u32::MAX);
        }
        match count >= at_least && code <= CODES_MAX {
            true => Ok(code),
            false => Err(invalid_escape()),
        }
    }
}

pub(super) fn invalid_escape() -> crate::error::SqlError {
    invalid("invalid escape \\ sequence")
}
