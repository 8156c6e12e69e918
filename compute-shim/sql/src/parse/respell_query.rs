//! Spellings inside of queries that the parser crate has not, or takes for something else.
//!
//! A list behind IN may begin with a subquery, FETCH FIRST may count by an expression, ONLY may have its table in parentheses,
//! and GROUP BY may have a word for what is done anyway. What the crate lets pass and PostgreSQL does not is refused here.

use super::keyword::can_name;
use super::parentheses::Parentheses;
use super::place::is_word;
use super::respell_select::{parted, word};
use super::row_count::{FetchCount, check_offset, fetch_count};
use super::tree::{COLLATION, LIST_ITEM, TIES};
use super::{Lines, at};
use hexalog_sql_types::SqlError;
use hexalog_sql_types::error::Result;
use sqlparser::ast;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

/// First words of a query in parentheses.
const QUERY_WORDS: [&str; 4] = ["select", "values", "with", "table"];

/// What may follow a query in parentheses that is a part of one.
const BEHIND_QUERY: [&str; 8] = ["union", "intersect", "except", "order", "limit", "offset", "fetch", "for"];

/// Ends of a LIMIT clause, of which a query has one.
const BEHIND_LIMIT: [&str; 9] =
    ["limit", "offset", "fetch", "for", "union", "intersect", "except", "returning", "window"];

/// The collation that COLLATE behind a cast is spelled as.
pub(super) fn collation_of(zone: &ast::Expr) -> Option<ast::ObjectName> {
    match zone {
        ast::Expr::CompoundIdentifier(parts) if parts.first()?.value == COLLATION => {
            Some(ast::ObjectName::from(parts[1..].to_vec()))
        }
        _ => None,
    }
}

/// Whether a call is a mark that was put around an expression here.
pub(super) fn is_mark(function: &ast::Function) -> bool {
    has_name(function, LIST_ITEM) || has_name(function, TIES)
}

/// Whether an expression marks the count of FETCH … WITH TIES.
pub(super) fn is_count_with_ties(expr: &ast::Expr) -> bool {
    matches!(expr, ast::Expr::Function(function) if has_name(function, TIES))
}

fn has_name(function: &ast::Function, name: &str) -> bool {
    let part = function.name.0.last();
    part.is_some_and(|part| matches!(part, ast::ObjectNamePart::Identifier(part) if part.value == name))
}

/// What is to become of the tokens, by their place.
#[derive(Default)]
struct Edits {
    dropped: Vec<usize>,
    /// Tokens to stand in front of one.
    before: Vec<(usize, Vec<Token>)>,
}

impl Edits {
    /// The crate knows COLLATE behind names and parentheses alone; AT TIME ZONE binds as it does, but for itself.
    fn respell_collate(&mut self, place: usize) {
        let words = [("AT", Keyword::AT), ("TIME", Keyword::TIME), ("ZONE", Keyword::ZONE)];
        let mut spelled: Vec<Token> =
            words.into_iter().map(|(text, keyword)| word(text, None, keyword)).collect();
        spelled.extend([word(COLLATION, Some('"'), Keyword::NoKeyword), Token::Period]);
        self.dropped.push(place);
        self.before.push((place, spelled));
    }

    /// FETCH with a count that the crate has not becomes LIMIT. What closes the count stands where the clause ends, since a
    /// view's text goes to the last token that was read.
    fn respell_fetch(&mut self, fetch: usize, count: &FetchCount, plain: &[usize]) {
        let last = plain[count.last];
        self.dropped.extend([plain[fetch], plain[fetch + 1]]);
        self.dropped.extend(&plain[count.end..=count.last]);
        let mut limit = vec![word("LIMIT", None, Keyword::LIMIT)];
        if count.has_ties {
            limit.push(word(TIES, Some('"'), Keyword::NoKeyword));
        }
        limit.push(Token::LParen);
        self.before.push((last, vec![Token::RParen]));
        self.before.push((plain[fetch], limit));
    }

