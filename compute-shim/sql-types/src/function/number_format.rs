//! Templates of numbers: `to_char(number, template)` and `to_number(text, template)`.
//!
//! Owns the patterns of PostgreSQL 15, section 9.8, for numbers, in the one locale that there is (`C`): what
//! `NUM_processor` of `formatting.c` does, step by step, since its output for odd templates follows from its steps. Read
//! next: `number_text.rs`, which prepares a number's digits.

use crate::error::{Result, SqlError, SqlState};

/// A pattern of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    Comma,
    Point,
    Zero,
    Nine,
    Blank,
    LocalPoint,
    Exponent,
    FillMode,
    Group,
    Currency,
    Minus,
    Plus,
    Brackets,
    Roman {
        upper: bool,
    },
    PlusMinus,
    Sign,
    Ordinal {
        upper: bool,
    },
    Shift,
    /// `C` and `SP`, which do nothing.
    Nothing,
}

/// As they are written; where one begins with another the longer comes first.
const PATTERNS: &[(&str, Pattern)] = &[
    (",", Pattern::Comma),
    (".", Pattern::Point),
    ("0", Pattern::Zero),
    ("9", Pattern::Nine),
    ("B", Pattern::Blank),
    ("C", Pattern::Nothing),
    ("D", Pattern::LocalPoint),
    ("EEEE", Pattern::Exponent),
    ("FM", Pattern::FillMode),
    ("G", Pattern::Group),
    ("L", Pattern::Currency),
    ("MI", Pattern::Minus),
    ("PL", Pattern::Plus),
    ("PR", Pattern::Brackets),
    ("RN", Pattern::Roman { upper: true }),
    ("SG", Pattern::PlusMinus),
    ("SP", Pattern::Nothing),
    ("S", Pattern::Sign),
    ("TH", Pattern::Ordinal { upper: true }),
    ("V", Pattern::Shift),
    ("b", Pattern::Blank),
    ("c", Pattern::Nothing),
    ("d", Pattern::LocalPoint),
    ("eeee", Pattern::Exponent),
    ("fm", Pattern::FillMode),
    ("g", Pattern::Group),
    ("l", Pattern::Currency),
    ("mi", Pattern::Minus),
    ("pl", Pattern::Plus),
    ("pr", Pattern::Brackets),
    ("rn", Pattern::Roman { upper: false }),
    ("sg", Pattern::PlusMinus),
    ("sp", Pattern::Nothing),
    ("s", Pattern::Sign),
    ("th", Pattern::Ordinal { upper: false }),
    ("v", Pattern::Shift),
];

/// A piece of a template.
#[derive(Clone, Copy, Debug)]
enum Node {
    Pattern(Pattern),
    Text(char),
}

/// Where the sign of `S` is anchored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Anchor {
    Front,
    Behind,
}

/// A template and what its patterns come to together (`NUMDesc`).
#[derive(Clone, Debug, Default)]
pub(super) struct Template {
    nodes: Vec<Node>,
    /// Digits in front of the point, behind it, and shifted by `V`.
    pub before: usize,
    pub after: usize,
    pub shifted: usize,
    anchor: Option<Anchor>,
    anchored_before: usize,
    zero_start: usize,
    zero_end: usize,
    decimal: bool,
    zero: bool,
    blank: bool,
    pub fill_mode: bool,
    sign: bool,
    brackets: bool,
    minus: bool,
    plus: bool,
    pub roman: bool,
    pub shift: bool,
    pub exponent: bool,
}

fn misplaced(message: &str) -> SqlError {
    SqlError::syntax(message)
}

