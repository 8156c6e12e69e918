//! A statement without its constants: what `pg_stat_statements` counts statements by.
//!
//! Owns [`Shape`], made of a statement's tokens. Constants are told from other numbers and words as PostgreSQL tells them, whose
//! parser has made them nodes or not: modifiers of types (`varchar(10)`), positions in ORDER BY and GROUP BY, and NULL behind IS
//! are none, and the minus of a negative number belongs to it. Never fails: what is no statement is refused by the parser.

use super::{Lines, keyword};
use crate::statement_statistics::TEXT_BYTES_MAX;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Word};
use std::hash::{DefaultHasher, Hash, Hasher};

/// The shape of one statement of a text. It names places of that text, and copies none of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Of its tokens, with a mark in place of each constant. The same in every process.
    pub hash: u64,
    /// The statement's bytes in the text, up to the semicolons around it.
    begin: usize,
    end: usize,
    /// The bytes of each constant.
    constants: Box<[(usize, usize)]>,
    /// The highest `$n`; constants count from there.
    parameters: u32,
}

impl Shape {
    /// The statement as it was written, with numbered parameters in place of its constants.
    /// Of a long one the beginning, at least as much as is kept.
    pub(crate) fn normalised(&self, text: &str) -> String {
        let mut out = String::new();
        let (mut from, mut number) = (self.begin, self.parameters);
        for &(begin, end) in &self.constants {
            if out.len() > TEXT_BYTES_MAX {
                return out.trim_start().to_owned();
            }
            number += 1;
            out.push_str(&text[from..begin]);
            out.push('$');
            out.push_str(&number.to_string());
            from = end;
        }
        out.push_str(&text[from..self.end]);
        out.trim().to_owned()
    }

    /// The statement as it was written.
    pub(crate) fn written<'t>(&self, text: &'t str) -> &'t str {
        text[self.begin..self.end].trim()
    }
}

/// Goes along a text, to turn ascending places in characters into places in bytes.
struct Bytes<'t> {
    text: &'t str,
    characters: usize,
    bytes: usize,
}

impl Bytes<'_> {
    /// Of a character that the parser crate has located.
    fn at(&mut self, location: Location, lines: &Lines<'_>) -> usize {
        let characters = (lines.position(location) as usize).saturating_sub(1);
        let count = characters.checked_sub(self.characters).expect("places ascend");
        let rest = &self.text[self.bytes..];
        self.bytes += rest.char_indices().nth(count).map_or(rest.len(), |(byte, _)| byte);
        self.characters = characters;
        self.bytes
    }
}

/// The shapes of a text's statements: one for each that [`super::split`] finds.
pub(super) fn shapes(tokens: &[TokenWithSpan], lines: &Lines<'_>) -> Vec<Shape> {
    let mut shapes = Vec::new();
    let mut bytes = Bytes { text: lines.text, characters: 0, bytes: 0 };
    let mut begin = 0;
    let mut group = Vec::with_capacity(tokens.len());
    for token in tokens {
        match token.token {
            Token::SemiColon => {
                let shape = (!group.is_empty()).then(|| shape(&group, &mut bytes, lines));
                let end = bytes.at(token.span.start, lines);
                shapes.extend(shape.map(|shape| Shape { begin, end, ..shape }));
                group.clear();
                begin = end + 1;
            }
            Token::Whitespace(_) | Token::EOF => {}
            _ => group.push(token),
        }
    }
    if !group.is_empty() {
        shapes.push(Shape { begin, end: lines.text.len(), ..shape(&group, &mut bytes, lines) });
    }
    shapes
}

