//! Spellings of queries and changes that PostgreSQL has and the parser crate has not.
//!
//! Owns a pass over a statement's tokens: a spelling with a plain equivalent is put into that, one without is refused
//! by name, so that it is neither a syntax error nor taken for something else. Definitions and commands, which have a
//! grammar of their own, are left alone.

use super::query::ROWS_FROM;
use super::respell_insert::respell_inserted_queries;
use super::respell_query::{respell_collate, respell_forms};
use super::respell_select::{
    is_blank, plain, respell_all_fields, respell_compared_sets, respell_empty_lists, respell_like_sets,
    respell_operands, respell_pattern_sets,
};
use super::tree::{CURRENT_OF, Overriding};
use super::unicode_escape::respell_unicode_escapes;
use super::window::{respell_bounds, respell_exclusions};
use super::words::{Asked, Words};
use super::{Lines, at, refuse};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::types::type_from_name;
use hexalog_sql_types::{SqlError, SqlState};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};
use std::ops::RangeInclusive;

/// What stands for SYMMETRIC; no name that can be written.
pub(super) const SYMMETRIC: &str = "SYMMETRIC\0";

/// Types that may stand in front of a string, and are none of the parser crate's own.
const LITERAL_TYPES: [&str; 1] = ["jsonpath"];

/// First words of statements that the parser crate reads.
const FIRST_WORDS: [&str; 7] = ["select", "values", "with", "table", "insert", "update", "delete"];

/// Words that the passes up to `respell_operands` are for, besides those that look at an empty select list.
const SETS: Asked<3> = Asked::new(["any", "all", "some"]);
const FORMS: Asked<8> =
    Asked::new(["in", "distinct", "group", "fetch", "offset", "only", "collate", "limit"]);
const SYMMETRIES: Asked<2> = Asked::new(["symmetric", "asymmetric"]);
const INTERVAL: Asked<1> = Asked::new(["interval"]);
const UESCAPE: Asked<1> = Asked::new(["uescape"]);
const FRAMES: Asked<4> = Asked::new(["rows", "range", "groups", "exclude"]);
const CURRENT: Asked<1> = Asked::new(["current"]);
const INSERT: Asked<1> = Asked::new(["insert"]);
const VALUES: Asked<1> = Asked::new(["values"]);
/// Words that [`Pass`] is for, besides strings.
const PASSED: Asked<11> = Asked::new([
    "only",
    "table",
    "isnull",
    "asymmetric",
    "rows",
    "leading",
    "trailing",
    "both",
    "interval",
    "variadic",
    "using",
]);

type Tokens = Vec<TokenWithSpan>;

/// Passes a statement's tokens through what may find something in them: `words` are its own.
pub(super) fn respelled(tokens: Tokens, words: &Words, lines: &Lines<'_>) -> Result<Tokens> {
    let mut tokens = respell_all_fields(respell_similar_substring(tokens, lines)?);
    let sets = |tokens| Ok(respell_pattern_sets(respell_like_sets(tokens, lines)?));
    tokens = words.pass(&SETS, tokens, sets)?;
    tokens = words.pass(&SYMMETRIES, tokens, |tokens| Ok(respell_symmetric(tokens)))?;
    tokens = words.pass(&INTERVAL, tokens, |tokens| Ok(respell_interval_precision(tokens)))?;
    tokens = words.pass(&UESCAPE, tokens, |tokens| respell_unicode_escapes(tokens, lines))?;
    // A definition may have a query: of a view, of a table's rows.
    let Some(start) = query_start(&tokens) else {
        return Ok(respell_collate(respell_operands(tokens)));
    };
    let (mut before, mut tokens) = match start {
        0 => (Vec::new(), tokens),
        start => {
            let behind = tokens.split_off(start);
            (tokens, behind)
        }
    };
    refuse_search_and_cycle(&tokens, lines)?;
    tokens = words.pass(&FRAMES, tokens, |tokens| Ok(respell_exclusions(respell_bounds(tokens))))?;
    tokens = words.pass(&FORMS, tokens, |tokens| respell_forms(tokens, lines))?;
    tokens = respell_empty_lists(tokens, lines)?;
    tokens = words.pass(&SETS, tokens, |tokens| Ok(respell_compared_sets(tokens)))?;
    tokens = words.pass(&CURRENT, tokens, |tokens| Ok(respell_current_of(tokens)))?;
    tokens = words.pass(&INSERT, tokens, |tokens| Ok(respell_inserted_queries(tokens)))?;
    tokens = words.pass(&VALUES, tokens, |tokens| Ok(respell_operands(tokens)))?;
    let is_string = |token: &TokenWithSpan| matches!(token.token, Token::SingleQuotedString(_));
    let has_strings = tokens.iter().any(is_string);
    let start = before.len();
    before.append(&mut tokens);
    let respell = |tokens| respell_words(tokens, start, lines);
    if has_strings { respell(before) } else { words.pass(&PASSED, before, respell) }
}

