//! Text to syntax tree: the only module that knows the parser crate.
//!
//! Owns splitting a text into statements, error wording and positions. Expressions and queries are parsed by
//! `sqlparser` and brought into the tree of `tree/` by `expression.rs` and `query.rs`, which take the crate's structs
//! apart field by field so that a clause unknown to us is refused and never dropped. Statements other than queries and
//! data changes have a small grammar of our own (`statement.rs`, `definition.rs`, `cursor.rs`, `copy.rs`) over the crate's tokens, since the
//! crate's grammar for them mixes a dozen dialects. Read next: `bind`.

mod assigned_part;
mod assignment;
mod comment;
mod conflict_target;
mod constraint;
mod copy;
mod cursor;
mod database;
mod definition;
mod enumeration;
mod explain;
mod expression;
mod extension;
mod foreign;
mod foreign_key;
mod grammar;
pub(crate) mod keyword;
mod locking;
mod maintenance;
mod operator;
mod operator_chain;
mod parentheses;
mod place;
mod query;
mod query_checks;
mod respell;
mod respell_insert;
mod respell_query;
mod respell_select;
mod row_count;
mod select_into;
mod sequence;
mod shape;
mod spelling;
mod statement;
pub(crate) mod tree;
mod type_name;
mod unicode_escape;
pub(crate) mod view;
mod window;
mod words;

pub(crate) use locking::lock_words;
pub(crate) use shape::Shape;

use crate::nesting::with_room;
use grammar::Grammar;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use place::is_word;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Word};
use std::collections::BTreeSet;
use tree::{Expr, Statement};
use words::{Asked, Words};

/// Deepest nesting of an expression or query. Each level costs a few stack frames in the binder and the evaluator; read
/// off debug builds, where 2 MiB of stack (a worker thread's) hold about three times as much.
pub(crate) const NESTING_MAX: usize = 400;

/// Bytes of an identifier that count (`NAMEDATALEN` - 1).
const NAME_BYTES_MAX: usize = 63;

static DIALECT: Grammar = Grammar;

/// All statements of a text, in order; empty ones are left out.
pub(crate) fn statements(text: &str) -> Result<Vec<Statement>> {
    let lines = Lines::new(text);
    parsed(tokenize(text, &lines)?, &lines)
}

/// The same, each with its shape.
pub(crate) fn shaped(text: &str) -> Result<Vec<(Statement, Shape)>> {
    let lines = Lines::new(text);
    let tokens = tokenize_plain(text, &lines)?;
    let shapes = shape::shapes(&tokens, &lines);
    let statements = parsed(whole(tokens, &lines)?, &lines)?;
    assert_eq!(statements.len(), shapes.len(), "both cut at semicolons");
    Ok(statements.into_iter().zip(shapes).collect())
}

fn parsed(tokens: Vec<TokenWithSpan>, lines: &Lines<'_>) -> Result<Vec<Statement>> {
    let mut statements = Vec::new();
    for group in split(tokens) {
        let bytes = stack_bytes(&group)?;
        statements.push(with_room_for(bytes, || statement_of(group, lines))?);
    }
    Ok(statements)
}

/// The statement that these tokens are.
fn statement_of(group: Vec<TokenWithSpan>, lines: &Lines<'_>) -> Result<Statement> {
    const LOCKS: Asked<1> = Asked::new(["for"]);
    const TARGETS: Asked<1> = Asked::new(["conflict"]);
    // Nothing that is put in brings any of the words that are asked for.
    let words = Words::of(&group);
    let (group, overriding) = respell::take_overriding(group, &words);
    let group = if words.may_have(&LOCKS) { locking::respell_locks(group) } else { group };
    let (group, parts) = assigned_part::take(respell::respelled(group, &words, lines)?);
    let (group, targets) =
        if words.may_have(&TARGETS) { conflict_target::take(group) } else { (group, Vec::new()) };
    let mut reader = Reader::new(group, lines);
    reader.overriding = overriding;
    reader.assigned_parts = assigned_part::read(parts, lines)?;
    reader.conflict_targets = conflict_target::read(targets, lines)?;
    let statement = statement::statement(&mut reader)?;
    reader.expect_end()?;
    Ok(statement)
}

/// One expression, as stored for a default or a check constraint.
pub(crate) fn expression(text: &str) -> Result<Expr> {
    let lines = Lines::new(text);
    let tokens = tokenize(text, &lines)?;
    with_room_for(stack_bytes(&tokens)?, || {
        let mut reader = Reader::new(respell_query::respell_collate(tokens), &lines);
        let expr = reader.expr()?;
        reader.expect_end()?;
        Ok(expr)
    })
}

