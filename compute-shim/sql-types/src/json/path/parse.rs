//! Reading a path expression.
//!
//! Owns the grammar (`jsonpath_gram.y` of PostgreSQL 15) and what it forbids by place: `@` outside of filters, `last`
//! outside of subscripts. Predicates and values are told apart while reading: only where the grammar wants one may it be.
//! Read next: `evaluate.rs`.

use super::lex::{Placed, Token, error_near, tokens};
use super::{Binary, Item, JsonPath, Kind, LAST_LEVEL, Method, RegexFlags, Sign};
use crate::error::{Result, SqlError, SqlState};
use crate::numeric::Numeric;
use crate::operator::regex::{Options, compile};

/// Most levels of parentheses, operators and accessors within each other. Evaluation and printing descend as deep, and so does reading what
/// was printed, which has parentheses where `a + b + c` had none: they count as they are printed.
const NESTING_MAX: usize = 500;

/// Levels of what has this on top of something that has so many; 54001 for too many.
fn above(levels: usize, more: usize) -> Result<usize> {
    match levels + more {
        levels if levels < NESTING_MAX => Ok(levels),
        _ => Err(SqlError::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")),
    }
}

impl JsonPath {
    /// Reads the input of type `jsonpath`.
    pub fn parse(text: &str) -> Result<JsonPath> {
        let tokens = tokens(text)?;
        if tokens.len() == 1 {
            return Err(SqlError::invalid_input("jsonpath", text));
        }
        let mut parser = Parser { tokens, at: 0, filters: 0, subscripts: 0, depth: 0 };
        let lax = match parser.keyword() {
            Some("strict") => false,
            Some("lax") => true,
            _ => {
                parser.at = 0;
                return parser.whole(true);
            }
        };
        parser.at = 1;
        parser.whole(lax)
    }
}

/// What was read: some places want a value, others a truth.
struct Parsed {
    item: Item,
    is_predicate: bool,
    /// Within it, as it is printed: no fewer than reading goes down.
    levels: usize,
}

fn value(kind: Kind, levels: usize) -> Parsed {
    Parsed { item: Item::new(kind), is_predicate: false, levels }
}

fn predicate(kind: Kind, levels: usize) -> Parsed {
    Parsed { item: Item::new(kind), is_predicate: true, levels }
}

/// An operator between two operands, and the levels of both together.
fn binary(op: Binary, left: Parsed, right: Parsed) -> Result<(Kind, usize)> {
    let levels = above(left.levels.max(right.levels), 1)?;
    Ok((Kind::Binary { op, left: Box::new(left.item), right: Box::new(right.item) }, levels))
}

struct Parser {
    tokens: Vec<Placed>,
    at: usize,
    /// Filters around the place.
    filters: usize,
    /// Subscripts around the place.
    subscripts: usize,
    depth: usize,
}

/// Key words, but for methods; `null`, `true` and `false` only in lower case.
const KEYWORDS: [&str; 14] = [
    "is",
    "to",
    "lax",
    "flag",
    "last",
    "null",
    "true",
    "with",
    "false",
    "exists",
    "starts",
    "strict",
    "unknown",
    "like_regex",
];

impl Parser {
    fn token(&self) -> &Token {
        &self.tokens[self.at].token
    }

    fn advance(&mut self) {
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
    }

    fn error<T>(&self) -> Result<T> {
        Err(error_near("syntax error", &self.tokens[self.at].near))
    }

    /// The key word at the place.
    fn keyword(&self) -> Option<&'static str> {
        let Token::Name(name) = self.token() else { return None };
        KEYWORDS.into_iter().find(|word| match *word {
            "null" | "true" | "false" => name == word,
            word => name.eq_ignore_ascii_case(word),
        })
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.token(), Token::Symbol(found) if *found == symbol)
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        if found {
            self.advance();
        }
        found
    }

    fn take_keyword(&mut self, word: &str) -> bool {
        let found = self.keyword() == Some(word);
        if found {
            self.advance();
        }
        found
    }

    fn expect_symbol(&mut self, symbol: &str) -> Result<()> {
        if self.take_symbol(symbol) { Ok(()) } else { self.error() }
    }

    fn whole(mut self, lax: bool) -> Result<JsonPath> {
        let root = self.any()?.item;
        if *self.token() != Token::End {
            return self.error();
        }
        Ok(JsonPath { lax, root })
    }

    /// A value or a predicate.
    fn any(&mut self) -> Result<Parsed> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return Err(SqlError::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
        }
        let mut left = self.conjunction()?;
        while left.is_predicate && self.take_symbol("||") {
            let right = self.conjunction()?;
            if !right.is_predicate {
                return self.error();
            }
            let (kind, levels) = binary(Binary::Or, left, right)?;
            left = predicate(kind, levels);
        }
        self.depth -= 1;
        Ok(left)
    }

    fn conjunction(&mut self) -> Result<Parsed> {
        let mut left = self.test()?;
        while left.is_predicate && self.take_symbol("&&") {
            let right = self.test()?;
            if !right.is_predicate {
                return self.error();
            }
            let (kind, levels) = binary(Binary::And, left, right)?;
            left = predicate(kind, levels);
        }
        Ok(left)
    }

    fn value(&mut self) -> Result<Parsed> {
        let parsed = self.any()?;
        if parsed.is_predicate { self.error() } else { Ok(parsed) }
    }

    fn predicate(&mut self) -> Result<Parsed> {
        let parsed = self.any()?;
        if parsed.is_predicate { Ok(parsed) } else { self.error() }
    }

    /// `!`, `exists`, comparisons, or what they are made of.
    fn test(&mut self) -> Result<Parsed> {
        if self.take_symbol("!") {
            let operand = match self.take_exists()? {
                Some(exists) => exists,
                None => {
                    self.expect_symbol("(")?;
                    let operand = self.predicate()?;
                    self.expect_symbol(")")?;
                    operand
                }
            };
            let levels = above(operand.levels, 1)?;
            return Ok(predicate(Kind::Not(Box::new(operand.item)), levels));
        }
        if let Some(exists) = self.take_exists()? {
            return Ok(exists);
        }
        let left = self.sum()?;
        if left.is_predicate {
            return Ok(left);
        }
        self.comparison(left)
    }

    fn take_exists(&mut self) -> Result<Option<Parsed>> {
        if !self.take_keyword("exists") {
            return Ok(None);
        }
        self.expect_symbol("(")?;
        let operand = self.value()?;
        self.expect_symbol(")")?;
        let levels = above(operand.levels, 1)?;
        Ok(Some(predicate(Kind::Exists(Box::new(operand.item)), levels)))
    }

    /// What may stand behind a value to make a predicate of it.
    fn comparison(&mut self, left: Parsed) -> Result<Parsed> {
        let op = match self.token().clone() {
            Token::Symbol("==") => Binary::Equal,
            Token::Symbol("!=") => Binary::NotEqual,
            Token::Symbol("<") => Binary::Less,
            Token::Symbol(">") => Binary::Greater,
            Token::Symbol("<=") => Binary::LessOrEqual,
            Token::Symbol(">=") => Binary::GreaterOrEqual,
            _ if self.take_keyword("starts") => {
                if !self.take_keyword("with") {
                    return self.error();
                }
                let initial = match self.token().clone() {
                    Token::String(text) => Kind::String(text.into()),
                    Token::Variable(name) => Kind::Variable(name.into()),
                    _ => return self.error(),
                };
                self.advance();
                let (kind, levels) = binary(Binary::StartsWith, left, value(initial, 0))?;
                return Ok(predicate(kind, levels));
            }
            _ if self.take_keyword("like_regex") => return self.like_regex(left),
            _ => return Ok(left),
        };
        self.advance();
        let right = self.sum()?;
        if right.is_predicate {
            return self.error();
        }
        let (kind, levels) = binary(op, left, right)?;
        Ok(predicate(kind, levels))
    }

    fn like_regex(&mut self, operand: Parsed) -> Result<Parsed> {
        let Token::String(pattern) = self.token().clone() else { return self.error() };
        self.advance();
        let mut flags = RegexFlags::default();
        if self.take_keyword("flag") {
            let Token::String(letters) = self.token().clone() else { return self.error() };
            self.advance();
            flags = regex_flags(&letters)?;
        }
        let options = Options {
            ignore_case: flags.ignore_case,
            breaks_lines: !flags.literal && !flags.dot_all,
            anchors_lines: !flags.literal && flags.anchors_lines,
            expanded: false,
            literal: flags.literal,
        };
        let regex = compile(&pattern, options)?;
        let levels = above(operand.levels, 1)?;
        let operand = Box::new(operand.item);
        Ok(predicate(Kind::LikeRegex { operand, pattern: pattern.into(), flags, regex }, levels))
    }

    fn sum(&mut self) -> Result<Parsed> {
        let mut left = self.product()?;
        loop {
            let op = match self.token() {
                Token::Symbol("+") if !left.is_predicate => Binary::Add,
                Token::Symbol("-") if !left.is_predicate => Binary::Subtract,
                _ => return Ok(left),
            };
            self.advance();
            let right = self.product()?;
            if right.is_predicate {
                return self.error();
            }
            let (kind, levels) = binary(op, left, right)?;
            left = value(kind, levels);
        }
    }

    fn product(&mut self) -> Result<Parsed> {
        let mut left = self.signed()?;
        loop {
            let op = match self.token() {
                Token::Symbol("*") if !left.is_predicate => Binary::Multiply,
                Token::Symbol("/") if !left.is_predicate => Binary::Divide,
                Token::Symbol("%") if !left.is_predicate => Binary::Modulo,
                _ => return Ok(left),
            };
            self.advance();
            let right = self.signed()?;
            if right.is_predicate {
                return self.error();
            }
            let (kind, levels) = binary(op, left, right)?;
            left = value(kind, levels);
        }
    }

    fn signed(&mut self) -> Result<Parsed> {
        let op = match self.token() {
            Token::Symbol("+") => Sign::Plus,
            Token::Symbol("-") => Sign::Minus,
            _ => return self.accessed(),
        };
        self.advance();
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return Err(SqlError::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
        }
        let operand = self.signed()?;
        self.depth -= 1;
        if operand.is_predicate {
            return self.error();
        }
        // The sign of a number is part of it.
        if let Item { kind: Kind::Number(number), next: None } = operand.item {
            let number = if op == Sign::Minus { number.negate() } else { number };
            return Ok(value(Kind::Number(number), operand.levels));
        }
        // Its parentheses and itself.
        let levels = above(operand.levels, 2)?;
        Ok(value(Kind::Unary { op, operand: Box::new(operand.item) }, levels))
    }

    /// A primary and its accessors.
    fn accessed(&mut self) -> Result<Parsed> {
        let mut parsed = if self.take_symbol("(") {
            let inner = self.any()?;
            self.expect_symbol(")")?;
            if inner.is_predicate && self.take_keyword("is") {
                if !self.take_keyword("unknown") {
                    return self.error();
                }
                let levels = above(inner.levels, 1)?;
                return Ok(predicate(Kind::IsUnknown(Box::new(inner.item)), levels));
            }
            inner
        } else {
            value(self.primary()?, 0)
        };
        while let Some((accessor, levels)) = self.accessor()? {
            parsed.levels = above(parsed.levels.max(levels), 1)?;
            parsed.item.append(Item::new(accessor));
            parsed.is_predicate = false;
        }
        Ok(parsed)
    }

    fn primary(&mut self) -> Result<Kind> {
        let kind = match self.token().clone() {
            Token::String(text) => Kind::String(text.into()),
            Token::Variable(name) => Kind::Variable(name.into()),
            Token::Integer(digits) | Token::Decimal(digits) => Kind::Number(Numeric::parse(&digits)?),
            Token::Symbol("$") => Kind::Root,
            Token::Symbol("@") => {
                if self.filters == 0 {
                    return Err(SqlError::syntax("@ is not allowed in root expressions"));
                }
                Kind::Current
            }
            Token::Name(_) => match self.keyword() {
                Some("null") => Kind::Null,
                Some("true") => Kind::Bool(true),
                Some("false") => Kind::Bool(false),
                Some("last") if self.subscripts == 0 => {
                    return Err(SqlError::syntax("LAST is allowed only in array subscripts"));
                }
                Some("last") => Kind::Last,
                _ => return self.error(),
            },
            _ => return self.error(),
        };
        self.advance();
        Ok(kind)
    }

    /// And the levels within it.
    fn accessor(&mut self) -> Result<Option<(Kind, usize)>> {
        Ok(Some(if self.take_symbol(".") {
            (self.member()?, 0)
        } else if self.take_symbol("[") {
            self.subscripts()?
        } else if self.take_symbol("?") {
            self.expect_symbol("(")?;
            self.filters += 1;
            let condition = self.predicate()?;
            self.filters -= 1;
            self.expect_symbol(")")?;
            (Kind::Filter(Box::new(condition.item)), condition.levels)
        } else {
            return Ok(None);
        }))
    }

    /// Behind a point.
    fn member(&mut self) -> Result<Kind> {
        match self.token().clone() {
            Token::Symbol("*") => {
                self.advance();
                Ok(Kind::AnyKey)
            }
            Token::Symbol("**") => {
                self.advance();
                self.levels()
            }
            Token::String(key) => {
                self.advance();
                Ok(Kind::Key(key.into()))
            }
            Token::Name(name) => {
                self.advance();
                self.method_or_key(name)
            }
            _ => self.error(),
        }
    }

    fn method_or_key(&mut self, name: String) -> Result<Kind> {
        let lower = name.to_ascii_lowercase();
        let method = Method::from_name(&lower);
        if (method.is_none() && lower != "datetime") || !self.is_symbol("(") {
            return Ok(Kind::Key(name.into()));
        }
        self.advance();
        let kind = match (method, self.token().clone()) {
            (Some(method), _) => Kind::Method(method),
            (None, Token::String(template)) => {
                self.advance();
                Kind::Datetime(Some(template.into()))
            }
            (None, _) => Kind::Datetime(None),
        };
        self.expect_symbol(")")?;
        Ok(kind)
    }

    /// `.**`, `.**{2}`, `.**{1 to last}`.
    fn levels(&mut self) -> Result<Kind> {
        if !self.take_symbol("{") {
            return Ok(Kind::Any { first: 0, last: LAST_LEVEL });
        }
        let first = self.level()?;
        let last = if self.take_keyword("to") { self.level()? } else { first };
        self.expect_symbol("}")?;
        Ok(Kind::Any { first, last })
    }

    fn level(&mut self) -> Result<u32> {
        if self.take_keyword("last") {
            return Ok(LAST_LEVEL);
        }
        let Token::Integer(digits) = self.token().clone() else { return self.error() };
        self.advance();
        digits.parse::<i32>().map(i32::cast_unsigned).map_err(|_| {
            let message = format!("value \"{digits}\" is out of range for type integer");
            SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
        })
    }

    fn subscripts(&mut self) -> Result<(Kind, usize)> {
        if self.take_symbol("*") {
            self.expect_symbol("]")?;
            return Ok((Kind::AnyArray, 0));
        }
        self.subscripts += 1;
        let (mut all, mut levels) = (Vec::new(), 0);
        loop {
            let from = self.value()?;
            let to = if self.take_keyword("to") { Some(self.value()?) } else { None };
            levels = levels.max(from.levels).max(to.as_ref().map_or(0, |to| to.levels));
            all.push((from.item, to.map(|to| to.item)));
            if !self.take_symbol(",") {
                break;
            }
        }
        self.subscripts -= 1;
        self.expect_symbol("]")?;
        Ok((Kind::Index(all), levels))
    }
}