/// What [`Pass`] is for, token by token of the query that begins at this place.
fn respell_words(mut tokens: Tokens, start: usize, lines: &Lines<'_>) -> Result<Tokens> {
    let query = tokens.split_off(start);
    // Behind the query of COPY stand options with strings.
    let has_options = tokens.iter().any(|token| is_word(&token.token, "copy"));
    tokens.reserve(query.len());
    let mut pass = Pass { out: tokens, depth: 0, has_options, in_from: vec![false] };
    for token in query {
        match &token.token {
            Token::Whitespace(_) => {
                pass.out.push(token);
                continue;
            }
            Token::LParen | Token::LBracket => pass.depth += 1,
            Token::RParen | Token::RBracket => pass.depth = pass.depth.saturating_sub(1),
            Token::Word(Word { quote_style: None, .. }) => {}
            Token::SingleQuotedString(_) if pass.is_literal_of_type() => {
                pass.cast_literal(token);
                continue;
            }
            _ => {
                pass.out.push(token);
                continue;
            }
        }
        let position = lines.position(token.span.start);
        pass.take(token).map_err(|error| at(error, position))?;
    }
    Ok(pass.out)
}

/// `interval(3) '…'` becomes a cast: the parser crate drops the precision. In definitions too.
fn respell_interval_precision(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut literals = interval_literals(&tokens).into_iter().peekable();
    if literals.peek().is_none() {
        return tokens;
    }
    let mut out = Vec::with_capacity(tokens.len() + 8);
    // The type of the literal that is being read.
    let mut name: Vec<TokenWithSpan> = Vec::new();
    for (place, token) in tokens.into_iter().enumerate() {
        match literals.peek() {
            Some(literal) if place == *literal.end() => {
                literals.next();
                push_cast(&mut out, token, std::mem::take(&mut name));
            }
            Some(literal) if literal.contains(&place) => {
                if !is_blank(&token) {
                    name.push(token);
                }
            }
            _ => out.push(token),
        }
    }
    out
}

/// Where such literals stand, from the type to the string.
fn interval_literals(tokens: &[TokenWithSpan]) -> Vec<RangeInclusive<usize>> {
    let plain = plain(tokens);
    let mut literals = Vec::new();
    for (nth, literal) in plain.windows(5).enumerate() {
        let [first, open, precision, close, string] = [0, 1, 2, 3, 4].map(|nth| &tokens[literal[nth]].token);
        let is_type = nth.checked_sub(1).is_some_and(|before| {
            let before = &tokens[plain[before]].token;
            matches!(before, Token::DoubleColon | Token::Period) || is_word(before, "as")
        });
        let is_there = !is_type
            && is_word(first, "interval")
            && *open == Token::LParen
            && matches!(precision, Token::Number(..))
            && *close == Token::RParen
            && matches!(string, Token::SingleQuotedString(_));
        if is_there {
            literals.push(literal[0]..=literal[4]);
        }
    }
    literals
}