/// But for where it begins and ends.
fn shape(tokens: &[&TokenWithSpan], bytes: &mut Bytes<'_>, lines: &Lines<'_>) -> Shape {
    let mut reader = ShapeReader {
        tokens,
        at: 0,
        levels: vec![Level { kind: LevelKind::Query, clause: Clause::Other }],
        type_name: TypeName::No,
        hasher: DefaultHasher::new(),
        constants: Vec::new(),
        parameters: 0,
    };
    reader.skip_prepare();
    while reader.at < tokens.len() {
        reader.step();
    }
    let mut place = |(first, last): &(usize, usize)| {
        let begin = bytes.at(tokens[*first].span.start, lines);
        (begin, bytes.at(tokens[*last].span.end, lines))
    };
    let constants = reader.constants.iter().map(&mut place).collect();
    Shape { hash: reader.hasher.finish(), begin: 0, end: 0, constants, parameters: reader.parameters }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LevelKind {
    /// A query stands here: ORDER BY and GROUP BY are its own.
    Query,
    /// Numbers are parts of a type's name.
    Type,
    /// What CAST is of.
    Cast,
    Other,
}

/// A level of parentheses or brackets.
#[derive(Clone, Copy)]
struct Level {
    kind: LevelKind,
    clause: Clause,
}

/// Whether a number that stands alone is a column's position.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clause {
    Positions,
    Other,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TypeName {
    No,
    /// Its first word comes next.
    Awaited,
    /// A modifier or the bounds of an array may follow.
    Begun,
}

/// Types whose modifier may stand where no cast is; their names are no functions.
const MODIFIED: [&str; 17] = [
    "bit",
    "char",
    "character",
    "current_time",
    "current_timestamp",
    "dec",
    "decimal",
    "float",
    "interval",
    "localtime",
    "localtimestamp",
    "nchar",
    "numeric",
    "time",
    "timestamp",
    "varchar",
    "varying",
];

/// Words that may be names, and have an operand behind them all the same.
const BEFORE_OPERAND: [&str; 9] =
    ["between", "by", "escape", "ilike", "is", "like", "operator", "similar", "values"];

/// What may stand behind a position in ORDER BY or GROUP BY.
const BEHIND_POSITION: [&str; 14] = [
    "asc",
    "desc",
    "except",
    "fetch",
    "for",
    "having",
    "intersect",
    "limit",
    "nulls",
    "offset",
    "order",
    "union",
    "using",
    "window",
];

/// Clauses that end ORDER BY and GROUP BY.
const CLAUSES: [&str; 12] = [
    "except",
    "fetch",
    "for",
    "from",
    "having",
    "intersect",
    "limit",
    "offset",
    "select",
    "union",
    "where",
    "window",
];

struct ShapeReader<'t> {
    tokens: &'t [&'t TokenWithSpan],
    at: usize,
    levels: Vec<Level>,
    type_name: TypeName,
    hasher: DefaultHasher,
    /// First and last token of each.
    constants: Vec<(usize, usize)>,
    parameters: u32,
}