impl Template {
    /// Takes a template apart. 42601 for patterns that do not go together.
    pub(super) fn parse(text: &str) -> Result<Template> {
        let mut template = Template::default();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if let Some((name, pattern)) = PATTERNS.iter().find(|(name, _)| rest.starts_with(name)) {
                template.add(*pattern)?;
                template.nodes.push(Node::Pattern(*pattern));
                rest = &rest[name.len()..];
            } else if first == '"' {
                rest = template.quoted(&rest[1..]);
            } else {
                // A backslash is special only before a quote.
                let behind = if rest.starts_with("\\\"") { &rest[1..] } else { rest };
                let c = behind.chars().next().expect("not empty");
                template.nodes.push(Node::Text(c));
                rest = &behind[c.len_utf8()..];
            }
        }
        Ok(template)
    }

    /// Text up to the closing quote; what is behind that.
    fn quoted<'a>(&mut self, mut rest: &'a str) -> &'a str {
        while let Some(c) = rest.chars().next() {
            if c == '"' {
                return &rest[1..];
            }
            let behind = if c == '\\' && rest.len() > 1 { &rest[1..] } else { rest };
            let c = behind.chars().next().expect("not empty");
            self.nodes.push(Node::Text(c));
            rest = &behind[c.len_utf8()..];
        }
        rest
    }

    /// Whether `TH` will look at a number's last digit.
    pub(super) fn wants_ordinal(&self, digits: &Digits) -> bool {
        let has = self.nodes.iter().any(|node| matches!(node, Node::Pattern(Pattern::Ordinal { .. })));
        let is_plain = !self.roman && !self.decimal && !self.exponent;
        has && is_plain && digits.sign != b'-' && !digits.text.starts_with('#')
    }

    fn add(&mut self, pattern: Pattern) -> Result<()> {
        if self.exponent && pattern != Pattern::Exponent {
            return Err(misplaced("\"EEEE\" must be the last pattern used"));
        }
        match pattern {
            Pattern::Nine | Pattern::Zero => return self.add_digit(pattern),
            Pattern::Blank => self.blank |= self.before == 0 && self.after == 0 && !self.zero,
            Pattern::Point | Pattern::LocalPoint => {
                if self.decimal {
                    return Err(misplaced("multiple decimal points"));
                }
                if self.shift {
                    return Err(misplaced("cannot use \"V\" and decimal point together"));
                }
                self.decimal = true;
            }
            Pattern::FillMode => self.fill_mode = true,
            Pattern::Sign | Pattern::Minus | Pattern::Plus | Pattern::PlusMinus | Pattern::Brackets => {
                return self.add_sign(pattern);
            }
            Pattern::Roman { .. } => self.roman = true,
            Pattern::Shift if self.decimal => {
                return Err(misplaced("cannot use \"V\" and decimal point together"));
            }
            Pattern::Shift => self.shift = true,
            Pattern::Exponent if self.exponent => return Err(misplaced("cannot use \"EEEE\" twice")),
            Pattern::Exponent => {
                let has_others = self.blank
                    || self.fill_mode
                    || self.sign
                    || self.brackets
                    || self.minus
                    || self.plus
                    || self.roman
                    || self.shift;
                if has_others {
                    return Err(misplaced("\"EEEE\" is incompatible with other formats").with_detail(
                        "\"EEEE\" may only be used together with digit and decimal point patterns.",
                    ));
                }
                self.exponent = true;
            }
            Pattern::Comma
            | Pattern::Group
            | Pattern::Currency
            | Pattern::Ordinal { .. }
            | Pattern::Nothing => {}
        }
        Ok(())
    }

    fn add_digit(&mut self, pattern: Pattern) -> Result<()> {
        let is_zero = pattern == Pattern::Zero;
        if self.brackets {
            let digit = if is_zero { "0" } else { "9" };
            return Err(misplaced(&format!("\"{digit}\" must be ahead of \"PR\"")));
        }
        if !is_zero && self.shift {
            self.shifted += 1;
            return Ok(());
        }
        if is_zero && !self.zero && !self.decimal {
            self.zero = true;
            self.zero_start = self.before + 1;
        }
        if self.decimal {
            self.after += 1;
        } else {
            self.before += 1;
        }
        if is_zero {
            self.zero_end = self.before + self.after;
        }
        Ok(())
    }

    fn add_sign(&mut self, pattern: Pattern) -> Result<()> {
        let together = |a: &str, b: &str| Err(misplaced(&format!("cannot use {a} and {b} together")));
        match pattern {
            Pattern::Sign => {
                if self.sign {
                    return Err(misplaced("cannot use \"S\" twice"));
                }
                if self.plus || self.minus || self.brackets {
                    return together("\"S\"", "\"PL\"/\"MI\"/\"SG\"/\"PR\"");
                }
                self.sign = true;
                if self.decimal {
                    self.anchor = Some(Anchor::Behind);
                } else {
                    (self.anchor, self.anchored_before) = (Some(Anchor::Front), self.before);
                }
            }
            Pattern::Minus if self.sign => return together("\"S\"", "\"MI\""),
            Pattern::Minus => self.minus = true,
            Pattern::Plus if self.sign => return together("\"S\"", "\"PL\""),
            Pattern::Plus => self.plus = true,
            Pattern::PlusMinus if self.sign => return together("\"S\"", "\"SG\""),
            Pattern::PlusMinus => (self.minus, self.plus) = (true, true),
            _ if self.sign || self.plus || self.minus => {
                return together("\"PR\"", "\"S\"/\"PL\"/\"MI\"/\"SG\"");
            }
            _ => self.brackets = true,
        }
        Ok(())
    }
}