/// A type's name, as in `regtype` input or a catalog function's argument.
pub(crate) fn type_name(text: &str) -> Result<tree::TypeName> {
    let lines = Lines::new(text);
    let tokens = tokenize(text, &lines)?;
    let mut reader = Reader::new(tokens, &lines);
    let name = reader.type_name()?;
    reader.expect_end()?;
    Ok(name)
}

fn tokenize(text: &str, lines: &Lines<'_>) -> Result<Vec<TokenWithSpan>> {
    whole(tokenize_plain(text, lines)?, lines)
}

/// Tokens as the grammar has them.
fn whole(tokens: Vec<TokenWithSpan>, lines: &Lines<'_>) -> Result<Vec<TokenWithSpan>> {
    let tokens = foreign::take_foreign(operator::part_signs(continued(tokens, lines)?), lines)?;
    let is_empty = |token: &&TokenWithSpan| matches!(&token.token, Token::Word(Word { value, quote_style: Some(_), .. }) if value.is_empty());
    match tokens.iter().find(is_empty) {
        None => Ok(tokens),
        Some(token) => {
            let message = "zero-length delimited identifier at or near \"\"\"\"";
            Err(at(SqlError::syntax(message), lines.position(token.span.start)))
        }
    }
}

/// Tokens as they stand, literals of several lines in parts.
fn tokenize_plain(text: &str, lines: &Lines<'_>) -> Result<Vec<TokenWithSpan>> {
    Tokenizer::new(&DIALECT, text).tokenize_with_location().map_err(|error| {
        let position = lines.position(error.location);
        let rest: String = text.chars().skip((position.max(1) - 1) as usize).collect();
        let message =
            if error.message.contains("Unterminated string") || error.message.contains("Unterminated") {
                format!("unterminated quoted string at or near \"{rest}\"")
            } else {
                format!("syntax error at or near \"{rest}\"")
            };
        at(SqlError::syntax(message), position)
    })
}

/// Puts together literals that a line break parts, as SQL has it. On one line the second one is an error, which the
/// parser crate would take for an alias.
fn continued(tokens: Vec<TokenWithSpan>, lines: &Lines<'_>) -> Result<Vec<TokenWithSpan>> {
    let is_literal = |token: &&TokenWithSpan| {
        matches!(token.token, Token::SingleQuotedString(_) | Token::EscapedStringLiteral(_))
    };
    if tokens.iter().filter(is_literal).nth(1).is_none() {
        return Ok(tokens);
    }
    let mut joined: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    // Where the last token stands that is no blank.
    let mut last: Option<usize> = None;
    for token in tokens {
        if matches!(token.token, Token::Whitespace(_)) {
            joined.push(token);
            continue;
        }
        if let (Some(at_last), Token::SingleQuotedString(rest)) = (last, &token.token)
            && let TokenWithSpan {
                token: Token::SingleQuotedString(value) | Token::EscapedStringLiteral(value),
                span,
            } = &mut joined[at_last]
        {
            if span.end.line == token.span.start.line {
                let message = format!("syntax error at or near \"'{rest}'\"");
                return Err(at(SqlError::syntax(message), lines.position(token.span.start)));
            }
            value.push_str(rest);
            continue;
        }
        last = Some(joined.len());
        joined.push(token);
    }
    Ok(joined)
}

/// Cuts at semicolons, which stand nowhere but between statements.
fn split(tokens: Vec<TokenWithSpan>) -> Vec<Vec<TokenWithSpan>> {
    let mut groups = vec![Vec::new()];
    if tokens.iter().any(|token| token.token == Token::SemiColon) {
        for token in tokens {
            match token.token {
                Token::SemiColon => groups.push(Vec::new()),
                Token::EOF => {}
                _ => groups.last_mut().expect("never empty").push(token),
            }
        }
    } else {
        let mut tokens = tokens;
        tokens.retain(|token| token.token != Token::EOF);
        groups[0] = tokens;
    }
    groups.retain(|group| group.iter().any(|token| !matches!(token.token, Token::Whitespace(_))));
    groups
}

/// The parser crate makes a chain of boxes of a long expression, and dropping it, as an error does, takes so much of the
/// stack for each of its tokens; four times what debug builds were seen to take.
const TOKEN_STACK_BYTES: usize = 1 << 10;