/// `CAST(string AS name)`.
fn push_cast(out: &mut Vec<TokenWithSpan>, string: TokenWithSpan, name: Vec<TokenWithSpan>) {
    let (span, end) = (name[0].span, string.span);
    let new = |token| TokenWithSpan { token, span };
    out.extend([new(keyword("CAST", Keyword::CAST)), new(Token::LParen)]);
    out.extend([string, new(keyword("AS", Keyword::AS))]);
    out.extend(name);
    out.push(TokenWithSpan { token: Token::RParen, span: end });
}

/// SYMMETRIC behind BETWEEN becomes a mark at the beginning of the lower bound, joined to it by an operator that binds no
/// stronger than any that the bound may have; ASYMMETRIC says nothing. In definitions too.
fn respell_symmetric(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut follows_between = false;
    for token in tokens {
        let is_blank = matches!(token.token, Token::Whitespace(_));
        if follows_between && is_word(&token.token, "symmetric") {
            let mark =
                Word { value: SYMMETRIC.to_owned(), quote_style: Some('"'), keyword: Keyword::NoKeyword };
            let spelled = [Token::Word(mark), Token::StringConcat];
            out.extend(spelled.map(|new| TokenWithSpan { token: new, span: token.span }));
        } else if !(follows_between && is_word(&token.token, "asymmetric")) {
            let is_between = is_word(&token.token, "between");
            out.push(token);
            follows_between = is_between || (follows_between && is_blank);
            continue;
        }
        follows_between = false;
    }
    out
}

/// Where the part begins that the parser crate reads: the whole statement, or what stands behind the words of a command.
fn query_start(tokens: &[TokenWithSpan]) -> Option<usize> {
    let is_blank = |token: &TokenWithSpan| matches!(token.token, Token::Whitespace(_) | Token::LParen);
    let first = tokens.iter().position(|token| !is_blank(token))?;
    let is_first = |at: usize| FIRST_WORDS.iter().any(|first| is_word(&tokens[at].token, first));
    if is_first(first) {
        return Some(0);
    }
    let behind = |word: &str| tokens.iter().position(|token| is_word(&token.token, word)).map(|at| at + 1);
    if is_word(&tokens[first].token, "declare") {
        return behind("for");
    }
    if is_word(&tokens[first].token, "prepare") {
        return behind("as");
    }
    if is_word(&tokens[first].token, "explain") {
        return (first + 1..tokens.len()).find(|&at| is_first(at));
    }
    if is_word(&tokens[first].token, "create") {
        // Of a view or a table that is made of a query; what is generated stands deeper.
        let mut depth = 0usize;
        for (at, token) in tokens.iter().enumerate().skip(first) {
            match token.token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                _ if depth == 0 && is_word(&token.token, "as") => {
                    let next = (at + 1..tokens.len()).find(|&at| !is_blank(&tokens[at]))?;
                    return is_first(next).then_some(at + 1);
                }
                _ => {}
            }
        }
        return None;
    }
    if is_word(&tokens[first].token, "copy") {
        let next = (first + 1..tokens.len()).find(|&at| !is_blank(&tokens[at]))?;
        return if is_first(next) { Some(next) } else { behind("where") };
    }
    None
}

/// Takes `OVERRIDING SYSTEM VALUE` or `… USER VALUE` out of an INSERT, of which there can be one.
pub(super) fn take_overriding(
    tokens: Vec<TokenWithSpan>,
    words: &Words,
) -> (Vec<TokenWithSpan>, Option<Overriding>) {
    if !words.may_have(&const { Asked::new(["overriding"]) }) {
        return (tokens, None);
    }
    let plain: Vec<usize> =
        (0..tokens.len()).filter(|&at| !matches!(tokens[at].token, Token::Whitespace(_))).collect();
    let is_there = |at: &&[usize]| {
        is_word(&tokens[at[0]].token, "overriding")
            && ["system", "user"].iter().any(|who| is_word(&tokens[at[1]].token, who))
            && is_word(&tokens[at[2]].token, "value")
    };
    let Some(&[first, who, last]) = plain.windows(3).find(is_there) else { return (tokens, None) };
    let overriding = match is_word(&tokens[who].token, "system") {
        true => Overriding::SystemValue,
        false => Overriding::UserValue,
    };
    let mut tokens = tokens;
    tokens.drain(first..=last);
    (tokens, Some(overriding))
}