/// A number that is to be printed: its digits without a sign, and the blanks that the template has for more of them.
pub(super) struct Digits {
    pub text: String,
    pub sign: u8,
    pub spaces: usize,
}

/// The state of printing (`NUMProc`).
struct Printer<'a> {
    template: Template,
    digits: &'a [u8],
    sign: u8,
    spaces: usize,
    sign_written: bool,
    /// The last digit that matters with FM.
    last_relevant: Option<usize>,
    count: usize,
    current: usize,
    at: usize,
    in_number: bool,
    out: String,
}

/// Prints digits by a template.
pub(super) fn print(template: &Template, digits: &Digits) -> String {
    if template.exponent {
        return digits.text.clone();
    }
    let mut template = template.clone();
    template.zero_start = template.zero_start.saturating_sub(1);
    let mut spaces = digits.spaces;
    let mut sign = digits.sign;
    if template.roman {
        let (fill_mode, nodes) = (template.fill_mode, std::mem::take(&mut template.nodes));
        template = Template { fill_mode, nodes, roman: true, ..Template::default() };
        (spaces, sign) = (0, 0);
    }
    let mut printer = Printer {
        sign,
        spaces,
        digits: digits.text.as_bytes(),
        sign_written: false,
        last_relevant: None,
        count: 0,
        current: 0,
        at: 0,
        in_number: false,
        out: String::new(),
        template,
    };
    printer.prepare();
    let nodes = std::mem::take(&mut printer.template.nodes);
    for node in nodes {
        match node {
            Node::Text(c) => printer.out.push(c),
            Node::Pattern(pattern) => printer.pattern(pattern),
        }
    }
    // PostgreSQL's output is a C string: what is written behind a NUL is not seen.
    let end = printer.out.find('\0').unwrap_or(printer.out.len());
    printer.out.truncate(end);
    printer.out
}

