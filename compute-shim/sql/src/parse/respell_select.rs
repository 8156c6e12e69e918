//! Spellings of a SELECT, and of what stands for one, that the parser crate has not.
//!
//! A select list may be empty. A set operation or VALUES may stand in the parentheses of ANY, ALL and SOME, and VALUES in those
//! of a subquery that is an operand.

use super::grammar::is_pattern_operator;
use super::keyword::is_reserved;
use super::parentheses::Parentheses;
use super::place::is_word;
use super::tree::{ALL_FIELDS, EMPTY_LIST, FromItem, Query, QueryBody};
use super::{Lines, at};
use hexalog_sql_types::SqlError;
use hexalog_sql_types::error::Result;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Span, Token, TokenWithSpan, Word};

/// What may follow an empty list besides the end; FROM the parser crate takes itself.
const BEHIND_LIST: [&str; 10] =
    ["where", "group", "having", "window", "union", "intersect", "except", "order", "limit", "offset"];

pub(super) fn is_blank(token: &TokenWithSpan) -> bool {
    matches!(token.token, Token::Whitespace(_))
}

/// The places of the tokens that are no blanks.
pub(super) fn plain(tokens: &[TokenWithSpan]) -> Vec<usize> {
    (0..tokens.len()).filter(|&at| !is_blank(&tokens[at])).collect()
}

pub(super) fn word(value: &str, quote_style: Option<char>, keyword: Keyword) -> Token {
    Token::Word(Word { value: value.to_owned(), quote_style, keyword })
}

/// `*` behind a row becomes the name of a field: `(row).*`.
pub(super) fn respell_all_fields(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    // How much of a row's end and the point behind it has been seen.
    let mut seen = 0;
    for token in tokens.iter_mut().filter(|token| !is_blank(token)) {
        seen = match (&token.token, seen) {
            (Token::RParen | Token::RBracket, _) => 1,
            (Token::Period, 1) => 2,
            (Token::Mul, 2) => {
                token.token = word(ALL_FIELDS, Some('"'), Keyword::NoKeyword);
                0
            }
            _ => 0,
        };
    }
    tokens
}

/// Whether a list may be empty: SELECT in front of what is no list, whatever the word stands for.
fn has_empty_list(tokens: &[TokenWithSpan]) -> bool {
    let is_empty = |at: usize| match tokens[at + 1..].iter().find(|token| !is_blank(token)) {
        None => true,
        Some(next) if next.token == Token::RParen || is_word(&next.token, "distinct") => true,
        Some(next) => BEHIND_LIST.iter().any(|word| is_word(&next.token, word)),
    };
    tokens.iter().enumerate().any(|(at, token)| is_word(&token.token, "select") && is_empty(at))
}

/// An empty list becomes a call that the tree knows for one.
pub(super) fn respell_empty_lists(
    tokens: Vec<TokenWithSpan>,
    lines: &Lines<'_>,
) -> Result<Vec<TokenWithSpan>> {
    if !has_empty_list(&tokens) {
        return Ok(tokens);
    }
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut tokens = tokens.into_iter().peekable();
    // The last two tokens: no query begins behind FROM or in the parentheses of USING.
    let mut before: [Option<Token>; 2] = [None, None];
    while let Some(token) = tokens.next() {
        if is_blank(&token) {
            out.push(token);
            continue;
        }
        let is_behind = |at: usize, words: &[&str]| {
            before[at].as_ref().is_some_and(|before: &Token| words.iter().any(|word| is_word(before, word)))
        };
        let is_name = is_behind(0, &["as", "from", "join", "into", "update", "table"])
            || before[0] == Some(Token::Period)
            || before[0] == Some(Token::LParen) && is_behind(1, &["using"]);
        let (is_select, span) = (!is_name && is_word(&token.token, "select"), token.span);
        before = [Some(token.token.clone()), before[0].take()];
        out.push(token);
        if !is_select {
            continue;
        }
        while let Some(blank) = tokens.next_if(is_blank) {
            out.push(blank);
        }
        let is_empty = match tokens.peek().map(|next| &next.token) {
            None | Some(Token::RParen) => true,
            Some(next) => BEHIND_LIST.iter().any(|word| is_word(next, word)),
        };
        if is_empty {
            let call = [word(EMPTY_LIST, Some('"'), Keyword::NoKeyword), Token::LParen, Token::RParen];
            out.extend(call.into_iter().map(|token| TokenWithSpan { token, span }));
        } else if tokens.peek().is_some_and(|next| is_word(&next.token, "distinct")) {
            out.extend(tokens.next());
            while let Some(blank) = tokens.next_if(is_blank) {
                out.push(blank);
            }
            if let Some(from) = tokens.peek().filter(|next| is_word(&next.token, "from")) {
                let message = format!("syntax error at or near \"{}\"", from.token);
                return Err(at(SqlError::syntax(message), lines.position(from.span.start)));
            }
        }
    }
    Ok(out)
}