    fn applied(mut self, tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
        if self.dropped.is_empty() && self.before.is_empty() {
            return tokens;
        }
        self.dropped.sort_unstable();
        self.before.sort_by_key(|(place, _)| *place);
        let mut dropped = self.dropped.into_iter().peekable();
        let mut before = self.before.into_iter().peekable();
        let mut out = Vec::with_capacity(tokens.len() + 8);
        for (place, token) in tokens.into_iter().enumerate() {
            let span = token.span;
            while let Some((_, new)) = before.next_if(|(before, _)| *before == place) {
                out.extend(new.into_iter().map(|token| TokenWithSpan { token, span }));
            }
            if dropped.next_if_eq(&place).is_none() {
                out.push(token);
            }
        }
        out
    }
}

pub(super) fn respell_forms(tokens: Vec<TokenWithSpan>, lines: &Lines<'_>) -> Result<Vec<TokenWithSpan>> {
    let (plain, parentheses) = parted(&tokens);
    let token = |nth: usize| plain.get(nth).map(|&place| &tokens[place].token);
    let is = |nth: usize, words: &[&str]| {
        token(nth).is_some_and(|token| words.iter().any(|word| is_word(token, word)))
    };
    let is_label = |nth: usize| {
        nth.checked_sub(1).is_some_and(|before| is(before, &["as"]) || token(before) == Some(&Token::Period))
    };
    let position = |nth: usize| plain.get(nth).map_or(0, |&place| lines.position(tokens[place].span.start));
    let (mut edits, mut chain) = (Edits::default(), Chain::default());
    for nth in 0..plain.len() {
        if !matches!(token(nth), Some(Token::Word(_))) || is_label(nth) {
            continue;
        }
        if is(nth, &["in"]) && token(nth + 1) == Some(&Token::LParen) {
            if let Some(place) = first_of_list(token, &parentheses, nth + 2) {
                let call = [word(LIST_ITEM, Some('"'), Keyword::NoKeyword), Token::LParen, Token::RParen];
                let [name, open, close] = call;
                edits.before.push((plain[nth + 2], vec![name, open]));
                edits.before.push((plain[place], vec![close]));
            }
        } else if is(nth, &["distinct"]) && nth > 0 && is(nth - 1, &["select"]) {
            let refused = match token(nth + 1) {
                Some(next) if is_word(next, "all") => Some(nth + 1),
                Some(next) if is_word(next, "on") && token(nth + 3) == Some(&Token::RParen) => Some(nth + 3),
                _ => None,
            };
            if let Some(refused) = refused {
                let found = token(refused).expect("matched above").to_string();
                return Err(unexpected((found, refused), position));
            }
        } else if is(nth, &["by"]) && nth > 0 && is(nth - 1, &["group"]) && is(nth + 1, &["distinct", "all"])
        {
            // Of grouping sets they say something, and those are refused.
            edits.dropped.push(plain[nth + 1]);
        } else if is(nth, &["fetch"]) && is(nth + 1, &["first", "next"]) {
            if let Some(count) = fetch_count(nth + 2, token).map_err(|error| unexpected(error, position))? {
                edits.respell_fetch(nth, &count, &plain);
            }
        } else if is(nth, &["offset"]) {
            check_offset(nth + 1, token).map_err(|error| unexpected(error, position))?;
        } else if is(nth, &["only"])
            && token(nth + 1) == Some(&Token::LParen)
            && let Some(close) = parentheses.closing(nth + 1)
            && is_name(nth + 2..close, token)
        {
            edits.dropped.extend([plain[nth], plain[nth + 1], plain[close]]);
        } else if is(nth, &["collate"])
            && matches!(token(nth + 1), Some(Token::Word(_)))
            && is_behind(nth, token, &parentheses, &mut chain, |_| true)
        {
            edits.respell_collate(plain[nth]);
        } else if is(nth, &["limit"]) && has_comma(nth + 1, token, &parentheses) {
            let error = SqlError::syntax("LIMIT #,# syntax is not supported")
                .with_hint("Use separate LIMIT and OFFSET clauses.");
            return Err(at(error, position(nth)));
        }
    }
    Ok(edits.applied(tokens))
}

/// 42601 at a token.
fn unexpected((found, nth): (String, usize), position: impl Fn(usize) -> u32) -> SqlError {
    at(SqlError::syntax(format!("syntax error at or near \"{found}\"")), position(nth))
}

