//! Targets of ON CONFLICT that the parser crate has no grammar for: expressions, and an index's predicate.
//!
//! Owns taking them out of a statement's tokens and reading them. A list with one column of a name that nothing bears
//! stands in their place, and leads back to them.

use super::parentheses::Parentheses;
use super::respell::is_word;
use super::respell_select::{is_blank, plain, word};
use super::tree::{ConflictTarget, Expr};
use super::{Lines, Reader, definition};
use hexalog_sql_types::error::Result;
use sqlparser::ast::Ident;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};
use std::ops::Range;

/// What the name in the list begins with; the target's number follows.
const TAKEN: &str = "target\0";

/// Where the condition that begins at each of the tokens ends: in front of DO, in the same parentheses.
fn ends_of_conditions<'t>(tokens: impl DoubleEndedIterator<Item = &'t Token>) -> Vec<Option<usize>> {
    let tokens: Vec<&Token> = tokens.collect();
    let mut ends = vec![None; tokens.len()];
    // The next DO, of what is read and of what stands around it.
    let (mut end, mut outer) = (None, Vec::new());
    for (nth, token) in tokens.into_iter().enumerate().rev() {
        match token {
            Token::RParen => outer.push(end.take()),
            Token::LParen => end = outer.pop().flatten(),
            token if is_word(token, "do") => end = Some(nth),
            _ => {}
        }
        ends[nth] = end;
    }
    ends
}

/// The targets that the parser crate does not read: their tokens' ranges, from the opening parenthesis.
fn found(tokens: &[TokenWithSpan]) -> Vec<Range<usize>> {
    let plain = plain(tokens);
    let token = |nth: usize| plain.get(nth).map(|&place| &tokens[place].token);
    let is = |nth: usize, word: &str| token(nth).is_some_and(|token| is_word(token, word));
    let each = plain.iter().map(|&place| &tokens[place].token);
    let parentheses = Parentheses::of(each.clone());
    let ends = ends_of_conditions(each);
    let (mut found, mut nth) = (Vec::new(), 0);
    while nth < plain.len() {
        let begins = is(nth, "on") && is(nth + 1, "conflict") && token(nth + 2) == Some(&Token::LParen);
        let open = nth + 2;
        nth += 1;
        let Some(close) = begins.then(|| parentheses.closing(open)).flatten() else { continue };
        let end = match token(close + 1) {
            None => continue,
            Some(next) if is_word(next, "where") => match ends[close + 1] {
                None => continue,
                Some(end) => plain[end],
            },
            Some(_) if is_plain_list(&tokens[plain[open] + 1..plain[close]]) => continue,
            Some(_) => plain[close] + 1,
        };
        found.push(plain[open]..end);
        nth = plain.partition_point(|&place| place < end);
    }
    found
}

/// Whether these are names with commas between them: two words side by side are a column and its operator class or order.
fn is_plain_list(list: &[TokenWithSpan]) -> bool {
    let (mut words, mut commas) = (0, 0);
    for token in list {
        match token.token {
            Token::Whitespace(_) => {}
            Token::Word(_) => words += 1,
            Token::Comma => commas += 1,
            _ => return false,
        }
    }
    words == commas + 1
}

/// Ends select lists in front of ON CONFLICT, where nothing else does: the parser crate would take ON for a column's label.
fn end_select_lists(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    const ENDS: [&str; 11] =
        ["from", "where", "group", "having", "order", "limit", "offset", "fetch", "for", "values", "insert"];
    let mut out = Vec::with_capacity(tokens.len());
    // Whether a list is open, of what is read and of what stands around it.
    let (mut in_list, mut outer) = (false, Vec::new());
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match &token.token {
            Token::LParen => outer.push(std::mem::take(&mut in_list)),
            Token::RParen => in_list = outer.pop().unwrap_or(false),
            found if is_word(found, "select") => in_list = true,
            found if ENDS.iter().any(|word| is_word(found, word)) => in_list = false,
            found if in_list && is_word(found, "on") => {
                let on = token;
                let mut blanks = Vec::new();
                while let Some(blank) = tokens.next_if(is_blank) {
                    blanks.push(blank);
                }
                if tokens.peek().is_some_and(|next| is_word(&next.token, "conflict")) {
                    let all = [word("LIMIT", None, Keyword::LIMIT), word("ALL", None, Keyword::ALL)];
                    out.extend(all.map(|token| TokenWithSpan { token, span: on.span }));
                    in_list = false;
                }
                out.push(on);
                out.append(&mut blanks);
                continue;
            }
            _ => {}
        }
        out.push(token);
    }
    out
}

/// Takes the targets out; answers with the tokens of each, from the opening parenthesis.
pub(super) fn take(tokens: Vec<TokenWithSpan>) -> (Vec<TokenWithSpan>, Vec<Vec<TokenWithSpan>>) {
    let tokens = end_select_lists(tokens);
    let mut found = found(&tokens).into_iter().peekable();
    let (mut out, mut targets) = (Vec::with_capacity(tokens.len()), Vec::new());
    for (place, token) in tokens.into_iter().enumerate() {
        let Some(range) = found.peek().filter(|range| range.contains(&place)) else {
            out.push(token);
            continue;
        };
        if place == range.start {
            let name = word(&format!("{TAKEN}{}", targets.len()), Some('"'), Keyword::NoKeyword);
            let list = [Token::LParen, name, Token::RParen];
            out.extend(list.map(|new| TokenWithSpan { token: new, span: token.span }));
            targets.push(Vec::new());
        }
        targets.last_mut().expect("the range has begun").push(token);
        found.next_if(|range| range.end == place + 1);
    }
    (out, targets)
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
