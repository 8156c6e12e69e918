//! Targets of ON CONFLICT that the parser crate has no grammar for: expressions, and an index's predicate.
//!
//! Owns taking them out of a statement's tokens and reading them. A list with one column of a name that nothing bears
//! stands in their place, and leads back to them.

use super::respell::is_word;
use super::tree::{ConflictTarget, Expr};
use super::{Lines, Reader, definition};
use hexalog_sql_types::error::Result;
use sqlparser::ast::Ident;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

/// What the name in the list begins with; the target's number follows.
const TAKEN: &str = "target\0";

/// The position behind the parenthesis that closes the one before `at`.
fn behind_parenthesis(tokens: &[TokenWithSpan], mut at: usize) -> Option<usize> {
    let mut depth = 1;
    while depth > 0 {
        match tokens.get(at)?.token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    Some(at)
}

/// Where the condition behind a list ends: in front of DO.
fn end_of_condition(tokens: &[TokenWithSpan], mut at: usize) -> Option<usize> {
    let mut depth = 0;
    loop {
        match &tokens.get(at)?.token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            token if depth == 0 && is_word(token, "do") => return Some(at),
            _ => {}
        }
        at += 1;
    }
}

/// The first target from `from` on that the parser crate does not read: its tokens' range, from the opening parenthesis.
fn find(tokens: &[TokenWithSpan], from: usize) -> Option<(usize, usize)> {
    let plain: Vec<usize> =
        (from..tokens.len()).filter(|&at| !matches!(tokens[at].token, Token::Whitespace(_))).collect();
    plain.windows(3).find_map(|at| {
        let begins = is_word(&tokens[at[0]].token, "on")
            && is_word(&tokens[at[1]].token, "conflict")
            && tokens[at[2]].token == Token::LParen;
        if !begins {
            return None;
        }
        let behind = behind_parenthesis(tokens, at[2] + 1)?;
        let next = (behind..tokens.len()).find(|&at| !matches!(tokens[at].token, Token::Whitespace(_)))?;
        if is_word(&tokens[next].token, "where") {
            return Some((at[2], end_of_condition(tokens, next)?));
        }
        let is_list = |token: &TokenWithSpan| {
            matches!(token.token, Token::Whitespace(_) | Token::Word(_) | Token::Comma)
        };
        let has_plain_list = tokens[at[2] + 1..behind - 1].iter().all(is_list);
        let words =
            tokens[at[2] + 1..behind - 1].iter().filter(|token| matches!(token.token, Token::Word(_)));
        let commas = tokens[at[2] + 1..behind - 1].iter().filter(|token| token.token == Token::Comma);
        // Two words side by side are a column and its operator class or order.
        let is_plain = has_plain_list && words.count() == commas.count() + 1;
        (!is_plain).then_some((at[2], behind))
    })
}

/// Ends select lists in front of ON CONFLICT, where nothing else does: the parser crate would take ON for a column's label.
fn end_select_lists(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    const ENDS: [&str; 11] =
        ["from", "where", "group", "having", "order", "limit", "offset", "fetch", "for", "values", "insert"];
    let plain: Vec<usize> =
        (0..tokens.len()).filter(|&at| !matches!(tokens[at].token, Token::Whitespace(_))).collect();
    let follows_list = |at: &usize| {
        let mut depth = 0;
        for &before in plain[..*at].iter().rev() {
            match &tokens[before].token {
                Token::RParen => depth += 1,
                Token::LParen if depth == 0 => return false,
                Token::LParen => depth -= 1,
                token if depth == 0 && is_word(token, "select") => return true,
                token if depth == 0 && ENDS.iter().any(|word| is_word(token, word)) => return false,
                _ => {}
            }
        }
        false
    };
    let begins = |at: &usize| {
        is_word(&tokens[plain[*at]].token, "on") && is_word(&tokens[plain[*at + 1]].token, "conflict")
    };
    let ended = (0..plain.len().saturating_sub(1)).filter(begins).find(follows_list);
    let Some(at) = ended.map(|at| plain[at]) else { return tokens };
    let span = tokens[at].span;
    let word = |value: &str, keyword: Keyword| {
        let token = Token::Word(Word { value: value.to_owned(), quote_style: None, keyword });
        TokenWithSpan { token, span }
    };
    let mut tokens = tokens;
    tokens.splice(at..at, [word("LIMIT", Keyword::LIMIT), word("ALL", Keyword::ALL)]);
    end_select_lists(tokens)
}

/// Takes the targets out; answers with the tokens of each, from the opening parenthesis.
pub(super) fn take(tokens: Vec<TokenWithSpan>) -> (Vec<TokenWithSpan>, Vec<Vec<TokenWithSpan>>) {
    let mut tokens = end_select_lists(tokens);
    let mut targets = Vec::new();
    let mut from = 0;
    while let Some((start, end)) = find(&tokens, from) {
        let span = tokens[start].span;
        let value = format!("{TAKEN}{}", targets.len());
        let name = Word { value, quote_style: Some('"'), keyword: Keyword::NoKeyword };
        let list = [Token::LParen, Token::Word(name), Token::RParen];
        let list = list.map(|token| TokenWithSpan { token, span });
        targets.push(tokens.splice(start..end, list).collect());
        from = start;
    }
    (tokens, targets)
}

/// Reads what was taken.
pub(super) fn read(targets: Vec<Vec<TokenWithSpan>>, lines: &Lines<'_>) -> Result<Vec<ConflictTarget>> {
    let mut read = Vec::with_capacity(targets.len());
    for tokens in targets {
        let mut reader = Reader::new(tokens, lines);
        let position = reader.position();
        reader.expect_token(&Token::LParen)?;
        let elements = definition::index_elements(&mut reader)?;
        let predicate: Option<Expr> = if reader.eat(&["where"]) { Some(reader.expr()?) } else { None };
        reader.expect_end()?;
        read.push(ConflictTarget::Inferred { elements, predicate, position });
    }
    Ok(read)
}

/// The target that a list stands for, if it stands for one.
pub(super) fn taken<'t>(columns: &[Ident], targets: &'t [ConflictTarget]) -> Option<&'t ConflictTarget> {
    let [only] = columns else { return None };
    let number: usize = only.value.strip_prefix(TAKEN)?.parse().ok()?;
    targets.get(number)
}