/// Where the first item of a list ends, if it begins with a query and is none by itself: the crate takes the whole list for
/// one.
fn first_of_list<'t>(
    token: impl Fn(usize) -> Option<&'t Token>,
    parentheses: &Parentheses,
    first: usize,
) -> Option<usize> {
    let inner = (first..).take_while(|&nth| token(nth) == Some(&Token::LParen)).count();
    let begins_query =
        token(first + inner).is_some_and(|token| QUERY_WORDS.iter().any(|word| is_word(token, word)));
    if inner == 0 || !begins_query {
        return None;
    }
    let behind = parentheses.closing(first)? + 1;
    match token(behind)? {
        Token::RParen => return None,
        token if BEHIND_QUERY.iter().any(|word| is_word(token, word)) => return None,
        _ => {}
    }
    let (mut depth, mut nth) = (0usize, behind);
    loop {
        match token(nth)? {
            Token::Comma | Token::RParen if depth == 0 => return Some(nth),
            Token::LParen => nth = parentheses.closing(nth)?,
            Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth = depth.checked_sub(1)?,
            _ => {}
        }
        nth += 1;
    }
}

/// COLLATE behind casts and tests in a definition and in what is kept of one. Behind a DEFAULT it is the column's.
pub(super) fn respell_collate(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|token| is_word(&token.token, "collate")) {
        return tokens;
    }
    let (plain, parentheses) = parted(&tokens);
    let token = |nth: usize| plain.get(nth).map(|&place| &tokens[place].token);
    let (mut edits, mut chain) = (Edits::default(), Chain::default());
    // The depth of the list that a DEFAULT stands in, up to the end of its element.
    let (mut depth, mut default) = (0usize, None);
    for (nth, &place) in plain.iter().enumerate() {
        match &tokens[place].token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
            found if is_word(found, "case") => depth += 1,
            found if is_word(found, "end") => depth = depth.saturating_sub(1),
            found if is_word(found, "default") => {
                let is_set = nth > 0 && token(nth - 1).is_some_and(|before| is_word(before, "set"));
                default = (!is_set).then_some(depth);
            }
            found
                if is_word(found, "collate")
                    && default != Some(depth)
                    && is_behind(nth, token, &parentheses, &mut chain, |first| {
                        is_operand(first, token, &parentheses)
                    }) =>
            {
                edits.respell_collate(place);
            }
            _ => {}
        }
        let is_over = depth == default.unwrap_or(depth) && tokens[place].token == Token::Comma;
        if is_over || default.is_some_and(|default| depth < default) {
            default = None;
        }
    }
    edits.applied(tokens)
}

/// One COLLATE behind the other, as far as it has been read, and what its operand is.
#[derive(Default)]
struct Chain {
    last: usize,
    is_cast_or_test: bool,
    is_operand: bool,
}

/// Whether this COLLATE stands behind what the crate knows none behind: a cast by `::`, a test, or another COLLATE whose operand, which
/// ends in front of the first one, is one.
fn is_behind<'t>(
    end: usize,
    token: impl Fn(usize) -> Option<&'t Token> + Copy,
    parentheses: &Parentheses,
    chain: &mut Chain,
    is_operand: impl Fn(usize) -> bool,
) -> bool {
    let is = |nth: usize, word: &str| token(nth).is_some_and(|token| is_word(token, word));
    let before = |end: usize| {
        let name = name_before(end, token);
        (0 < name && name < end && is(name - 1, "collate")).then(|| name - 1)
    };
    let mut first = end;
    while let Some(before) = before(first) {
        if before == chain.last {
            chain.last = end;
            return chain.is_cast_or_test || chain.is_operand;
        }
        first = before;
    }
    let is_cast_or_test = is_cast(first, token) || is_test(first, token, parentheses);
    *chain = Chain { last: end, is_cast_or_test, is_operand: is_operand(first) };
    is_cast_or_test || first < end && chain.is_operand
}

/// Whether a test by IN, ANY, ALL or IS ends in front of this place.
fn is_test<'t>(
    end: usize,
    token: impl Fn(usize) -> Option<&'t Token> + Copy,
    parentheses: &Parentheses,
) -> bool {
    let is = |nth: usize, words: &[&str]| {
        token(nth).is_some_and(|token| words.iter().any(|word| is_word(token, word)))
    };
    let Some(last) = end.checked_sub(1) else { return false };
    if token(last) == Some(&Token::RParen) {
        let before = parentheses.opening(last).and_then(|open| open.checked_sub(1));
        return before.is_some_and(|before| is(before, &["in", "any", "all", "some"]));
    }
    let is_value = is(last, &["null", "true", "false", "unknown"]) && last > 0;
    let before = if last > 1 && is(last - 1, &["not"]) { last - 2 } else { last.saturating_sub(1) };
    is(last, &["isnull", "notnull"]) || is_value && is(before, &["is"])
}

