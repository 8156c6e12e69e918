//! Reading JSON text with PostgreSQL's errors.
//!
//! Owns the grammar of RFC 7159 as `src/common/jsonapi.c` of PostgreSQL 15 has it, down to what an error shows. The result
//! keeps where each value stands in the text, for the functions of type `json`, which give back what was written.

use std::ops::Range;

use super::{Json, NESTING_MAX, too_deep};
use crate::error::{Result, SqlError, SqlState};
use crate::numeric::Numeric;

/// Most bytes of the line that an error shows.
const CONTEXT_BYTES: usize = 50;

/// A text taken apart.
#[derive(Debug)]
pub struct Source {
    /// The one value.
    pub root: Node,
}

/// A value and the bytes of the text that it was read from.
#[derive(Debug)]
pub struct Node {
    /// Its bytes in the text.
    pub span: Range<usize>,
    /// What it is.
    pub kind: NodeKind,
}

/// What was read.
#[derive(Debug)]
pub enum NodeKind {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// Digits, as the span has them.
    Number,
    /// A string, its escapes resolved if that was asked for.
    String(String),
    /// Elements.
    Array(Vec<Node>),
    /// Members as they were written.
    Object(Vec<(String, Node)>),
}

/// Whether a text is of type `json`. Escapes are not resolved: those of no character are errors of whoever reads them.
pub fn check(text: &str) -> Result<()> {
    Source::parse(text, false).map(|_| ())
}

impl Source {
    /// Reads a text. With `resolve`, strings are what they stand for, and 22P05 tells of a NUL.
    pub fn parse(text: &str, resolve: bool) -> Result<Source> {
        let mut parser = Parser {
            text,
            bytes: text.as_bytes(),
            resolve,
            token: Token::End,
            start: 0,
            end: 0,
            line: 1,
            line_start: 0,
            string: String::new(),
        };
        parser.next()?;
        let root = parser.value(0)?;
        match parser.token {
            Token::End => Ok(Source { root }),
            _ => Err(parser.unexpected("Expected end of input, but found")),
        }
    }
}

impl Node {
    /// In jsonb's normal form. 22003 for numbers beyond the range of `numeric`.
    pub fn to_json(&self, text: &str) -> Result<Json> {
        Ok(match &self.kind {
            NodeKind::Null => Json::Null,
            NodeKind::Bool(value) => Json::Bool(*value),
            NodeKind::Number => Json::Number(Numeric::parse(&text[self.span.clone()])?),
            NodeKind::String(value) => Json::string(value),
            NodeKind::Array(elements) => {
                Json::Array(elements.iter().map(|element| element.to_json(text)).collect::<Result<_>>()?)
            }
            NodeKind::Object(members) => {
                let pairs =
                    members.iter().map(|(key, value)| Ok((key.as_str().into(), value.to_json(text)?)));
                Json::object(pairs.collect::<Result<_>>()?)
            }
        })
    }

    /// The last member of a key.
    pub fn member(&self, key: &str) -> Option<&Node> {
        let NodeKind::Object(members) = &self.kind else { return None };
        members.iter().rev().find(|(other, _)| other == key).map(|(_, value)| value)
    }