impl<'t> ShapeReader<'t> {
    fn token(&self, at: usize) -> Option<&'t Token> {
        self.tokens.get(at).map(|token| &token.token)
    }

    fn before(&self, count: usize) -> Option<&'t Token> {
        self.at.checked_sub(count).and_then(|at| self.token(at))
    }

    fn is_before(&self, count: usize, words: &[&str]) -> bool {
        self.before(count).is_some_and(|token| is_one_of(token, words))
    }

    fn level(&mut self) -> &mut Level {
        self.levels.last_mut().expect("the outermost stays")
    }

    /// PREPARE counts as the statement that it prepares.
    fn skip_prepare(&mut self) {
        if self.token(0).is_some_and(|token| is_one_of(token, &["prepare"])) {
            let body = self.tokens.iter().position(|token| is_one_of(&token.token, &["as"]));
            self.at = body.map_or(0, |at| at + 1);
        }
    }

    fn step(&mut self) {
        let token = self.token(self.at).expect("looked at by the caller");
        match token {
            Token::Number(..) if !self.is_in_type() && !self.is_position() => self.constant(self.at),
            Token::Minus if self.is_sign() => self.constant(self.at + 1),
            token if is_string(token) => self.constant(self.last_of_string()),
            Token::Placeholder(name) => {
                let number = name.strip_prefix('$').and_then(|digits| digits.parse().ok());
                self.parameters = self.parameters.max(number.unwrap_or(0));
                self.plain(token);
            }
            Token::Word(word) if self.is_constant_word(word) => self.constant(self.at),
            token => {
                self.note_structure(token);
                self.plain(token);
            }
        }
    }

    /// From here to the token `last` it is a constant.
    fn constant(&mut self, last: usize) {
        self.type_name = TypeName::No;
        self.constants.push((self.at, last));
        u8::MAX.hash(&mut self.hasher);
        self.at = last + 1;
    }

    fn plain(&mut self, token: &Token) {
        match token {
            Token::Word(Word { value, quote_style, .. }) => {
                // A quoted word that could not be written without is another one.
                let is_apart = quote_style.is_some() && !keyword::can_name(value);
                is_apart.hash(&mut self.hasher);
                match quote_style {
                    None if value.is_ascii() => {
                        value.bytes().for_each(|byte| byte.to_ascii_lowercase().hash(&mut self.hasher));
                    }
                    None => value.to_lowercase().bytes().for_each(|byte| byte.hash(&mut self.hasher)),
                    Some(_) => value.bytes().for_each(|byte| byte.hash(&mut self.hasher)),
                }
            }
            token => token.hash(&mut self.hasher),
        }
        // Between any two.
        (u8::MAX - 1).hash(&mut self.hasher);
        self.at += 1;
    }

    fn is_in_type(&self) -> bool {
        self.levels.last().is_some_and(|level| level.kind == LevelKind::Type)
    }

    /// A number that names a column by its place.
    fn is_position(&self) -> bool {
        let level = self.levels.last().expect("the outermost stays");
        let begins = || {
            matches!(self.before(1), Some(Token::Comma | Token::LParen))
                || self.is_before(1, &["by", "all", "distinct"])
        };
        let ends = || match self.token(self.at + 1) {
            None | Some(Token::Comma | Token::RParen) => true,
            Some(next) => is_one_of(next, &BEHIND_POSITION),
        };
        level.clause == Clause::Positions && begins() && ends()
    }

    /// A minus that makes the number behind it a negative one.
    fn is_sign(&self) -> bool {
        let is_prefix = match self.before(1) {
            None => true,
            Some(Token::Word(word)) => {
                let lower = word.value.to_lowercase();
                word.quote_style.is_none()
                    && (BEFORE_OPERAND.contains(&lower.as_str())
                        || !keyword::can_name(&lower) && !CLOSING.contains(&lower.as_str()))
            }
            Some(Token::RParen | Token::RBracket | Token::Number(..) | Token::Placeholder(_)) => false,
            Some(before) => !is_string(before),
        };
        let is_number = matches!(self.token(self.at + 1), Some(Token::Number(..)));
        // A cast binds tighter than the minus.
        let binds = !matches!(self.token(self.at + 2), Some(Token::DoubleColon | Token::LBracket));
        is_prefix && is_number && binds && !self.is_in_type()
    }

    /// A literal that a line break parts is one.
    fn last_of_string(&self) -> usize {
        let mut last = self.at;
        let may_go_on =
            |token: &Token| matches!(token, Token::SingleQuotedString(_) | Token::EscapedStringLiteral(_));
        while may_go_on(&self.tokens[last].token)
            && matches!(self.token(last + 1), Some(Token::SingleQuotedString(_)))
        {
            last += 1;
        }
        last
    }

    fn is_constant_word(&self, word: &Word) -> bool {
        if word.quote_style.is_some() || matches!(self.before(1), Some(Token::Period)) {
            return false;
        }
        let is = |name: &str| word.value.eq_ignore_ascii_case(name);
        if ["true", "false", "null"].into_iter().any(is) {
            let is_test =
                self.is_before(1, &["is"]) || self.is_before(1, &["not"]) && self.is_before(2, &["is"]);
            return !is_test && !self.is_before(1, &["as"]);
        }
        // What EXTRACT takes out is a string to PostgreSQL, and LIMIT ALL is LIMIT NULL.
        matches!(self.before(1), Some(Token::LParen)) && self.is_before(2, &["extract"])
            || is("all") && self.is_before(1, &["limit"])
    }

    /// Follows parentheses, clauses and the names of types.
    fn note_structure(&mut self, token: &Token) {
        match token {
            Token::LParen => {
                let level = self.level_of_parenthesis();
                self.levels.push(level);
                self.type_name = TypeName::No;
            }
            Token::LBracket => {
                let kind = if self.type_name == TypeName::Begun { LevelKind::Type } else { LevelKind::Other };
                self.levels.push(Level { kind, clause: Clause::Other });
            }
            Token::RParen | Token::RBracket => {
                let closed = if self.levels.len() > 1 { self.levels.pop() } else { None };
                let is_type = closed.is_some_and(|level| level.kind == LevelKind::Type);
                // Bounds of an array may follow a modifier.
                self.type_name = if is_type { TypeName::Begun } else { TypeName::No };
            }
            Token::DoubleColon => self.type_name = TypeName::Awaited,
            Token::Period if self.type_name == TypeName::Begun => self.type_name = TypeName::Awaited,
            Token::Word(word) => self.note_word(word),
            _ => self.type_name = TypeName::No,
        }
    }

    fn note_word(&mut self, word: &Word) {
        let goes_on = ["varying", "precision"].iter().any(|part| word.value.eq_ignore_ascii_case(part));
        self.type_name = match self.type_name {
            TypeName::Awaited => TypeName::Begun,
            TypeName::Begun if goes_on => TypeName::Begun,
            _ => TypeName::No,
        };
        if word.quote_style.is_some() {
            return;
        }
        let is = |name: &str| word.value.eq_ignore_ascii_case(name);
        let kind = self.level().kind;
        if kind == LevelKind::Cast && is("as") {
            self.type_name = TypeName::Awaited;
        } else if kind == LevelKind::Query {
            if is("by") && self.is_before(1, &["order", "group"]) {
                self.level().clause = Clause::Positions;
            } else if CLAUSES.into_iter().any(is) {
                self.level().clause = Clause::Other;
            }
        }
    }

    fn level_of_parenthesis(&mut self) -> Level {
        let plain = Level { kind: LevelKind::Other, clause: Clause::Other };
        if self.type_name == TypeName::Begun || self.is_before(1, &MODIFIED) {
            return Level { kind: LevelKind::Type, ..plain };
        }
        if self.is_before(1, &["cast"]) {
            return Level { kind: LevelKind::Cast, ..plain };
        }
        let next = self.token(self.at + 1);
        if next.is_some_and(|next| is_one_of(next, &["select", "with", "values", "table"])) {
            return Level { kind: LevelKind::Query, ..plain };
        }
        let is_grouping = self.level().clause == Clause::Positions
            && (self.is_before(1, &["rollup", "cube", "sets", "by"])
                || matches!(self.before(1), Some(Token::Comma | Token::LParen)));
        let is_distinct_on = self.is_before(1, &["on"]) && self.is_before(2, &["distinct"]);
        match is_grouping || is_distinct_on {
            true => Level { clause: Clause::Positions, ..plain },
            false => plain,
        }
    }
}