impl Printer<'_> {
    fn prepare(&mut self) {
        let template = &mut self.template;
        if template.plus || template.minus {
            self.sign_written = !template.plus || template.minus;
        } else {
            if self.sign != b'-' && template.fill_mode {
                template.brackets = false;
            }
            self.sign_written = self.sign == b'+' && template.fill_mode && !template.sign;
            if template.anchor == Some(Anchor::Front) && template.before == template.anchored_before {
                template.anchor = Some(Anchor::Behind);
            }
        }
        self.count = (template.after + template.before).wrapping_sub(1);
        if template.fill_mode && template.decimal {
            self.last_relevant = last_relevant(self.digits);
            if let Some(last) = self.last_relevant
                && template.zero_end > self.spaces
            {
                let last_zero = (self.digits.len() - 1).min(template.zero_end - self.spaces);
                self.last_relevant = Some(last.max(last_zero));
            }
        }
        if !self.sign_written && self.spaces == 0 {
            self.count = self.count.wrapping_add(1);
        }
    }

    fn pattern(&mut self, pattern: Pattern) {
        let fill_mode = self.template.fill_mode;
        match pattern {
            Pattern::Nine | Pattern::Zero | Pattern::Point | Pattern::LocalPoint => self.digit(pattern),
            Pattern::Comma | Pattern::Group if self.in_number => self.out.push(','),
            Pattern::Comma | Pattern::Group | Pattern::Minus | Pattern::Plus | Pattern::Currency => {
                let written = match pattern {
                    Pattern::Minus if self.sign == b'-' => Some('-'),
                    Pattern::Plus if self.sign == b'+' => Some('+'),
                    Pattern::Currency => Some(' '),
                    _ => (!fill_mode).then_some(' '),
                };
                self.out.extend(written);
            }
            Pattern::PlusMinus => self.out.push(char::from(self.sign)),
            Pattern::Roman { upper } => {
                let text = String::from_utf8_lossy(self.digits).into_owned();
                let text = if upper { text } else { text.to_ascii_lowercase() };
                let width = if fill_mode { 0 } else { 15 };
                self.out.push_str(&format!("{text:>width$}"));
            }
            Pattern::Ordinal { upper } => self.ordinal(upper),
            _ => {}
        }
    }

    fn ordinal(&mut self, upper: bool) {
        let is_number = self.digits.first().is_some_and(u8::is_ascii_digit);
        if self.template.roman || !is_number || self.sign == b'-' || self.template.decimal {
            return;
        }
        let (last, before) = (self.digits.last(), self.digits.len().checked_sub(2).map(|at| self.digits[at]));
        let ending = match last {
            _ if before == Some(b'1') => "th",
            Some(b'1') => "st",
            Some(b'2') => "nd",
            Some(b'3') => "rd",
            _ => "th",
        };
        self.out.push_str(&if upper { ending.to_uppercase() } else { ending.to_owned() });
    }

    fn peek(&self) -> u8 {
        self.digits.get(self.at).copied().unwrap_or(0)
    }

    fn is_relevant_point(&self) -> bool {
        self.last_relevant.is_some_and(|last| self.digits[last] == b'.')
    }

    /// A zero in front of the point that a 9 does not show.
    fn is_hidden_zero(&self) -> bool {
        !self.template.zero && self.at == 0 && self.peek() == b'0' && self.template.after != 0
    }

    fn digit(&mut self, pattern: Pattern) {
        if self.template.roman {
            return;
        }
        self.in_number = false;
        self.write_sign();
        let (spaces, current) = (self.spaces, self.current);
        let (zero, zero_start) = (self.template.zero, self.template.zero_start);
        if current < spaces && (zero_start > current || !zero) {
            if !self.template.fill_mode {
                self.out.push(' ');
            }
        } else if zero && current < spaces && zero_start <= current {
            self.out.push('0');
            self.in_number = true;
        } else {
            self.write_digit(pattern);
            if self.at < self.digits.len() {
                self.at += 1;
            }
        }
        let mut end = self.count.wrapping_add(usize::from(spaces > 0) + usize::from(self.template.decimal));
        if self.last_relevant == Some(self.at) {
            end = current;
        }
        if current + 1 == end {
            if self.sign_written && self.template.brackets {
                self.out.push(if self.sign == b'+' { ' ' } else { '>' });
            } else if self.template.sign && self.template.anchor == Some(Anchor::Behind) {
                self.out.push(if self.sign == b'-' { '-' } else { '+' });
            }
        }
        self.current += 1;
    }

    fn write_sign(&mut self) {
        let template = &self.template;
        let is_due = self.current >= self.spaces || (template.zero && template.zero_start == self.current);
        if self.sign_written || !is_due || (self.is_hidden_zero() && !self.is_relevant_point()) {
            return;
        }
        if template.sign {
            if template.anchor == Some(Anchor::Front) {
                self.out.push(if self.sign == b'-' { '-' } else { '+' });
                self.sign_written = true;
            }
        } else if template.brackets {
            self.out.push(if self.sign == b'+' { ' ' } else { '<' });
            self.sign_written = true;
        } else if self.sign == b'+' {
            if !template.fill_mode {
                self.out.push(' ');
            }
            self.sign_written = true;
        } else if self.sign == b'-' {
            self.out.push('-');
            self.sign_written = true;
        }
    }

    fn write_digit(&mut self, pattern: Pattern) {
        let fill_mode = self.template.fill_mode;
        if self.peek() == b'.' {
            if !self.is_relevant_point() || fill_mode {
                self.out.push('.');
            }
            return;
        }
        if self.last_relevant.is_some_and(|last| self.at > last) && pattern != Pattern::Zero {
            return;
        }
        if self.is_hidden_zero() {
            if !fill_mode {
                self.out.push(' ');
            } else if self.is_relevant_point() {
                self.out.push('0');
            }
            return;
        }
        // Behind the last digit this is the NUL that ends the output.
        self.out.push(char::from(self.peek()));
        self.in_number = true;
    }
}

/// The last digit behind the point that is not 0, or the point itself.
fn last_relevant(digits: &[u8]) -> Option<usize> {
    let point = digits.iter().position(|&byte| byte == b'.')?;
    let behind = digits[point..].iter().rposition(|&byte| byte != b'0');
    behind.map(|at| point + at)
}

/// The state of reading.
struct Scanner<'a> {
    template: &'a Template,
    text: &'a [u8],
    at: usize,
    sign: u8,
    number: Vec<u8>,
    read_before: usize,
    read_after: usize,
    read_point: bool,
}