/// The alias of a query that is the rows of a SELECT for the parser crate's sake; no name that can be written.
const WRAPPED: &str = "WRAPPED\0";

/// The query itself, if it was wrapped.
pub(super) fn unwrapped(mut query: Query) -> Query {
    if let QueryBody::Select(select) = &mut query.body
        && let [FromItem::Subquery { alias: Some(alias), .. }] = select.from.as_slice()
        && alias.name == WRAPPED
        && let Some(FromItem::Subquery { query: inner, .. }) = select.from.pop()
    {
        return *inner;
    }
    query
}

/// `LIKE ANY (…)` and its kin become `~~ ANY (…)`, which is what they stand for: the parser crate cannot say them.
pub(super) fn respell_like_sets(tokens: Vec<TokenWithSpan>, lines: &Lines<'_>) -> Result<Vec<TokenWithSpan>> {
    let is_any = |token: &Token, words: &[&str]| words.iter().any(|word| is_word(token, word));
    if !tokens.iter().any(|token| is_any(&token.token, &["like", "ilike"])) {
        return Ok(tokens);
    }
    let plain = plain(&tokens);
    let is_of_set = |tokens: &[TokenWithSpan], at: usize| {
        let token = |nth: usize| plain.get(at + nth).map(|&at| &tokens[at].token);
        token(0).is_some_and(|token| is_any(token, &["like", "ilike"]))
            && token(1).is_some_and(|token| is_any(token, &["any", "all", "some"]))
            && token(2) == Some(&Token::LParen)
    };
    let mut tokens = tokens;
    let mut is_taken = vec![false; tokens.len()];
    let mut sides = PatternSides::default();
    let mut at = 0;
    while at < plain.len() {
        let first = plain[at];
        let is_negated = is_word(&tokens[first].token, "not") && is_of_set(&tokens, at + 1);
        if !is_negated && (at == 0 || !is_of_set(&tokens, at)) {
            sides.pass(&tokens[first].token);
            at += 1;
            continue;
        }
        let like = at + usize::from(is_negated);
        let span = tokens[first].span;
        if sides.is_pattern() {
            let found = tokens[first].token.to_string();
            let error = SqlError::syntax(format!("syntax error at or near \"{found}\""));
            return Err(super::at(error, lines.position(span.start)));
        }
        let token = match (is_negated, is_word(&tokens[plain[like]].token, "ilike")) {
            (false, false) => Token::DoubleTilde,
            (false, true) => Token::DoubleTildeAsterisk,
            (true, false) => Token::ExclamationMarkDoubleTilde,
            (true, true) => Token::ExclamationMarkDoubleTildeAsterisk,
        };
        tokens[first] = TokenWithSpan { token, span };
        is_taken[first + 1..=plain[like]].fill(true);
        at = like + 1;
    }
    let mut is_taken = is_taken.into_iter();
    tokens.retain(|_| !is_taken.next().expect("one for each token"));
    Ok(tokens)
}

/// What the tokens so far are to a LIKE behind them.
#[derive(Clone, Copy, Default, PartialEq)]
enum PatternSide {
    #[default]
    Other,
    /// Behind BETWEEN, in front of its AND.
    Bound,
    /// The end of a BETWEEN, which does not associate with LIKE.
    Between,
    /// The end of a LIKE or SIMILAR TO, likewise.
    Like,
}