fn regex_flags(letters: &str) -> Result<RegexFlags> {
    let mut flags = RegexFlags::default();
    for letter in letters.chars() {
        match letter {
            'i' => flags.ignore_case = true,
            's' => flags.dot_all = true,
            'm' => flags.anchors_lines = true,
            'x' => flags.expanded = true,
            'q' => flags.literal = true,
            other => {
                let detail = format!("Unrecognized flag character \"{other}\" in LIKE_REGEX predicate.");
                return Err(SqlError::syntax("invalid input syntax for type jsonpath").with_detail(detail));
            }
        }
    }
    if flags.expanded && !flags.literal {
        let message = "XQuery \"x\" flag (expanded regular expressions) is not implemented";
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `1 + 1 + …` was read however long it was, and printed with a pair of parentheses for each sign: what had been stored could not
    /// be read. A hundred thousand accessors took more than the stack.
    #[test]
    fn what_is_read_can_be_printed_and_read_again() {
        // Without optimisation, frames are larger than a test's stack allows for.
        let thread = std::thread::Builder::new().stack_size(64 << 20);
        let read_again = thread.spawn(read_again).expect("starts");
        read_again.join().expect("holds");
    }

    fn read_again() {
        for (front, part, back) in [
            ("1", " + 1", ""),
            ("", "1 - (", "1"),
            ("$", " * 2", ""),
            ("", "-", "1"),
            ("", "- +", "$.a"),
            ("$", ".a", ""),
            ("$", "[*]", ""),
            ("$", "[0]", ""),
            ("(1)", ".abs()", ""),
            ("$", " ? (@ > 1)", ""),
            ("1 == 1", " && 2 == 2", ""),
            ("1 == 1", " || 2 == 2 && $ == 3", ""),
            ("", "(", "1"),
            ("", "!(", "1 == 1"),
            ("", "!exists ($ ? (", "1 == 1"),
            ("", "$[", "0"),
        ] {
            let of = |count: usize| {
                let opened = part.matches('(').count() - part.matches(')').count();
                let opened = (opened * count, part.matches('[').count() - part.matches(']').count());
                let close = format!("{}{}", ")".repeat(opened.0), "]".repeat(opened.1 * count));
                format!("{front}{}{back}{close}", part.repeat(count))
            };
            let mut fitted = 0;
            for count in (1..=NESTING_MAX + 10).step_by(7) {
                let Ok(path) = JsonPath::parse(&of(count)) else { break };
                let printed = path.to_string();
                let again = JsonPath::parse(&printed).unwrap_or_else(|error| panic!("{printed}: {error:?}"));
                assert_eq!(again.to_string(), printed);
                fitted = count;
            }
            assert!((120..=NESTING_MAX).contains(&fitted), "{fitted} of {part}");
            let error = JsonPath::parse(&of(5_000)).expect_err("too deep");
            assert_eq!(error.sqlstate(), SqlState::STATEMENT_TOO_COMPLEX, "{part}");
        }
    }
}
