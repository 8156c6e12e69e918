//! `INSERT INTO t (VALUES …)` and `INSERT INTO t (WITH …)`, where the parser crate takes the parenthesis for a list of columns.
//!
//! Owns the list that is put in front of such a query, of one column that nothing bears: it stands for no list.

use super::respell::is_word;
use super::respell_select::{plain, word};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// The one column of a list that stands for none; no name that can be written.
pub(super) const NO_LIST: &str = "NO LIST\0";

pub(super) fn respell_inserted_queries(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let plain = plain(&tokens);
    let at = |nth: usize| plain.get(nth).map(|&at| &tokens[at].token);
    let is_insert = |nth: &usize| {
        at(*nth).is_some_and(|token| is_word(token, "insert"))
            && at(nth + 1).is_some_and(|token| is_word(token, "into"))
    };
    let queries: Vec<usize> = (0..plain.len())
        .filter(is_insert)
        .filter_map(|insert| query_behind(insert + 2, at))
        .map(|parenthesis| plain[parenthesis])
        .collect();
    if queries.is_empty() {
        return tokens;
    }
    let mut queries = queries.into_iter().peekable();
    let mut out = Vec::with_capacity(tokens.len() + 8);
    for (place, token) in tokens.into_iter().enumerate() {
        if queries.next_if_eq(&place).is_some() {
            let column = word(NO_LIST, Some('"'), Keyword::NoKeyword);
            let list = [Token::LParen, column, Token::RParen];
            out.extend(list.map(|new| TokenWithSpan { token: new, span: token.span }));
        }
        out.push(token);
    }
    out
}

/// Where the table's name, which begins here, and its alias end.
fn end_of_name<'t>(name: usize, at: impl Fn(usize) -> Option<&'t Token>) -> Option<usize> {
    let is_word_at = |nth: usize| matches!(at(nth), Some(Token::Word(_)));
    let mut end = name;
    while at(end + 1) == Some(&Token::Period) {
        end += 2;
    }
    let is_there = |word: &&str| at(end + 1).is_some_and(|token| is_word(token, word));
    let end = match is_there(&"as") {
        true => end + 3,
        // An alias, which must have AS here: the parser says so. None of these is one.
        false if is_word_at(end + 1) && !["select", "values", "with", "table"].iter().any(is_there) => {
            end + 2
        }
        false => end + 1,
    };
    is_word_at(end - 1).then_some(end)
}

/// The parenthesis in which a query stands behind the table's name, which begins here, and its alias: at once, or it is one of
/// a query that stands in none.
fn query_behind<'t>(name: usize, at: impl Fn(usize) -> Option<&'t Token>) -> Option<usize> {
    let parenthesis = end_of_name(name, &at)?;
    let query = (parenthesis..).find(|&nth| at(nth) != Some(&Token::LParen))?;
    let is_there = |word: &str| at(query).is_some_and(|token| is_word(token, word));
    // Columns may be called so too.
    let is_query = match at(query + 1)? {
        Token::LParen => is_there("values"),
        Token::Word(_) => is_there("with"),
        _ => false,
    };
    (query > parenthesis && is_query).then_some(parenthesis)
}