/// The side that is open at the end of the tokens passed, and those around it.
#[derive(Default)]
struct PatternSides {
    side: PatternSide,
    outer: Vec<PatternSide>,
}

impl PatternSides {
    fn is_pattern(&self) -> bool {
        matches!(self.side, PatternSide::Like | PatternSide::Between)
    }

    fn pass(&mut self, token: &Token) {
        let is_any = |words: &[&str]| words.iter().any(|word| is_word(token, word));
        self.side = match token {
            Token::LParen | Token::LBracket => {
                self.outer.push(self.side);
                PatternSide::Other
            }
            Token::RParen | Token::RBracket => self.outer.pop().unwrap_or_default(),
            Token::Comma | Token::SemiColon => PatternSide::Other,
            Token::Eq | Token::Neq | Token::Lt | Token::Gt | Token::LtEq | Token::GtEq => PatternSide::Other,
            Token::Word(_) if is_any(&["between"]) => PatternSide::Bound,
            Token::Word(_) if is_any(&["and"]) && self.side == PatternSide::Bound => PatternSide::Between,
            Token::Word(_) if is_any(&["like", "ilike", "similar"]) => PatternSide::Like,
            Token::Word(_) if is_any(&["and"]) || is_any(&BEFORE_PATTERN) => PatternSide::Other,
            _ => self.side,
        };
    }
}

/// Words that bind less tightly than LIKE, or begin an expression, besides AND.
const BEFORE_PATTERN: [&str; 19] = [
    "or",
    "not",
    "is",
    "select",
    "distinct",
    "where",
    "on",
    "having",
    "by",
    "when",
    "then",
    "else",
    "case",
    "returning",
    "set",
    "limit",
    "offset",
    "values",
    "check",
];

/// `~ ANY (x || y)` becomes `~ ANY ((x || y))`: the parser crate reads what is inside with the rank of the operator before it, and
/// stops at what binds no tighter. Queries stay as they are.
pub(super) fn respell_pattern_sets(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|token| is_pattern_operator(&token.token)) {
        return tokens;
    }
    let (plain, parentheses) = parted(&tokens);
    let token = |at: usize| plain.get(at).map(|&at| &tokens[at].token);
    let (mut opened, mut closed) = (vec![false; tokens.len()], vec![false; tokens.len()]);
    for (open, close) in pattern_sets(plain.len(), &token, &parentheses) {
        (opened[plain[open]], closed[plain[close]]) = (true, true);
    }
    let mut out = Vec::with_capacity(tokens.len());
    for (at, token) in tokens.into_iter().enumerate() {
        let span = token.span;
        if closed[at] {
            push_all(&mut out, [Token::RParen], span);
        }
        out.push(token);
        if opened[at] {
            push_all(&mut out, [Token::LParen], span);
        }
    }
    out
}

/// The parentheses of sets that are to have others inside of them, of so many tokens.
fn pattern_sets<'t>(
    count: usize,
    token: &impl Fn(usize) -> Option<&'t Token>,
    parentheses: &Parentheses,
) -> Vec<(usize, usize)> {
    let is_any = |token: &Token, words: &[&str]| words.iter().any(|word| is_word(token, word));
    let mut found = Vec::new();
    for at in 0..count {
        let is_set = token(at).is_some_and(is_pattern_operator)
            && token(at + 1).is_some_and(|token| is_any(token, &["any", "all", "some"]))
            && token(at + 2) == Some(&Token::LParen);
        let Some(close) = is_set.then(|| parentheses.closing(at + 2)).flatten() else { continue };
        // Of several parentheses, what the innermost holds, and what stands behind that.
        let mut first = at + 3;
        while token(first) == Some(&Token::LParen) {
            first += 1;
        }
        let is_query =
            token(first).is_some_and(|token| is_any(token, &["select", "with", "values", "table"]));
        if is_query && first == at + 3 || close <= at + 4 {
            continue;
        }
        let is_whole = token(at + 3) == Some(&Token::LParen)
            && parentheses.closing(at + 3).is_some_and(|end| {
                let sets = ["union", "intersect", "except"];
                end + 1 == close || is_query && token(end + 1).is_some_and(|next| is_any(next, &sets))
            });
        if !is_whole {
            found.push((at + 2, close));
        }
    }
    found
}