/// `WHERE CURRENT OF name` becomes a call.
fn respell_current_of(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let plain: Vec<usize> =
        (0..tokens.len()).filter(|&at| !matches!(tokens[at].token, Token::Whitespace(_))).collect();
    let found = plain.windows(4).find(|at| {
        is_word(&tokens[at[0]].token, "where")
            && is_word(&tokens[at[1]].token, "current")
            && is_word(&tokens[at[2]].token, "of")
            && matches!(tokens[at[3]].token, Token::Word(_))
    });
    let Some(&[_, current, of, name]) = found else { return tokens };
    let Token::Word(Word { value, quote_style, .. }) = &tokens[name].token else { return tokens };
    let cursor = Token::SingleQuotedString(super::fold(value, quote_style.is_some()));
    let function = Word { value: CURRENT_OF.to_owned(), quote_style: Some('"'), keyword: Keyword::NoKeyword };
    // Where a syntax error points if the call stands where none may.
    let (span, name_span) = (tokens[of].span, tokens[name].span);
    let call = [Token::Word(function), Token::LParen, cursor, Token::RParen];
    let call = call
        .into_iter()
        .enumerate()
        .map(|(at, token)| TokenWithSpan { token, span: if at < 2 { span } else { name_span } });
    let mut tokens = tokens;
    tokens.splice(current..=name, call);
    tokens
}

/// The parser crate has no words for SEARCH and CYCLE behind a common table.
fn refuse_search_and_cycle(tokens: &[TokenWithSpan], lines: &Lines<'_>) -> Result<()> {
    let mut plain = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
    if !plain.clone().any(|token| is_word(&token.token, "recursive")) {
        return Ok(());
    }
    while let Some(token) = plain.next() {
        if token.token != Token::RParen {
            continue;
        }
        let mut next = plain.clone();
        let (Some(word), Some(second), Some(third)) = (next.next(), next.next(), next.next()) else { break };
        let is_search = is_word(&word.token, "search")
            && ["breadth", "depth"].iter().any(|kind| is_word(&second.token, kind))
            && is_word(&third.token, "first");
        let is_cycle = is_word(&word.token, "cycle")
            && matches!(second.token, Token::Word(_))
            && (third.token == Token::Comma || is_word(&third.token, "set"));
        if is_search || is_cycle {
            let what = if is_search { "SEARCH" } else { "CYCLE" };
            let position = lines.position(word.span.start);
            return Err(at(refuse(format!("{what} in WITH RECURSIVE")), position));
        }
    }
    Ok(())
}

/// `substring(x SIMILAR y ESCAPE z)` becomes `substring(x FROM y FOR z)`, which means the same; elsewhere SIMILAR is followed by
/// TO.
fn respell_similar_substring(
    mut tokens: Vec<TokenWithSpan>,
    lines: &Lines<'_>,
) -> Result<Vec<TokenWithSpan>> {
    if !tokens.iter().any(|token| is_word(&token.token, "substring")) {
        return Ok(tokens);
    }
    let plain: Vec<usize> =
        (0..tokens.len()).filter(|&at| !matches!(tokens[at].token, Token::Whitespace(_))).collect();
    // For each open parenthesis: whether it is that of the call, and whether SIMILAR was read in it.
    let mut depths: Vec<(bool, bool)> = Vec::new();
    for (nth, &place) in plain.iter().enumerate() {
        let before = nth.checked_sub(1).map(|before| &tokens[plain[before]].token);
        let behind = plain.get(nth + 1).map(|&behind| &tokens[behind].token);
        match (&tokens[place].token, depths.last_mut()) {
            (Token::LParen, _) => {
                depths.push((before.is_some_and(|token| is_word(token, "substring")), false));
            }
            (Token::RParen, _) => {
                if let Some((true, true)) = depths.pop() {
                    let error = SqlError::syntax("syntax error at or near \")\"");
                    return Err(at(error, lines.position(tokens[place].span.start)));
                }
            }
            (token, Some((true, is_similar @ false)))
                if is_word(token, "similar")
                    && !behind.is_some_and(|token| is_word(token, "to"))
                    && before != Some(&Token::Period) =>
            {
                *is_similar = true;
                tokens[place].token = Token::make_keyword("FROM");
            }
            (token, Some((true, is_similar @ true))) if is_word(token, "escape") => {
                *is_similar = false;
                tokens[place].token = Token::make_keyword("FOR");
            }
            _ => {}
        }
    }
    Ok(tokens)
}