/// Reserved words that end an operand.
const CLOSING: [&str; 12] = [
    "all",
    "current_catalog",
    "current_date",
    "current_role",
    "current_time",
    "current_timestamp",
    "current_user",
    "end",
    "localtime",
    "localtimestamp",
    "session_user",
    "user",
];

fn is_one_of(token: &Token, words: &[&str]) -> bool {
    match token {
        Token::Word(Word { value, quote_style: None, .. }) => {
            words.iter().any(|word| value.eq_ignore_ascii_case(word))
        }
        _ => false,
    }
}

fn is_string(token: &Token) -> bool {
    matches!(
        token,
        Token::SingleQuotedString(_)
            | Token::EscapedStringLiteral(_)
            | Token::DollarQuotedString(_)
            | Token::NationalStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::HexStringLiteral(_)
            | Token::SingleQuotedByteStringLiteral(_)
    )
}

#[cfg(test)]
mod tests {
    use crate::parse::shaped;

    fn normalised(text: &str) -> Vec<String> {
        let shapes = shaped(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        shapes.iter().map(|(_, shape)| shape.normalised(text)).collect()
    }

    fn hash(text: &str) -> u64 {
        shaped(text).unwrap_or_else(|error| panic!("{text}: {error}"))[0].1.hash
    }

    /// Each of these was read off PostgreSQL 15's `pg_stat_statements`.
    #[test]
    fn constants_are_what_postgresql_takes_for_constants() {
        for (text, expected) in [
            ("SELECT 1", "SELECT $1"),
            ("SELECT 1, $1::int + 5", "SELECT $2, $1::int + $3"),
            ("SELECT -1, 2 - 3, 2 - -3, - 4, -5::int", "SELECT $1, $2 - $3, $4 - $5, $6, -$7::int"),
            ("SELECT a - 1, (a) - 1 FROM t", "SELECT a - $1, (a) - $2 FROM t"),
            ("SELECT a FROM t WHERE a BETWEEN -1 AND -2", "SELECT a FROM t WHERE a BETWEEN $1 AND $2"),
            ("SELECT 'a'\n'b', E'\\n', $$x$$", "SELECT $1, $2, $3"),
            (
                "SELECT true, NULL, a IS NOT NULL, a IS TRUE FROM t",
                "SELECT $1, $2, a IS NOT NULL, a IS TRUE FROM t",
            ),
            (
                "SELECT 'a'::varchar(10), CAST('1' AS numeric(5,2))",
                "SELECT $1::varchar(10), CAST($2 AS numeric(5,2))",
            ),
            ("SELECT '{1}'::int[3], ('{1}'::int[])[1]", "SELECT $1::int[3], ($2::int[])[$3]"),
            (
                "SELECT date '2020-01-01', interval '1' day, timestamp(3) '2020-01-01'",
                "SELECT date $1, interval $2 day, timestamp(3) $3",
            ),
            (
                "SELECT extract(year from now()), current_timestamp(3)",
                "SELECT extract($1 from now()), current_timestamp(3)",
            ),
            (
                "SELECT a, 1 FROM t GROUP BY 1, 2 ORDER BY 1 DESC, 2 LIMIT 3",
                "SELECT a, $1 FROM t GROUP BY 1, 2 ORDER BY 1 DESC, 2 LIMIT $2",
            ),
            ("SELECT a FROM t ORDER BY a + 1, 1", "SELECT a FROM t ORDER BY a + $1, 1"),
            ("SELECT DISTINCT ON (1) a FROM t ORDER BY 1", "SELECT DISTINCT ON (1) a FROM t ORDER BY 1"),
            ("SELECT a FROM t WHERE a IN (1, 2)", "SELECT a FROM t WHERE a IN ($1, $2)"),
            ("SELECT a FROM (SELECT 1 ORDER BY 1) x (a)", "SELECT a FROM (SELECT $1 ORDER BY 1) x (a)"),
            ("SELECT sum(a) OVER (ORDER BY 1) FROM t", "SELECT sum(a) OVER (ORDER BY $1) FROM t"),
            ("SELECT a FROM t LIMIT ALL OFFSET 1", "SELECT a FROM t LIMIT $1 OFFSET $2"),
            ("/* who */ INSERT INTO t VALUES (1, 'x') ;", "/* who */ INSERT INTO t VALUES ($1, $2)"),
            (
                "UPDATE t SET a = a + 1, b = DEFAULT WHERE a = 'ä'",
                "UPDATE t SET a = a + $1, b = DEFAULT WHERE a = $2",
            ),
            ("PREPARE p (int) AS SELECT $1, 'x'", "PREPARE p (int) AS SELECT $1, $2"),
        ] {
            assert_eq!(normalised(text), [expected]);
        }
    }

    #[test]
    fn each_statement_of_a_text_has_a_shape_of_its_own() {
        let text = "SELECT 'ä', 1;; -- two\n SELECT 2 ; UPDATE t SET a = 3\n";
        assert_eq!(normalised(text), ["SELECT $1, $2", "-- two\n SELECT $1", "UPDATE t SET a = $1"]);
        let shapes = shaped(text).unwrap();
        assert_eq!(shapes[1].1.written(text), "-- two\n SELECT 2");
        assert_eq!(shapes[2].1.written(text), "UPDATE t SET a = 3");
    }

    #[test]
    fn case_blanks_and_constants_make_no_other_shape() {
        for (one, other, is_same) in [
            ("SELECT a FROM t WHERE b = 1", "select  A from T /* x */ where \"b\"=22", true),
            ("SELECT a FROM t WHERE b = 1", "SELECT a FROM t WHERE b = 'x'", true),
            ("SELECT a FROM t WHERE b <> -1", "SELECT a FROM t WHERE b != 1", true),
            ("SELECT 1", "PREPARE p AS SELECT 1", true),
            ("SELECT a FROM t WHERE b = 1", "SELECT a FROM t WHERE c = 1", false),
            ("SELECT a FROM t WHERE b = 1", "SELECT a FROM t WHERE b = $1", false),
            ("SELECT a FROM t WHERE b IN (1)", "SELECT a FROM t WHERE b IN (1, 2)", false),
            ("SELECT a FROM t ORDER BY 1", "SELECT a FROM t ORDER BY 2", false),
            ("SELECT current_user", "SELECT \"current_user\"", false),
            ("SELECT ab", "SELECT a b", false),
        ] {
            assert_eq!(hash(one) == hash(other), is_same, "{one} / {other}");
        }
    }
}
