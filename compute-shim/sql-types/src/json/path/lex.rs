//! Tokens of a path expression.
//!
//! Owns the lexical rules (`jsonpath_scan.l` of PostgreSQL 15) and how an error names its place. Read next: `parse.rs`.

use crate::error::{Result, SqlError, SqlState};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name without quotes; whether it is a key word hangs on where it stands.
    Name(String),
    String(String),
    Variable(String),
    Integer(String),
    Decimal(String),
    /// Punctuation: one character, or `&&`, `||`, `**`, `==`, `!=`, `<=`, `>=`.
    Symbol(&'static str),
    End,
}

/// A token and how an error behind it shows where it stands; nothing: at the end.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub token: Token,
    pub near: String,
}

const SYMBOLS: &[&str] = &[
    "&&", "||", "**", "==", "!=", "<>", "<=", ">=", "!", "<", ">", "=", "?", "%", "$", ".", "[", "]", "{",
    "}", "(", ")", "|", "&", "@", "#", ",", "*", ":", "-", "+", "/",
];

fn is_special(c: char) -> bool {
    matches!(
        c,
        '?' | '%'
            | '$'
            | '.'
            | '['
            | ']'
            | '{'
            | '}'
            | '('
            | ')'
            | '|'
            | '&'
            | '!'
            | '='
            | '<'
            | '>'
            | '@'
            | '#'
            | ','
            | '*'
            | ':'
            | '-'
            | '+'
            | '/'
    )
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}')
}

fn is_name(c: char) -> bool {
    !is_special(c) && !is_blank(c) && c != '\\' && c != '"'
}

/// 42601 `<message> at or near "<near>" of jsonpath input`.
pub(super) fn error_near(message: &str, near: &str) -> SqlError {
    SqlError::syntax(match near {
        "" => format!("{message} at end of jsonpath input"),
        near => format!("{message} at or near \"{near}\" of jsonpath input"),
    })
}