struct Pass {
    out: Vec<TokenWithSpan>,
    /// Of parentheses and brackets.
    depth: usize,
    has_options: bool,
    /// For each parenthesis that is open, and for what stands in none: whether a list of tables is.
    in_from: Vec<bool>,
}

/// Whether a folded word is neither a key word nor a type that is built in.
fn is_no_built_in(word: &str) -> bool {
    let is_missing = |error: SqlError| error.sqlstate() == SqlState::UNDEFINED_OBJECT;
    super::keyword::keyword(word).is_none() && type_from_name(word).is_err_and(is_missing)
}

impl Pass {
    /// The last tokens that are no blanks, latest first.
    fn before(&self, nth: usize) -> Option<&Token> {
        let tokens = self.out.iter().rev().map(|token| &token.token);
        tokens.filter(|token| !matches!(token, Token::Whitespace(_))).nth(nth)
    }

    fn follows(&self, words: &[&str]) -> bool {
        self.before(0).is_some_and(|token| words.iter().any(|word| is_word(token, word)))
    }

    /// Whether a string stands behind a type that the parser crate does not take in front of one: one of these, or any word
    /// that only a type of users can be.
    fn is_literal_of_type(&self) -> bool {
        let is_name = self.before(0).is_some_and(|token| match token {
            _ if self.has_options => false,
            Token::Word(Word { quote_style: Some(_), .. }) => true,
            Token::Word(word) => is_no_built_in(&word.value.to_lowercase()),
            _ => false,
        });
        (self.follows(&LITERAL_TYPES) || is_name)
            && !self.before(1).is_some_and(|token| {
                matches!(token, Token::Period | Token::DoubleColon) || is_word(token, "as")
            })
    }

    /// `jsonpath '$'` becomes a cast.
    fn cast_literal(&mut self, literal: TokenWithSpan) {
        while self.out.last().is_some_and(|token| matches!(token.token, Token::Whitespace(_))) {
            self.out.pop();
        }
        let Some(name) = self.out.pop() else { unreachable!("a type's name was seen") };
        push_cast(&mut self.out, literal, vec![name]);
    }

    fn take(&mut self, token: TokenWithSpan) -> Result<()> {
        // A column's label may be any word.
        if self.follows(&["as"]) || self.before(0) == Some(&Token::Period) {
            self.push(token);
            return Ok(());
        }
        if let Some(feature) = self.refused_in_query(&token.token) {
            return Err(refuse(feature));
        }
        if !self.replaced(&token) {
            self.push(token);
        }
        Ok(())
    }

