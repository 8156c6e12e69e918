//! Splits the text of dates, timestamps and intervals into fields by their shape.
//!
//! Owns the lexical rules (PostgreSQL 15, appendix B.1, step 1). Gives no field a meaning; `parse.rs` and `interval.rs`
//! do. Read next: `parse.rs`.

/// A field of the text, words in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// Digits, perhaps with a fraction: `19990108`, `1.5`.
    Number(String),
    /// Digits with colons: `04:05:06.789`.
    Time(String),
    /// Digits or a name with separators: `1999-01-08`, `8-jan-1999`, `1/8/1999`; or letters that go on with separators or
    /// digits: a zone's name (`america/new_york`, `pst8pdt`), or a date that begins with its month.
    Date(String),
    /// Letters, `january`; or an infinity with its sign.
    Word(String),
    /// A sign and digits: `+02:30`, `-08`.
    Signed(String),
}

/// Text beyond this length is no date.
const TEXT_BYTES_MAX: usize = 256;

/// Splits a text; `None` where no rule applies.
pub(crate) fn tokens(text: &str) -> Option<Vec<Token>> {
    if text.len() > TEXT_BYTES_MAX || !text.is_ascii() {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    let mut scanner = Scanner { bytes: lower.as_bytes(), at: 0 };
    let mut tokens = Vec::new();
    while let Some(byte) = scanner.peek() {
        match byte {
            b' ' | b'\t'..=b'\r' => scanner.at += 1,
            b'0'..=b'9' => tokens.push(scanner.digits()),
            // Alone it is a number too, of no digits.
            b'.' => tokens.push(scanner.fraction()),
            b'a'..=b'z' => tokens.push(scanner.word()),
            b'+' | b'-' => tokens.push(scanner.signed()?),
            // Other punctuation only separates.
            b'!'..=b'/' | b':'..=b'@' | b'['..=b'`' | b'{'..=b'~' => scanner.at += 1,
            _ => return None,
        }
    }
    Some(tokens)
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, accept: impl Fn(u8) -> bool) -> &str {
        let start = self.at;
        while self.peek().is_some_and(&accept) {
            self.at += 1;
        }
        std::str::from_utf8(&self.bytes[start..self.at]).expect("the text is ASCII")
    }

    /// A time, a date or a number, by what follows the leading digits.
    fn digits(&mut self) -> Token {
        let mut text = self.take(|byte| byte.is_ascii_digit()).to_owned();
        match self.peek() {
            Some(b':') => {
                text += self.take(|byte| byte.is_ascii_digit() || byte == b':' || byte == b'.');
                Token::Time(text)
            }
            Some(delimiter @ (b'-' | b'/')) => self.date(text, delimiter),
            Some(b'.') => match self.date(text, b'.') {
                Token::Date(text) if is_decimal(&text) => Token::Number(text),
                date => date,
            },
            _ => Token::Number(text),
        }
    }

    /// A point and the digits behind it.
    fn fraction(&mut self) -> Token {
        self.at += 1;
        Token::Number(format!(".{}", self.take(|byte| byte.is_ascii_digit())))
    }

    /// The rest of a date whose first field is read: all digits behind a digit, letters too behind a letter.
    fn date(&mut self, mut text: String, delimiter: u8) -> Token {
        self.at += 1;
        text.push(char::from(delimiter));
        let numeric = self.peek().is_some_and(|byte| byte.is_ascii_digit());
        let accept = |byte: u8| {
            byte == delimiter || if numeric { byte.is_ascii_digit() } else { byte.is_ascii_alphanumeric() }
        };
        text += self.take(accept);
        Token::Date(text)
    }

    /// A word; with separators or digits behind it a zone's name, or a date that begins with a month's name.
    fn word(&mut self) -> Token {
        let mut text = self.take(|byte| byte.is_ascii_lowercase()).to_owned();
        let goes_on = match self.peek() {
            Some(b'-' | b'/' | b'.') => true,
            Some(b'+' | b'0'..=b'9') => !super::parse::is_keyword(&text),
            _ => false,
        };
        if !goes_on {
            return Token::Word(text);
        }
        text += self.take(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'+' | b':' | b'.')
        });
        Token::Date(text)
    }

    /// A signed number or offset, or a signed word (`-infinity`).
    fn signed(&mut self) -> Option<Token> {
        let sign = char::from(self.bytes[self.at]);
        self.at += 1;
        self.take(|byte| byte.is_ascii_whitespace() || byte == b'\x0b');
        let next = self.peek()?;
        if next.is_ascii_digit() || next == b'.' {
            let text = self.take(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b'-'));
            return Some(Token::Signed(format!("{sign}{text}")));
        }
        if next.is_ascii_lowercase() {
            let text = self.take(|byte| byte.is_ascii_lowercase());
            return Some(Token::Word(format!("{sign}{text}")));
        }
        None
    }
}

/// Digits, a point and digits.
fn is_decimal(text: &str) -> bool {
    let behind = text.split_once('.').map_or("", |(_, behind)| behind);
    !behind.is_empty() && behind.bytes().all(|byte| byte.is_ascii_digit())
}