    /// The element of an array, counted from 0, or from the end if negative.
    pub fn element(&self, index: i32) -> Option<&Node> {
        let NodeKind::Array(elements) = &self.kind else { return None };
        elements.get(super::array_index(elements.len(), index)?)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    ObjectStart,
    ObjectEnd,
    ArrayStart,
    ArrayEnd,
    Comma,
    Colon,
    String,
    Number,
    True,
    False,
    Null,
    End,
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    resolve: bool,
    token: Token,
    /// Bytes of the token.
    start: usize,
    end: usize,
    line: usize,
    line_start: usize,
    /// The string just read.
    string: String,
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

impl Parser<'_> {
    /// 22P02 with what is wrong.
    fn error(&self, detail: String) -> SqlError {
        let error =
            SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json");
        error.with_detail(detail).with_context(self.context())
    }

    /// The line up to the end of the token, cut at its front.
    fn context(&self) -> String {
        let mut from = self.line_start;
        while self.end.saturating_sub(from) >= CONTEXT_BYTES {
            from += 1;
            while !self.text.is_char_boundary(from) {
                from += 1;
            }
        }
        if from - self.line_start <= 3 {
            from = self.line_start;
        }
        let before = if from > self.line_start { "..." } else { "" };
        let is_cut = self.token != Token::End
            && self.end < self.bytes.len()
            && !matches!(self.bytes[self.end], b'\n' | b'\r');
        let behind = if is_cut { "..." } else { "" };
        let shown = self.text.get(from..self.end.max(from)).unwrap_or("");
        format!("JSON data, line {}: {before}{shown}{behind}", self.line)
    }

    fn lexeme(&self) -> &str {
        self.text.get(self.start..self.end).unwrap_or("")
    }

    /// The token is not what the grammar wants here.
    fn unexpected(&self, expected: &str) -> SqlError {
        if self.token == Token::End {
            return self.error("The input string ended unexpectedly.".to_owned());
        }
        self.error(format!("{expected} \"{}\".", self.lexeme()))
    }

    fn invalid_token(&mut self) -> SqlError {
        // Whatever it is, it is not the end.
        self.token = Token::Null;
        self.error(format!("Token \"{}\" is invalid.", self.lexeme()))
    }

    /// Reads the next token.
    fn next(&mut self) -> Result<()> {
        let mut at = self.end;
        while let Some(&byte) = self.bytes.get(at) {
            match byte {
                b'\n' => {
                    self.line += 1;
                    self.line_start = at + 1;
                }
                b' ' | b'\t' | b'\r' => {}
                _ => break,
            }
            at += 1;
        }
        self.start = at;
        let Some(&byte) = self.bytes.get(at) else {
            (self.token, self.end) = (Token::End, at);
            return Ok(());
        };
        let single = match byte {
            b'{' => Token::ObjectStart,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayStart,
            b']' => Token::ArrayEnd,
            b',' => Token::Comma,
            b':' => Token::Colon,
            b'"' => return self.string(),
            b'-' => return self.number(at + 1),
            b'0'..=b'9' => return self.number(at),
            _ => return self.word(),
        };
        (self.token, self.end) = (single, at + 1);
        Ok(())
    }

    fn word(&mut self) -> Result<()> {
        let length = self.bytes[self.start..].iter().take_while(|&&byte| is_word(byte)).count();
        self.end = self.start + length.max(1);
        self.token = match &self.bytes[self.start..self.end] {
            b"true" => Token::True,
            b"false" => Token::False,
            b"null" => Token::Null,
            _ => return Err(self.invalid_token()),
        };
        Ok(())
    }

    /// A number whose sign is behind.
    fn number(&mut self, mut at: usize) -> Result<()> {
        let digits = |at: usize| self.bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut is_sound = true;
        match self.bytes.get(at) {
            Some(b'0') => at += 1,
            Some(b'1'..=b'9') => at += digits(at),
            _ => is_sound = false,
        }
        if self.bytes.get(at) == Some(&b'.') {
            at += 1;
            let count = digits(at);
            is_sound &= count > 0;
            at += count;
        }
        if matches!(self.bytes.get(at), Some(b'e' | b'E')) {
            at += 1;
            if matches!(self.bytes.get(at), Some(b'+' | b'-')) {
                at += 1;
            }
            let count = digits(at);
            is_sound &= count > 0;
            at += count;
        }
        let rest = self.bytes[at..].iter().take_while(|&&byte| is_word(byte)).count();
        self.end = at + rest;
        if !is_sound || rest > 0 {
            return Err(self.invalid_token());
        }
        self.token = Token::Number;
        Ok(())
    }

    fn string(&mut self) -> Result<()> {
        self.token = Token::String;
        let mut out = String::new();
        let mut high: Option<u32> = None;
        let mut at = self.start + 1;
        loop {
            let Some(&byte) = self.bytes.get(at) else {
                self.end = at;
                return Err(self.invalid_token());
            };
            match byte {
                b'"' => break,
                0..32 => {
                    self.end = at;
                    return Err(self.error(format!("Character with value 0x{byte:02x} must be escaped.")));
                }
                b'\\' => {
                    at = self.escape(at + 1, &mut out, &mut high)?;
                    continue;
                }
                _ => {}
            }
            let length = self.character_length(at);
            self.check_no_surrogate(high, at + length)?;
            out.push_str(&self.text[at..at + length]);
            at += length;
        }
        self.check_no_surrogate(high, at + 1)?;
        self.end = at + 1;
        self.string = out;
        Ok(())
    }

    fn character_length(&self, at: usize) -> usize {
        self.text[at..].chars().next().map_or(1, char::len_utf8)
    }

    /// The first half of a pair must not stand alone; an error shows the text up to `end`.
    fn check_no_surrogate(&mut self, high: Option<u32>, end: usize) -> Result<()> {
        if !self.resolve || high.is_none() {
            return Ok(());
        }
        self.end = end;
        Err(self.error("Unicode low surrogate must follow a high surrogate.".to_owned()))
    }

    /// What stands behind a backslash; the place behind it.
    fn escape(&mut self, at: usize, out: &mut String, high: &mut Option<u32>) -> Result<usize> {
        let Some(&byte) = self.bytes.get(at) else {
            self.end = at;
            return Err(self.invalid_token());
        };
        if byte == b'u' {
            let code = self.hexadecimal(at + 1)?;
            if self.resolve {
                self.unicode(code, at + 5, out, high)?;
            }
            return Ok(at + 5);
        }
        let resolved = match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            _ => {
                self.check_no_surrogate(*high, at + 1)?;
                self.start = at;
                self.end = at + self.character_length(at);
                let detail = format!("Escape sequence \"\\{}\" is invalid.", self.lexeme());
                return Err(self.error(detail));
            }
        };
        self.check_no_surrogate(*high, at + 1)?;
        out.push(resolved);
        Ok(at + 1)
    }