/// What a run of tokens may take of the stack: a statement's expressions reach 256 thousand tokens without a comma.
const RUN_STACK_BYTES_MAX: usize = 256 << 20;

/// What a level of parentheses may take of the stack: debug builds were seen to take 20 KiB for one of FROM, of which the
/// parser crate takes joins and queries alike. Frames of release builds are a third as large.
const LEVEL_STACK_BYTES: usize = if cfg!(debug_assertions) { 32 << 10 } else { 12 << 10 };

/// Less than this fits a worker's stack as it is.
const STACK_BYTES_PLAIN: usize = 1 << 20;

/// The stack for the longest run, tokens of one level of parentheses without a comma between them, and for the deepest level.
/// 54001 if no stack could hold the run, or if parentheses are nested too deep: the passes over the tokens need not be fit
/// for that.
fn stack_bytes(tokens: &[TokenWithSpan]) -> Result<usize> {
    // The run of the current level, and those of the levels around it.
    let (mut longest, mut run, mut outer) = (0usize, 0usize, Vec::new());
    let mut deepest = 0usize;
    for token in tokens {
        match token.token {
            Token::Whitespace(_) => {}
            Token::Comma => run = 0,
            Token::LParen | Token::LBracket if outer.len() == NESTING_MAX => return Err(too_deep()),
            Token::LParen | Token::LBracket => {
                outer.push(std::mem::take(&mut run) + 1);
                deepest = deepest.max(outer.len());
            }
            Token::RParen | Token::RBracket => run = outer.pop().unwrap_or(run),
            _ => run += 1,
        }
        longest = longest.max(run);
    }
    match longest <= RUN_STACK_BYTES_MAX / TOKEN_STACK_BYTES {
        true => Ok(longest * TOKEN_STACK_BYTES + deepest * LEVEL_STACK_BYTES),
        false => Err(too_deep()),
    }
}

/// Parses with so much room on the stack.
fn with_room_for<T>(bytes: usize, parse: impl FnOnce() -> T) -> T {
    match bytes < STACK_BYTES_PLAIN {
        true => parse(),
        false => with_room(bytes, parse),
    }
}

/// Adds a position if it is known.
pub(crate) fn at(error: SqlError, position: u32) -> SqlError {
    if position == 0 { error } else { error.with_position(position) }
}

/// Where each line begins, to turn the crate's line and column into PostgreSQL's character position.
pub(crate) struct Lines<'a> {
    starts: Vec<u32>,
    text: &'a str,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Lines<'a> {
        let mut starts = vec![0];
        for (at, character) in text.chars().enumerate() {
            if character == '\n' {
                starts.push(u32::try_from(at).unwrap_or(u32::MAX - 1) + 1);
            }
        }
        Lines { starts, text }
    }

    /// 1-based character position, 0 if there is no location.
    fn position(&self, location: Location) -> u32 {
        let Some(line) = usize::try_from(location.line).ok().and_then(|line| line.checked_sub(1)) else {
            return 0;
        };
        match self.starts.get(line) {
            Some(start) => start + u32::try_from(location.column).unwrap_or(0),
            None => 0,
        }
    }
}

/// A statement's tokens with the crate's parser on them, and the few steps that every grammar here is made of.
struct Reader<'a> {
    parser: Parser<'a>,
    token_count: usize,
    lines: &'a Lines<'a>,
    /// OVERRIDING of an INSERT, which the parser crate has no word for.
    overriding: Option<tree::Overriding>,
    /// Targets of ON CONFLICT that the parser crate does not read.
    conflict_targets: Vec<tree::ConflictTarget>,
    /// Parts of columns that are assigned to.
    assigned_parts: Vec<tree::AssignedTo>,
}