/// `= ANY (VALUES …)` and `= ANY ((SELECT …) UNION …)` become `= ANY (SELECT * FROM (…) AS …)`, which the tree has not.
pub(super) fn respell_compared_sets(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let is_quantifier = |token: &Token| ["any", "all", "some"].iter().any(|word| is_word(token, word));
    if !tokens.iter().any(|token| is_quantifier(&token.token)) {
        return tokens;
    }
    let (plain, parentheses) = parted(&tokens);
    let token = |at: usize| plain.get(at).map(|&at| &tokens[at].token);
    let found = compared_sets(plain.len(), &token, &parentheses);
    as_selects(tokens, &plain, &found)
}

/// The places of tokens that are no blanks, and the parentheses among them.
pub(super) fn parted(tokens: &[TokenWithSpan]) -> (Vec<usize>, Parentheses) {
    let plain = plain(tokens);
    let parentheses = Parentheses::of(plain.iter().map(|&at| &tokens[at].token));
    (plain, parentheses)
}

/// Parentheses to be opened behind and closed before, of so many tokens.
fn compared_sets<'t>(
    count: usize,
    token: &impl Fn(usize) -> Option<&'t Token>,
    parentheses: &Parentheses,
) -> Vec<(usize, usize)> {
    let is_quantifier = |token: &Token| ["any", "all", "some"].iter().any(|word| is_word(token, word));
    let mut wrapped: Vec<(usize, usize)> = Vec::new();
    for at in 1..count {
        let is_compared = token(at).is_some_and(is_quantifier)
            && token(at + 1) == Some(&Token::LParen)
            && !matches!(token(at - 1), Some(Token::Word(_) | Token::Comma | Token::LParen) | None);
        if !is_compared {
            continue;
        }
        let Some(close) = parentheses.closing(at + 1) else { continue };
        // Of VALUES in parentheses of its own, those are what is wrapped.
        let (mut inner, mut end) = (at + 1, close);
        while token(inner + 1) == Some(&Token::LParen) && parentheses.closing(inner + 1) == Some(end - 1) {
            (inner, end) = (inner + 1, end - 1);
        }
        if inner > at + 1 && token(inner + 1).is_some_and(|next| is_word(next, "values")) {
            wrapped.push((inner, end));
            continue;
        }
        let is_values = token(at + 2).is_some_and(|next| is_word(next, "values"));
        let is_set = token(at + 2) == Some(&Token::LParen)
            && parentheses.closing(at + 2).is_some_and(|end| {
                let behind = token(end + 1);
                behind.is_some_and(|next| {
                    ["union", "intersect", "except"].iter().any(|word| is_word(next, word))
                })
            });
        if is_values || is_set {
            wrapped.push((at + 1, close));
        }
    }
    wrapped
}

/// `= (VALUES …)` becomes `= (SELECT * FROM (VALUES …) AS …)` likewise: the parser crate takes VALUES for a function there. It
/// reads the queries that stand in FROM, in WITH, behind a set operation and behind INSERT INTO.
pub(super) fn respell_operands(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|token| is_word(&token.token, "values")) {
        return tokens;
    }
    let (plain, parentheses) = parted(&tokens);
    let token = |at: usize| plain.get(at).map(|&at| &tokens[at].token);
    let found = operands(plain.len(), &token, &parentheses);
    as_selects(tokens, &plain, &found)
}

/// The parentheses of VALUES that are operands, of so many tokens.
fn operands<'t>(
    count: usize,
    token: &impl Fn(usize) -> Option<&'t Token>,
    parentheses: &Parentheses,
) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut lists = Lists::default();
    for at in 0..count {
        let is_values = token(at) == Some(&Token::LParen)
            && token(at + 1).is_some_and(|next| is_word(next, "values"))
            && token(at + 2) == Some(&Token::LParen);
        if is_values
            && is_operand(at, token, parentheses, &mut lists)
            && let Some(close) = parentheses.closing(at)
        {
            found.push((at, close));
        }
    }
    found
}