    fn hexadecimal(&mut self, from: usize) -> Result<u32> {
        let mut code = 0;
        for at in from..from + 4 {
            let Some(&byte) = self.bytes.get(at) else {
                self.end = at;
                return Err(self.invalid_token());
            };
            let Some(digit) = char::from(byte).to_digit(16) else {
                self.end = at + self.character_length(at);
                return Err(self.error("\"\\u\" must be followed by four hexadecimal digits.".to_owned()));
            };
            code = code * 16 + digit;
        }
        Ok(code)
    }

    /// A code of an escape that ends at `end`.
    fn unicode(&mut self, code: u32, end: usize, out: &mut String, high: &mut Option<u32>) -> Result<()> {
        let before = std::mem::replace(&mut self.end, end);
        let resolved = match (code, *high) {
            (0xd800..0xdc00, Some(_)) => {
                return Err(self.error("Unicode high surrogate must not follow a high surrogate.".to_owned()));
            }
            (0xd800..0xdc00, None) => {
                *high = Some(code);
                self.end = before;
                return Ok(());
            }
            (0xdc00..0xe000, Some(first)) => 0x10000 + ((first & 0x3ff) << 10) + (code & 0x3ff),
            (0xdc00..0xe000, None) => {
                return Err(self.error("Unicode low surrogate must follow a high surrogate.".to_owned()));
            }
            (code, first) => {
                self.check_no_surrogate(first, end)?;
                code
            }
        };
        *high = None;
        if resolved == 0 {
            let error =
                SqlError::new(SqlState::UNTRANSLATABLE_CHARACTER, "unsupported Unicode escape sequence");
            return Err(error
                .with_detail("\\u0000 cannot be converted to text.")
                .with_context(self.context()));
        }
        self.end = before;
        out.push(char::from_u32(resolved).expect("surrogates are put together"));
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<Node> {
        let start = self.start;
        let kind = match self.token {
            Token::ObjectStart => return self.object(depth),
            Token::ArrayStart => return self.array(depth),
            Token::String => NodeKind::String(std::mem::take(&mut self.string)),
            Token::Number => NodeKind::Number,
            Token::True => NodeKind::Bool(true),
            Token::False => NodeKind::Bool(false),
            Token::Null => NodeKind::Null,
            _ => return Err(self.unexpected("Expected JSON value, but found")),
        };
        let span = start..self.end;
        self.next()?;
        Ok(Node { span, kind })
    }

    fn check_depth(depth: usize) -> Result<()> {
        if depth >= NESTING_MAX { Err(too_deep()) } else { Ok(()) }
    }

    fn array(&mut self, depth: usize) -> Result<Node> {
        Self::check_depth(depth)?;
        let start = self.start;
        self.next()?;
        let mut elements = Vec::new();
        if self.token != Token::ArrayEnd {
            elements.push(self.value(depth + 1)?);
            while self.token == Token::Comma {
                self.next()?;
                elements.push(self.value(depth + 1)?);
            }
        }
        if self.token != Token::ArrayEnd {
            return Err(self.unexpected("Expected \",\" or \"]\", but found"));
        }
        let span = start..self.end;
        self.next()?;
        Ok(Node { span, kind: NodeKind::Array(elements) })
    }

    fn object(&mut self, depth: usize) -> Result<Node> {
        Self::check_depth(depth)?;
        let start = self.start;
        self.next()?;
        let mut members = Vec::new();
        match self.token {
            Token::String => {
                members.push(self.member(depth)?);
                while self.token == Token::Comma {
                    self.next()?;
                    if self.token != Token::String {
                        return Err(self.unexpected("Expected string, but found"));
                    }
                    members.push(self.member(depth)?);
                }
            }
            Token::ObjectEnd => {}
            _ => return Err(self.unexpected("Expected string or \"}\", but found")),
        }
        if self.token != Token::ObjectEnd {
            return Err(self.unexpected("Expected \",\" or \"}\", but found"));
        }
        let span = start..self.end;
        self.next()?;
        Ok(Node { span, kind: NodeKind::Object(members) })
    }

    fn member(&mut self, depth: usize) -> Result<(String, Node)> {
        let key = std::mem::take(&mut self.string);
        self.next()?;
        if self.token != Token::Colon {
            return Err(self.unexpected("Expected \":\", but found"));
        }
        self.next()?;
        Ok((key, self.value(depth + 1)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_show_the_line() {
        for (text, detail, context) in [
            ("{\"a\":1,\n\"b\"}", "Expected \":\", but found \"}\".", "JSON data, line 2: \"b\"}"),
            ("[1,", "The input string ended unexpectedly.", "JSON data, line 1: [1,"),
            ("nulls", "Token \"nulls\" is invalid.", "JSON data, line 1: nulls"),
            ("1 2", "Expected end of input, but found \"2\".", "JSON data, line 1: 1 2"),
        ] {
            let error = check(text).expect_err(text);
            assert_eq!(error.fields().detail.as_deref(), Some(detail));
            assert_eq!(error.fields().context.as_deref(), Some(context));
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = "[".repeat(100_000);
        assert_eq!(check(&deep).expect_err("too deep").sqlstate(), SqlState::STATEMENT_TOO_COMPLEX);
        let fits = format!("{}{}", "[".repeat(NESTING_MAX), "]".repeat(NESTING_MAX));
        assert!(check(&fits).is_ok());
    }
}