/// The digits of a text by a template, with sign and point, and how many are behind the point.
pub(super) fn scan(template: &Template, text: &str) -> Result<(String, usize)> {
    let refuse = |pattern: &str| {
        let message = format!("\"{pattern}\" not supported for input");
        Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message))
    };
    if template.exponent {
        return refuse("EEEE");
    }
    if template.roman {
        return refuse("RN");
    }
    let mut scanner = Scanner {
        template,
        text: text.as_bytes(),
        at: 0,
        sign: b' ',
        number: Vec::new(),
        read_before: 0,
        read_after: 0,
        read_point: false,
    };
    for node in &template.nodes {
        if scanner.at >= scanner.text.len() {
            break;
        }
        match node {
            Node::Text(_) => scanner.skip_character(),
            Node::Pattern(pattern) => scanner.pattern(*pattern),
        }
    }
    let mut number = scanner.number;
    if number.last() == Some(&b'.') {
        number.pop();
    }
    number.insert(0, scanner.sign);
    let number = String::from_utf8(number).expect("digits, signs and points");
    Ok((number, scanner.read_after))
}

impl Scanner<'_> {
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    /// Steps over a character.
    fn skip_character(&mut self) {
        self.at += 1;
        while self.text.get(self.at).is_some_and(|byte| byte & 0xc0 == 0x80) {
            self.at += 1;
        }
    }

    /// Steps over characters that are no part of a number.
    fn skip_others(&mut self, count: usize) {
        for _ in 0..count {
            if self.at >= self.text.len() || b"0123456789.,+-".contains(&self.peek()) {
                return;
            }
            self.skip_character();
        }
    }

    fn pattern(&mut self, pattern: Pattern) {
        match pattern {
            Pattern::Nine | Pattern::Zero | Pattern::Point | Pattern::LocalPoint => {
                self.digit(pattern);
                self.at += 1;
            }
            // Nothing has been printed yet: `num_in` is never set while reading.
            Pattern::Comma | Pattern::Group if !self.template.fill_mode && self.peek() == b',' => {
                self.at += 1
            }
            Pattern::Currency => self.skip_others(1),
            Pattern::Ordinal { .. } if !self.template.decimal => self.skip_others(2),
            Pattern::Minus | Pattern::Plus | Pattern::PlusMinus => {
                let wanted: &[u8] = match pattern {
                    Pattern::Minus => b"-",
                    Pattern::Plus => b"+",
                    _ => b"+-",
                };
                if wanted.contains(&self.peek()) {
                    self.sign = self.peek();
                    self.at += 1;
                } else {
                    self.skip_others(1);
                }
            }
            _ => {}
        }
    }

    fn ended(&self) -> bool {
        self.at >= self.text.len()
    }

    fn digit(&mut self, pattern: Pattern) {
        if self.peek() == b' ' {
            self.at += 1;
        }
        if self.ended() {
            return;
        }
        let is_first = self.read_before + self.read_after == 0;
        if self.sign == b' ' && matches!(pattern, Pattern::Zero | Pattern::Nine) && is_first {
            self.sign_in_front();
        }
        if self.ended() {
            return;
        }
        let mut is_read = false;
        if self.peek().is_ascii_digit() {
            if self.read_point && self.read_after == self.template.after {
                return;
            }
            self.number.push(self.peek());
            if self.read_point {
                self.read_after += 1;
            } else {
                self.read_before += 1;
            }
            is_read = true;
        } else if self.template.decimal && !self.read_point && self.peek() == b'.' {
            self.number.push(b'.');
            self.read_point = true;
            is_read = true;
        }
        if self.sign == b' ' && self.read_before + self.read_after > 0 {
            self.sign_behind(is_read);
        }
    }

    fn sign_in_front(&mut self) {
        let byte = self.peek();
        if self.template.sign && self.template.anchor == Some(Anchor::Front) {
            if matches!(byte, b'-' | b'+') {
                self.sign = byte;
                self.at += 1;
            }
        } else {
            self.plain_sign_in_front(byte);
        }
    }

    fn plain_sign_in_front(&mut self, byte: u8) {
        if byte == b'-' || (self.template.brackets && byte == b'<') {
            self.sign = b'-';
            self.at += 1;
        } else if byte == b'+' {
            self.sign = b'+';
            self.at += 1;
        }
    }

    fn sign_behind(&mut self, is_read: bool) {
        let next = self.text.get(self.at + 1).copied();
        let has_sign = self.template.sign;
        if has_sign && is_read && next.is_some_and(|byte| !byte.is_ascii_digit()) {
            if let Some(byte @ (b'-' | b'+')) = next {
                self.at += 1;
                self.sign = byte;
            }
        } else if !is_read
            && !has_sign
            && (self.template.plus || self.template.minus)
            && matches!(self.peek(), b'-' | b'+')
        {
            self.sign = self.peek();
        }
    }
}