/// Whether lists are those of expressions, not of tables, as far as the tokens have been read.
#[derive(Default)]
struct Lists {
    read: usize,
    /// Of the whole and of what is open in it.
    of_operands: Vec<bool>,
}

impl Lists {
    /// Of the list that the comma at this place stands in: no place in front of one that was asked for.
    fn is_of_operands<'t>(&mut self, comma: usize, token: &impl Fn(usize) -> Option<&'t Token>) -> bool {
        if self.of_operands.is_empty() {
            self.of_operands.push(false);
        }
        for token in (self.read..comma).map_while(token) {
            let is_any = |words: &[&str]| words.iter().any(|word| is_word(token, word));
            match token {
                Token::LParen | Token::LBracket => self.of_operands.push(true),
                Token::RParen | Token::RBracket if self.of_operands.len() > 1 => {
                    self.of_operands.pop();
                }
                Token::Word(_) if is_any(&["from", "using"]) => self.set_innermost(false),
                Token::Word(_) if is_any(&["select", "by", "returning", "set"]) => self.set_innermost(true),
                _ => {}
            }
        }
        self.read = self.read.max(comma);
        *self.of_operands.last().expect("the whole stays")
    }

    fn set_innermost(&mut self, is_of_operands: bool) {
        *self.of_operands.last_mut().expect("the whole stays") = is_of_operands;
    }
}

/// Words behind which an operand begins, besides those that are reserved.
const BEFORE_OPERAND: [&str; 5] = ["between", "by", "like", "ilike", "row"];

/// Words behind whose parentheses stand tables, queries or sets.
const BEFORE_TABLE: [&str; 19] = [
    "from",
    "join",
    "lateral",
    "using",
    "as",
    "materialized",
    "in",
    "exists",
    "any",
    "all",
    "some",
    "array",
    "union",
    "intersect",
    "except",
    "distinct",
    "for",
    "analyze",
    "analyse",
];

/// Functions whose arguments stand behind such words.
const CALLED_BY_WORDS: [&str; 5] = ["extract", "overlay", "position", "substring", "trim"];

/// Whether the parenthesis at this place, behind which a query begins, is an operand's.
fn is_operand<'t>(
    open: usize,
    token: &impl Fn(usize) -> Option<&'t Token>,
    parentheses: &Parentheses,
    lists: &mut Lists,
) -> bool {
    let outer = (0..open).rev().take_while(|&at| token(at) == Some(&Token::LParen)).count();
    let Some(before) = (open - outer).checked_sub(1) else { return false };
    let is_any = |at: Option<usize>, words: &[&str]| {
        at.and_then(token).is_some_and(|token| words.iter().any(|word| is_word(token, word)))
    };
    let is_before = |words: &[&str]| is_any(Some(before), words);
    let is_behind = |words: &[&str]| is_any(before.checked_sub(1), words);
    match token(before) {
        None | Some(Token::RParen | Token::RBracket | Token::Period) => false,
        Some(Token::Comma) => outer > 0 || lists.is_of_operands(before, token),
        Some(Token::Word(_)) if is_before(&["distinct"]) => !is_behind(&["union", "intersect", "except"]),
        Some(Token::Word(_)) if is_before(&["all"]) => {
            is_behind(&["select"]) || before.checked_sub(1).and_then(token) == Some(&Token::LParen)
        }
        Some(Token::Word(_)) if is_before(&["from", "for", "in"]) => {
            // IS DISTINCT FROM.
            is_before(&["from"]) && is_behind(&["distinct"])
                || is_any(parentheses.around(before).and_then(|open| open.checked_sub(1)), &CALLED_BY_WORDS)
        }
        Some(Token::Word(_)) if is_before(&BEFORE_TABLE) => false,
        Some(Token::Word(_)) if is_before(&BEFORE_OPERAND) => true,
        Some(Token::Word(_)) if is_before(&["zone"]) && is_behind(&["time"]) => true,
        // What names no function is syntax; the others have an argument there, or a row its first value.
        Some(Token::Word(Word { value, quote_style: None, .. })) if is_reserved(&value.to_lowercase()) => {
            true
        }
        Some(Token::Word(_)) => outer > 0,
        Some(_) => true,
    }
}