/// Splits a text; the last token is the end.
pub(super) fn tokens(text: &str) -> Result<Vec<Placed>> {
    let mut scanner = Scanner { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        scanner.skip_blanks()?;
        let placed = scanner.token()?;
        let is_end = placed.token == Token::End;
        tokens.push(placed);
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl Scanner<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Blanks and comments.
    fn skip_blanks(&mut self) -> Result<()> {
        loop {
            while self.peek().is_some_and(is_blank) {
                self.next();
            }
            if !self.rest().starts_with("/*") {
                return Ok(());
            }
            match self.rest().find("*/") {
                Some(end) => self.at += end + 2,
                None => return Err(error_near("unexpected end of comment", "")),
            }
        }
    }

    fn token(&mut self) -> Result<Placed> {
        let Some(first) = self.peek() else {
            return Ok(Placed { token: Token::End, near: String::new() });
        };
        let starts_number = first.is_ascii_digit()
            || (first == '.' && self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()));
        match first {
            '"' => {
                self.next();
                let text = self.quoted()?;
                Ok(Placed { token: Token::String(text), near: "\"".to_owned() })
            }
            '$' if self.rest()[1..].starts_with('"') => {
                self.at += 2;
                let text = self.quoted()?;
                Ok(Placed { token: Token::Variable(text), near: "\"".to_owned() })
            }
            '$' if self.rest()[1..].starts_with(|c: char| is_name(c) || c == '\\') => {
                self.next();
                let name = self.name()?;
                Ok(Placed { near: format!("${name}"), token: Token::Variable(name) })
            }
            _ if starts_number => self.number(),
            c if is_special(c) => {
                let symbol = SYMBOLS.iter().find(|symbol| self.rest().starts_with(**symbol));
                let symbol = *symbol.expect("every special character is a symbol");
                self.at += symbol.len();
                let token = Token::Symbol(if symbol == "<>" { "!=" } else { symbol });
                Ok(Placed { token, near: symbol.to_owned() })
            }
            _ => {
                let name = self.name()?;
                // PostgreSQL's scanner knows a name's end when it has read what follows, and shows that.
                let blanks: String = self.rest().chars().take_while(|&c| is_blank(c)).collect();
                Ok(Placed { token: Token::Name(name), near: blanks })
            }
        }
    }

    fn number(&mut self) -> Result<Placed> {
        let start = self.at;
        let digits = |scanner: &mut Self| {
            let from = scanner.at;
            while scanner.peek().is_some_and(|c| c.is_ascii_digit()) {
                scanner.next();
            }
            scanner.at > from
        };
        // A leading zero is a number of its own.
        if self.peek() == Some('0') {
            self.next();
        } else {
            digits(self);
        }
        let mut is_decimal = false;
        if self.peek() == Some('.') {
            self.next();
            digits(self);
            is_decimal = true;
        }
        if matches!(self.peek(), Some('e' | 'E')) {
            self.next();
            let before_sign = self.at;
            if matches!(self.peek(), Some('+' | '-')) {
                self.next();
            }
            if !digits(self) {
                let message = match self.at == before_sign {
                    true => "trailing junk after numeric literal",
                    false => "invalid numeric literal",
                };
                return Err(error_near(message, &self.text[start..self.at]));
            }
            is_decimal = true;
        }
        if self.peek().is_some_and(is_name) {
            self.next();
            return Err(error_near("trailing junk after numeric literal", &self.text[start..self.at]));
        }
        let text = self.text[start..self.at].to_owned();
        let token = if is_decimal { Token::Decimal(text.clone()) } else { Token::Integer(text.clone()) };
        Ok(Placed { token, near: text })
    }

    fn name(&mut self) -> Result<String> {
        let mut out = String::new();
        while let Some(c) = self.peek() {
            if c == '\\' {
                self.next();
                self.escape(&mut out)?;
            } else if is_name(c) {
                out.push(c);
                self.next();
            } else {
                break;
            }
        }
        Ok(out)
    }

    fn quoted(&mut self) -> Result<String> {
        let mut out = String::new();
        loop {
            match self.next() {
                None => return Err(error_near("unexpected end of quoted string", "")),
                Some('"') => return Ok(out),
                Some('\\') => self.escape(&mut out)?,
                Some(c) => out.push(c),
            }
        }
    }

    /// What stands behind a backslash.
    fn escape(&mut self, out: &mut String) -> Result<()> {
        match self.next() {
            None => return Err(error_near("unexpected end after backslash", "")),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('v') => out.push('\u{b}'),
            Some('x') => {
                let code = self.hexadecimal(2).ok_or_else(|| {
                    error_near("invalid hexadecimal character sequence", &self.text[self.at - 2..self.at])
                })?;
                out.push(character(code)?);
            }
            Some('u') => {
                let code = self.unicode()?;
                let code = match code {
                    0xd800..0xdc00 => {
                        let low = if self.rest().starts_with("\\u") {
                            self.at += 2;
                            self.unicode()?
                        } else {
                            0
                        };
                        match low {
                            0xdc00..0xe000 => 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff),
                            0xd800..0xdc00 => {
                                return Err(surrogate(
                                    "Unicode high surrogate must not follow a high surrogate.",
                                ));
                            }
                            _ => {
                                return Err(surrogate("Unicode low surrogate must follow a high surrogate."));
                            }
                        }
                    }
                    0xdc00..0xe000 => {
                        return Err(surrogate("Unicode low surrogate must follow a high surrogate."));
                    }
                    code => code,
                };
                out.push(character(code)?);
            }
            Some(c) => out.push(c),
        }
        Ok(())
    }

    /// Four digits, or up to six in braces.
    fn unicode(&mut self) -> Result<u32> {
        let start = self.at;
        let braced = self.rest().strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let code = match braced.map(|(digits, _)| (digits.len(), u32::from_str_radix(digits, 16).ok())) {
            Some((length @ 1..=6, code)) => {
                self.at += length + 2;
                code
            }
            _ => self.hexadecimal(4),
        };
        code.ok_or_else(|| error_near("invalid Unicode escape sequence", &self.text[start - 2..start]))
    }

    fn hexadecimal(&mut self, count: usize) -> Option<u32> {
        let digits = self.rest().get(..count)?;
        let code = digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(digits)?;
        let code = u32::from_str_radix(code, 16).ok()?;
        self.at += count;
        Some(code)
    }
}

fn surrogate(detail: &str) -> SqlError {
    let message = "invalid input syntax for type jsonpath";
    SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, message).with_detail(detail)
}

fn character(code: u32) -> Result<char> {
    if code == 0 {
        let message = "unsupported Unicode escape sequence";
        return Err(SqlError::new(SqlState::UNTRANSLATABLE_CHARACTER, message)
            .with_detail("\\u0000 cannot be converted to text."));
    }
    char::from_u32(code).ok_or_else(|| surrogate("Unicode low surrogate must follow a high surrogate."))
}
