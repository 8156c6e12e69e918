//! Spellings of a SELECT, and of what stands for one, that the parser crate has not.
//!
//! A select list may be empty. A set operation or VALUES may stand in the parentheses of ANY, ALL and SOME.

use super::place::is_word;
use super::tree::EMPTY_LIST;
use super::{Lines, at};
use hexalog_sql_types::SqlError;
use hexalog_sql_types::error::Result;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Span, Token, TokenWithSpan, Word};

/// What may follow an empty list besides the end; FROM the parser crate takes itself.
const BEHIND_LIST: [&str; 10] =
    ["where", "group", "having", "window", "union", "intersect", "except", "order", "limit", "offset"];

fn is_blank(token: &TokenWithSpan) -> bool {
    matches!(token.token, Token::Whitespace(_))
}

fn word(value: &str, quote_style: Option<char>, keyword: Keyword) -> Token {
    Token::Word(Word { value: value.to_owned(), quote_style, keyword })
}

/// An empty list becomes a call that the tree knows for one.
pub(super) fn respell_empty_lists(
    tokens: Vec<TokenWithSpan>,
    lines: &Lines<'_>,
) -> Result<Vec<TokenWithSpan>> {
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

/// `= ANY (VALUES …)` and `= ANY ((SELECT …) UNION …)` become `= ANY (SELECT * FROM (…) AS "rows")`.
pub(super) fn respell_compared_sets(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let is_quantifier = |token: &Token| ["any", "all", "some"].iter().any(|word| is_word(token, word));
    if !tokens.iter().any(|token| is_quantifier(&token.token)) {
        return tokens;
    }
    let plain: Vec<usize> = (0..tokens.len()).filter(|&at| !is_blank(&tokens[at])).collect();
    let token = |at: usize| plain.get(at).map(|&at| &tokens[at].token);
    // Positions of parentheses to be opened behind and closed before.
    let mut wrapped: Vec<(usize, usize)> = Vec::new();
    for (at, _) in plain.iter().enumerate() {
        let is_compared = at > 0
            && token(at).is_some_and(is_quantifier)
            && token(at + 1) == Some(&Token::LParen)
            && !matches!(token(at - 1), Some(Token::Word(_) | Token::Comma | Token::LParen) | None);
        if !is_compared {
            continue;
        }
        let Some(close) = closing(&tokens, &plain, at + 1) else { continue };
        let is_values = token(at + 2).is_some_and(|next| is_word(next, "values"));
        let is_set = token(at + 2) == Some(&Token::LParen)
            && closing(&tokens, &plain, at + 2).is_some_and(|end| {
                let behind = token(end + 1);
                behind.is_some_and(|next| {
                    ["union", "intersect", "except"].iter().any(|word| is_word(next, word))
                })
            });
        if is_values || is_set {
            wrapped.push((plain[at + 1], plain[close]));
        }
    }
    if wrapped.is_empty() {
        return tokens;
    }
    let mut out = Vec::with_capacity(tokens.len() + 8 * wrapped.len());
    for (at, token) in tokens.into_iter().enumerate() {
        let span = token.span;
        if wrapped.iter().any(|(_, close)| *close == at) {
            let behind =
                [Token::RParen, word("AS", None, Keyword::AS), word("rows", Some('"'), Keyword::NoKeyword)];
            push_all(&mut out, behind, span);
        }
        out.push(token);
        if wrapped.iter().any(|(open, _)| *open == at) {
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

/// The parenthesis that closes the one at this place, both among the tokens that are no blanks.
fn closing(tokens: &[TokenWithSpan], plain: &[usize], open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (at, &token) in plain.iter().enumerate().skip(open) {
        match tokens[token].token {
            Token::LParen => depth += 1,
            Token::RParen => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}