/// Makes the query behind each of these parentheses, which are given with their ends, the rows of a SELECT.
fn as_selects(tokens: Vec<TokenWithSpan>, plain: &[usize], wrapped: &[(usize, usize)]) -> Vec<TokenWithSpan> {
    if wrapped.is_empty() {
        return tokens;
    }
    // The SELECT stands where the query begins.
    let mut opened: Vec<(usize, Span)> =
        wrapped.iter().map(|&(open, _)| (plain[open], tokens[plain[open] + 1].span)).collect();
    let mut closed: Vec<usize> = wrapped.iter().map(|&(_, close)| plain[close]).collect();
    opened.sort_unstable_by_key(|(open, _)| *open);
    closed.sort_unstable();
    let (mut opened, mut closed) = (opened.into_iter().peekable(), closed.into_iter().peekable());
    let mut out = Vec::with_capacity(tokens.len() + 8 * wrapped.len());
    for (at, token) in tokens.into_iter().enumerate() {
        let span = token.span;
        if closed.next_if_eq(&at).is_some() {
            let behind =
                [Token::RParen, word("AS", None, Keyword::AS), word(WRAPPED, Some('"'), Keyword::NoKeyword)];
            push_all(&mut out, behind, span);
        }
        out.push(token);
        if let Some((_, span)) = opened.next_if(|(open, _)| *open == at) {
            let before = [
                word("SELECT", None, Keyword::SELECT),
                Token::Mul,
                word("FROM", None, Keyword::FROM),
                Token::LParen,
            ];
            push_all(&mut out, before, span);
        }
    }
    out
}

fn push_all<const N: usize>(out: &mut Vec<TokenWithSpan>, tokens: [Token; N], span: Span) {
    out.extend(tokens.into_iter().map(|token| TokenWithSpan { token, span }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::DIALECT;
    use sqlparser::tokenizer::Tokenizer;
    use std::cell::Cell;

    /// Each set, and each VALUES of a list, once led to a search through the tokens: 25 s for 20,000 of them.
    #[test]
    fn nested_sets_are_read_once() {
        for (first, nested, end) in [
            ("select", " 'a' ~ any (", ")"),
            ("select", " 'a' = any (", ")"),
            ("select", " 'a' = any ((", "))"),
            ("select", " 'a' = any ((values (", ")))"),
            ("select", " (values (", "))"),
            ("select 1", ", (values (1))", ""),
            ("select 1 from t", ", (values (1))", ""),
            ("select substring('a' from (values (1)", " , (values (", "))"),
        ] {
            let steps = |count: usize| {
                let text = [first, &nested.repeat(count), &end.repeat(count)].concat();
                let tokens = Tokenizer::new(&DIALECT, &text).tokenize_with_location().expect("good");
                let plain: Vec<&Token> =
                    tokens.iter().filter(|token| !is_blank(token)).map(|token| &token.token).collect();
                let steps = Cell::new(0usize);
                let step = || steps.set(steps.get() + 1);
                let parentheses = Parentheses::of(plain.iter().copied().inspect(|_| step()));
                let token = |at: usize| {
                    step();
                    plain.get(at).copied()
                };
                let found = pattern_sets(plain.len(), &token, &parentheses).len()
                    + compared_sets(plain.len(), &token, &parentheses).len()
                    + operands(plain.len(), &token, &parentheses).len();
                (steps.get(), found, plain.len())
            };
            let ((few, _, _), (many, _, tokens)) = (steps(500), steps(5_000));
            assert!(many < 11 * few, "{nested}: {few} steps and {many}");
            assert!(many < 20 * tokens, "{nested}: {many} steps for {tokens} tokens");
        }
    }
}