impl<'a> Reader<'a> {
    fn new(tokens: Vec<TokenWithSpan>, lines: &'a Lines<'a>) -> Reader<'a> {
        let token_count = tokens.len();
        let parser =
            Parser::new(&DIALECT).with_recursion_limit(NESTING_MAX).with_tokens_with_locations(tokens);
        Reader {
            parser,
            token_count,
            lines,
            overriding: None,
            conflict_targets: Vec::new(),
            assigned_parts: Vec::new(),
        }
    }

    /// The crate's error in PostgreSQL's words. The crate says where it stopped; what stands there is named.
    fn failure(&self, error: ParserError) -> SqlError {
        match error {
            ParserError::RecursionLimitExceeded => too_deep(),
            ParserError::TokenizerError(message) => SqlError::syntax(message),
            ParserError::ParserError(message) => match message.rsplit_once(" at Line: ") {
                Some((head, location)) => self.failure_at(head, location),
                None if message.contains("found: EOF") => SqlError::syntax("syntax error at end of input"),
                None => SqlError::syntax(format!("syntax error: {message}")),
            },
        }
    }

    fn failure_at(&self, head: &str, location: &str) -> SqlError {
        let found = head.rsplit_once("found: ").map_or(head, |(_, found)| found);
        let mut numbers = location.split(", Column: ").map(str::parse::<u64>);
        let position = match (numbers.next(), numbers.next()) {
            (Some(Ok(line)), Some(Ok(column))) => self.lines.position(Location { line, column }),
            _ => 0,
        };
        if found == "EOF" {
            return SqlError::syntax("syntax error at end of input");
        }
        at(SqlError::syntax(format!("syntax error at or near \"{found}\"")), position)
    }

    /// `syntax error at or near` the next token.
    fn unexpected(&self) -> SqlError {
        let token = self.parser.peek_token_ref();
        if token.token == Token::EOF {
            return SqlError::syntax("syntax error at end of input");
        }
        let message = format!("syntax error at or near \"{}\"", token.token);
        at(SqlError::syntax(message), self.lines.position(token.span.start))
    }

    fn position(&self) -> u32 {
        self.lines.position(self.parser.peek_token_ref().span.start)
    }

    fn expect_end(&self) -> Result<()> {
        if self.at_end() { Ok(()) } else { Err(self.unexpected()) }
    }

    fn at_end(&self) -> bool {
        self.parser.peek_token_ref().token == Token::EOF
    }

    fn peek_word_nth(&self, nth: usize) -> Option<&str> {
        match &self.parser.peek_nth_token_ref(nth).token {
            Token::Word(Word { value, quote_style: None, .. }) => Some(value),
            _ => None,
        }
    }

    /// Whether the next tokens are these unquoted words.
    fn peek_words(&self, words: &[&str]) -> bool {
        words
            .iter()
            .enumerate()
            .all(|(nth, word)| self.peek_word_nth(nth).is_some_and(|next| next.eq_ignore_ascii_case(word)))
    }

    /// Takes these words if they come next.
    fn eat(&mut self, words: &[&str]) -> bool {
        let there = self.peek_words(words);
        if there {
            for _ in words {
                self.parser.next_token();
            }
        }
        there
    }

    fn expect(&mut self, word: &str) -> Result<()> {
        if self.eat(&[word]) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn eat_token(&mut self, token: &Token) -> bool {
        self.parser.consume_token(token)
    }

    fn expect_token(&mut self, token: &Token) -> Result<()> {
        if self.eat_token(token) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// The name of something, folded: no word that PostgreSQL reserves.
    fn identifier(&mut self) -> Result<String> {
        match self.peek_word_nth(0) {
            Some(word) if !keyword::can_name(&word.to_lowercase()) => Err(self.unexpected()),
            _ => self.word(),
        }
    }

    /// Any word, folded: a label, or an option that the grammar does not know by name.
    fn word(&mut self) -> Result<String> {
        let name = match &self.parser.peek_token_ref().token {
            Token::Word(Word { value, quote_style, .. }) => fold(value, quote_style.is_some()),
            _ => return Err(self.unexpected()),
        };
        self.parser.next_token();
        Ok(name)
    }

    fn name(&mut self) -> Result<tree::Name> {
        let position = self.position();
        let mut parts = vec![self.identifier()?];
        while self.eat_token(&Token::Period) {
            parts.push(self.word()?);
        }
        Ok(tree::Name { parts, position })
    }

    fn names(&mut self) -> Result<Vec<tree::Name>> {
        let mut names = vec![self.name()?];
        while self.eat_token(&Token::Comma) {
            names.push(self.name()?);
        }
        Ok(names)
    }

    /// `(a, b, …)`.
    fn column_list(&mut self) -> Result<Vec<String>> {
        self.expect_token(&Token::LParen)?;
        let mut columns = vec![self.identifier()?];
        while self.eat_token(&Token::Comma) {
            columns.push(self.identifier()?);
        }
        self.expect_token(&Token::RParen)?;
        Ok(columns)
    }

    fn string(&mut self) -> Result<String> {
        let value = match &self.parser.peek_token_ref().token {
            Token::SingleQuotedString(value) | Token::EscapedStringLiteral(value) => value.clone(),
            _ => return Err(self.unexpected()),
        };
        self.parser.next_token();
        Ok(value)
    }

    fn integer(&mut self) -> Result<i64> {
        let negative = self.eat_token(&Token::Minus);
        if !negative {
            let _ = self.eat_token(&Token::Plus);
        }
        let Token::Number(digits, _) = &self.parser.peek_token_ref().token else {
            return Err(self.unexpected());
        };
        let signed = if negative { format!("-{digits}") } else { digits.clone() };
        let value = signed.parse().map_err(|_| self.unexpected())?;
        self.parser.next_token();
        Ok(value)
    }

    fn expr(&mut self) -> Result<Expr> {
        let expr = self.parser.parse_expr().map_err(|error| self.failure(error))?;
        self.lower().expr(expr)
    }

    /// A call of a function, in whatever form SQL has for it.
    fn call(&mut self) -> Result<Expr> {
        let expr = self.parser.parse_prefix().map_err(|error| self.failure(error))?;
        self.lower().expr(expr)
    }

    /// An expression as DEFAULT takes it: without the operators that could be mistaken for a constraint behind it. A
    /// COLLATE behind it is the column's, and is left there.
    fn restricted_expr(&mut self) -> Result<Expr> {
        /// Binds weaker than comparisons and tighter than IS, whose NOT NULL would be taken for the constraint.
        const ABOVE_IS: u8 = 40;
        let begin = self.parser.index();
        let expr = match self.outer_collate(begin) {
            None => self.parser.parse_subexpr(ABOVE_IS),
            Some(collate) => {
                let tokens = (begin..collate).map(|at| self.parser.token_at(at).clone()).collect();
                let before = Parser::new(&DIALECT).with_recursion_limit(NESTING_MAX);
                let mut before = before.with_tokens_with_locations(tokens);
                let expr = before.parse_subexpr(ABOVE_IS);
                while expr.is_ok() && self.parser.index() < begin + before.index() {
                    self.parser.next_token();
                }
                // What is wrong with it is told by the one that knows what follows.
                expr.map_err(|error| self.parser.parse_subexpr(ABOVE_IS).err().unwrap_or(error))
            }
        };
        let expr = expr.map_err(|error| self.failure(error))?;
        self.lower().expr(expr)
    }

    /// The next COLLATE in the list that the token at this place stands in, if it stands in no CASE.
    fn outer_collate(&self, begin: usize) -> Option<usize> {
        let mut depth = 0usize;
        for at in begin.. {
            let token = &self.parser.token_at(at).token;
            match token {
                Token::LParen | Token::LBracket => depth += 1,
                Token::RParen | Token::RBracket => depth = depth.checked_sub(1)?,
                Token::Word(_) if is_word(token, "case") => depth += 1,
                Token::Word(_) if is_word(token, "end") => depth = depth.checked_sub(1)?,
                Token::Word(_) if depth == 0 && is_word(token, "collate") => return Some(at),
                Token::Comma if depth == 0 => return None,
                Token::EOF => return None,
                _ => {}
            }
        }
        None
    }

    /// The text from a position to the last token that was taken.
    fn text_since(&self, position: u32) -> String {
        let is_blank = |at: usize| matches!(self.parser.token_at(at).token, Token::Whitespace(_));
        let last = (0..self.parser.index()).rev().find(|&at| !is_blank(at));
        let end = last.map_or(position, |at| self.lines.position(self.parser.token_at(at).span.end));
        let count = end.saturating_sub(position) as usize;
        self.lines.text.chars().skip(position as usize - 1).take(count).collect()
    }

    fn query(&mut self) -> Result<tree::Query> {
        let query = self.parser.parse_query().map_err(|error| self.failure(error))?;
        self.lower().query(*query)
    }

    fn type_name(&mut self) -> Result<tree::TypeName> {
        let start = self.position();
        let data_type = self.parser.parse_data_type().map_err(|error| self.failure(error))?;
        let mut lower = self.lower();
        lower.type_name(data_type).map_err(|error| match error.fields().message.as_str() {
            // A width that the type does not take.
            "syntax error at or near \"(\"" => {
                at(error, lower.take_after(start, |token| *token == Token::LParen))
            }
            _ => error,
        })
    }

    fn lower(&self) -> Lower<'_> {
        Lower {
            lines: self.lines,
            parser: &self.parser,
            conflict_targets: &self.conflict_targets,
            assigned_parts: &self.assigned_parts,
            token_count: self.token_count,
            taken: BTreeSet::new(),
            depth: 0,
        }
    }
}