    /// Puts what a token means in its place; false if it stays.
    fn replaced(&mut self, token: &TokenWithSpan) -> bool {
        // No table has children, so ONLY says nothing before a table's name. It is a reserved word.
        if is_word(&token.token, "only") && !self.follows(&["row", "rows", "read"]) {
            return true;
        }
        // TABLE is reserved too: it can only be the command.
        if is_word(&token.token, "table") && !self.follows(&["truncate", "lock", "into", "temp", "temporary"])
        {
            let spelled = [keyword("SELECT", Keyword::SELECT), Token::Mul, keyword("FROM", Keyword::FROM)];
            for new in spelled {
                self.push(TokenWithSpan { token: new, span: token.span });
            }
            return true;
        }
        if is_word(&token.token, "isnull") && self.before(0).is_some() {
            let spelled = [keyword("IS", Keyword::IS), keyword("NULL", Keyword::NULL)];
            for new in spelled {
                self.push(TokenWithSpan { token: new, span: token.span });
            }
            return true;
        }
        if is_word(&token.token, "asymmetric") && self.follows(&["between"]) {
            return true;
        }
        if is_word(&token.token, "from") && self.follows(&["rows"]) && self.is_in_from() {
            self.rows_from(token);
            return true;
        }
        if is_word(&token.token, "from")
            && self.follows(&["leading", "trailing", "both"])
            && self.before(1) == Some(&Token::LParen)
        {
            // TRIM(LEADING FROM x) takes blanks away.
            let blank = Token::SingleQuotedString(" ".to_owned());
            self.push(TokenWithSpan { token: blank, span: token.span });
        }
        false
    }

    /// The feature that a token of a query or an expression begins, if we have not got it.
    fn refused_in_query(&self, token: &Token) -> Option<&'static str> {
        let is_type =
            self.before(1).is_some_and(|token| *token == Token::DoubleColon || is_word(token, "as"));
        if *token == Token::LParen && self.follows(&["interval"]) && !is_type {
            // The parser crate drops the precision of `interval(3) '…'`.
            return Some("interval with a precision");
        }
        if is_word(token, "variadic") {
            return Some("VARIADIC");
        }
        if is_word(token, "as") && self.before(0) == Some(&Token::RParen) && self.is_behind("using") {
            return Some("an alias of the columns of USING");
        }
        None
    }

    /// Puts a token out, and notes whether a list of tables begins or ends with it.
    fn push(&mut self, token: TokenWithSpan) {
        let is_any = |words: &[&str]| words.iter().any(|word| is_word(&token.token, word));
        match token.token {
            Token::LParen => self.in_from.push(self.is_in_from()),
            Token::RParen => {
                self.in_from.pop();
            }
            Token::Word(_) if is_any(&["from", "using", "join"]) => {
                // IS DISTINCT FROM is an operator.
                let begins = !self.follows(&["distinct"]);
                self.set_in_from(begins);
            }
            Token::Word(_) if is_any(&["select", "set", "where", "returning", "having", "by", "on"]) => {
                self.set_in_from(false);
            }
            _ => {}
        }
        self.out.push(token);
    }

    fn set_in_from(&mut self, is_in_from: bool) {
        self.in_from.pop();
        self.in_from.push(is_in_from);
    }

    /// Whether what has come last stands in a list of tables: ROWS is a column's name elsewhere, that of `pg_stat_statements` for one.
    fn is_in_from(&self) -> bool {
        self.in_from.last().copied().unwrap_or(false)
    }

    /// `ROWS FROM (…)` becomes a call.
    fn rows_from(&mut self, from: &TokenWithSpan) {
        while self.out.last().is_some_and(|token| matches!(token.token, Token::Whitespace(_))) {
            self.out.pop();
        }
        self.out.pop();
        let name = Word { value: ROWS_FROM.to_owned(), quote_style: Some('"'), keyword: Keyword::NoKeyword };
        self.out.push(TokenWithSpan { token: Token::Word(name), span: from.span });
    }

    /// Whether the parenthesis just closed held a list of columns behind this word.
    fn is_behind(&self, word: &str) -> bool {
        let tokens = self.out.iter().rev().map(|token| &token.token);
        let mut tokens = tokens.filter(|token| !matches!(token, Token::Whitespace(_))).skip(1);
        let opening = tokens.find(|token| !matches!(token, Token::Word(_) | Token::Comma));
        opening == Some(&Token::LParen) && tokens.next().is_some_and(|token| is_word(token, word))
    }
}

pub(super) fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(Word { value, quote_style: None, .. }) if value.eq_ignore_ascii_case(word))
}

fn keyword(value: &str, keyword: Keyword) -> Token {
    Token::Word(Word { value: value.to_owned(), quote_style: None, keyword })
}