/// Where the name begins that ends in front of this place; the place itself if there is none.
fn name_before<'t>(end: usize, token: impl Fn(usize) -> Option<&'t Token>) -> usize {
    let is_word = |nth: usize| matches!(token(nth), Some(Token::Word(_)));
    let Some(mut first) = end.checked_sub(1).filter(|&nth| is_word(nth)) else { return end };
    while first > 1 && token(first - 1) == Some(&Token::Period) && is_word(first - 2) {
        first -= 2;
    }
    first
}

/// Whether what ends in front of this place in a definition is no column's type: that stands behind the column's name.
fn is_operand<'t>(
    end: usize,
    token: impl Fn(usize) -> Option<&'t Token> + Copy,
    parentheses: &Parentheses,
) -> bool {
    /// Words that an operand may stand behind, though they can be names.
    const BEFORE: [&str; 2] = ["by", "between"];
    let first = match end.checked_sub(1).and_then(token) {
        Some(Token::RParen | Token::RBracket) => parentheses.opening(end - 1).unwrap_or(0),
        _ => end,
    };
    let first = name_before(first, token);
    match first.checked_sub(1).and_then(token) {
        Some(Token::Word(Word { value, quote_style: None, .. })) => {
            let word = value.to_lowercase();
            BEFORE.contains(&&*word) || !can_name(&word)
        }
        Some(Token::Word(_)) => false,
        _ => true,
    }
}

/// Whether the type of a cast by `::` ends in front of this place.
fn is_cast<'t>(end: usize, token: impl Fn(usize) -> Option<&'t Token>) -> bool {
    /// Words of types that have several.
    const SEVERAL: [&str; 10] =
        ["double", "character", "char", "national", "nchar", "bit", "time", "timestamp", "with", "without"];
    let before = |nth: usize| nth.checked_sub(1).and_then(&token);
    let mut nth = end;
    // Dimensions and modifiers.
    while let Some(Token::RBracket | Token::RParen) = before(nth) {
        let is_inside = |token: &Token| matches!(token, Token::Number(..) | Token::Comma);
        nth -= 1;
        while before(nth).is_some_and(is_inside) {
            nth -= 1;
        }
        let Some(Token::LBracket | Token::LParen) = before(nth) else { return false };
        nth -= 1;
    }
    if before(nth).is_some_and(|token| is_word(token, "array")) {
        nth -= 1;
    }
    loop {
        let Some(Token::Word(_)) = before(nth) else { return false };
        nth -= 1;
        match before(nth) {
            Some(Token::DoubleColon) => return true,
            Some(Token::Period) => nth -= 1,
            Some(found) if SEVERAL.iter().any(|word| is_word(found, word)) => {}
            _ => return false,
        }
    }
}

fn is_name<'t>(mut range: std::ops::Range<usize>, token: impl Fn(usize) -> Option<&'t Token>) -> bool {
    !range.is_empty() && range.all(|nth| matches!(token(nth), Some(Token::Word(_) | Token::Period)))
}

/// Whether a comma stands in the LIMIT clause whose expression begins here.
fn has_comma<'t>(
    first: usize,
    token: impl Fn(usize) -> Option<&'t Token>,
    parentheses: &Parentheses,
) -> bool {
    let (mut depth, mut nth) = (0usize, first);
    loop {
        match token(nth) {
            None | Some(Token::SemiColon) => return false,
            Some(Token::LParen) => match parentheses.closing(nth) {
                Some(close) => nth = close,
                None => return false,
            },
            Some(Token::LBracket) => depth += 1,
            Some(Token::RParen | Token::RBracket) if depth == 0 => return false,
            Some(Token::RParen | Token::RBracket) => depth -= 1,
            Some(Token::Comma) if depth == 0 => return true,
            Some(token) if depth == 0 && BEHIND_LIMIT.iter().any(|word| is_word(token, word)) => {
                return false;
            }
            Some(_) => {}
        }
        nth += 1;
    }
}