/// Takes the crate's tree apart. `depth` bounds recursion here and in everything that walks the tree later.
struct Lower<'a> {
    conflict_targets: &'a [tree::ConflictTarget],
    assigned_parts: &'a [tree::AssignedTo],
    lines: &'a Lines<'a>,
    /// For its tokens: see `place.rs`.
    parser: &'a Parser<'a>,
    token_count: usize,
    /// Tokens whose operators have been found.
    taken: BTreeSet<usize>,
    depth: usize,
}

impl Lower<'_> {
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.nested_by(1, inner)
    }

    /// For what will stand so many levels deeper.
    fn nested_by<T>(&mut self, levels: usize, inner: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth + levels > NESTING_MAX {
            return Err(too_deep());
        }
        self.depth += levels;
        let result = inner(self);
        self.depth -= levels;
        result
    }

    fn ident(&self, ident: sqlparser::ast::Ident) -> String {
        fold(&ident.value, ident.quote_style.is_some())
    }

    /// The name of a column, a table or the like: no word that PostgreSQL reserves.
    fn column_id(&self, ident: sqlparser::ast::Ident) -> Result<String> {
        self.allowed(ident, keyword::can_name)
    }

    fn allowed(&self, ident: sqlparser::ast::Ident, is_allowed: fn(&str) -> bool) -> Result<String> {
        let (position, quoted) = (self.lines.position(ident.span.start), ident.quote_style.is_some());
        let name = fold(&ident.value, quoted);
        // The parser takes a string for a name.
        if ident.quote_style != Some('\'') && (quoted || is_allowed(&name)) {
            return Ok(name);
        }
        let found = if quoted { ident.to_string() } else { ident.value };
        Err(at(SqlError::syntax(format!("syntax error at or near \"{found}\"")), position))
    }

    /// The alias of a select item: any word behind AS, most words without it.
    fn label(&self, ident: sqlparser::ast::Ident) -> Result<String> {
        let before = self.token_before(self.lines.position(ident.span.start));
        if before.is_some_and(|token| is_word(token, "as")) {
            return self.allowed(ident, |_| true);
        }
        self.allowed(ident, keyword::can_label)
    }

    fn object_name(&self, name: sqlparser::ast::ObjectName) -> Result<tree::Name> {
        self.name_of(name, keyword::can_name)
    }

    fn function_name(&self, name: sqlparser::ast::ObjectName) -> Result<tree::Name> {
        self.name_of(name, keyword::can_call)
    }

    /// A qualified name; behind a point any word will do.
    fn name_of(&self, name: sqlparser::ast::ObjectName, is_allowed: fn(&str) -> bool) -> Result<tree::Name> {
        let mut parts = Vec::with_capacity(name.0.len());
        let mut position = 0;
        for part in name.0 {
            match part {
                sqlparser::ast::ObjectNamePart::Identifier(ident) => {
                    if parts.is_empty() {
                        position = self.lines.position(ident.span.start);
                        parts.push(self.allowed(ident, is_allowed)?);
                    } else {
                        parts.push(self.ident(ident));
                    }
                }
                sqlparser::ast::ObjectNamePart::Function(_) => return Err(refuse("a function as a name")),
            }
        }
        Ok(tree::Name { parts, position })
    }
}

/// 54001, in PostgreSQL's words.
fn too_deep() -> SqlError {
    SqlError::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
        .with_hint(format!("An expression or query is nested more than {NESTING_MAX} levels deep."))
}

/// Folds an identifier as PostgreSQL does: lower case unless quoted, cut at 63 bytes.
pub(crate) fn fold(name: &str, quoted: bool) -> String {
    cut(if quoted { name.replace("\"\"", "\"") } else { name.to_lowercase() })
}

/// A name as far as it counts.
pub(crate) fn cut(mut name: String) -> String {
    if name.len() > NAME_BYTES_MAX {
        let mut end = NAME_BYTES_MAX;
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        name.truncate(end);
    }
    name
}

/// 0A000 naming the feature.
pub(crate) fn refuse(feature: impl std::fmt::Display) -> SqlError {
    SqlError::unsupported(feature)
}

/// 0A000 if a list that we have no use for holds something.
fn refuse_some<T>(list: &[T], feature: &str) -> Result<()> {
    if list.is_empty() { Ok(()) } else { Err(refuse(feature)) }
}

/// 0A000 if a clause that we have no use for is there.
fn refuse_if(there: bool, feature: &str) -> Result<()> {
    if there { Err(refuse(feature)) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
