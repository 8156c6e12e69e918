//! Where an operator ends: PostgreSQL's rule for a sign behind one.
//!
//! `a >=-1` compares with -1: an operator of several characters does not end in `+` or `-` unless one of `~ ! @ # % ^ & | ?`
//! or a backquote is in it. The parser crate takes all of it for one operator.

use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan};

/// Signs behind operators become tokens of their own.
pub(super) fn part_signs(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let is_joined = |token: &TokenWithSpan| matches!(&token.token, Token::CustomBinaryOperator(_));
    if !tokens.iter().any(is_joined) {
        return tokens;
    }
    let mut parted = Vec::with_capacity(tokens.len() + 1);
    for token in tokens {
        match &token.token {
            Token::CustomBinaryOperator(symbol) => part(symbol, token.span, &mut parted),
            _ => parted.push(token),
        }
    }
    parted
}

fn part(symbol: &str, span: Span, out: &mut Vec<TokenWithSpan>) {
    let is_own = symbol.contains(['~', '!', '@', '#', '%', '^', '&', '|', '`', '?']);
    let head = if is_own { symbol } else { symbol.trim_end_matches(['+', '-']) };
    // What is all signs keeps its first one.
    let head = if head.is_empty() { &symbol[..1] } else { head };
    let Some(operator) = plain(head).filter(|_| head.len() < symbol.len()) else {
        out.push(TokenWithSpan { token: Token::CustomBinaryOperator(symbol.to_owned()), span });
        return;
    };
    let place = |at: usize| {
        let column = span.start.column + u64::try_from(at).expect("an operator is short");
        let start = Location { line: span.start.line, column };
        Span { start, end: Location { column: column + 1, ..start } }
    };
    out.push(TokenWithSpan { token: operator, span: place(0) });
    for (at, sign) in symbol.char_indices().skip(head.len()) {
        let token = if sign == '+' { Token::Plus } else { Token::Minus };
        out.push(TokenWithSpan { token, span: place(at) });
    }
}

/// The token of an operator that the parser crate knows by itself.
fn plain(symbol: &str) -> Option<Token> {
    Some(match symbol {
        "=" => Token::Eq,
        "<" => Token::Lt,
        ">" => Token::Gt,
        "<=" => Token::LtEq,
        ">=" => Token::GtEq,
        "<>" => Token::Neq,
        "<<" => Token::ShiftLeft,
        ">>" => Token::ShiftRight,
        "->" => Token::Arrow,
        "->>" => Token::LongArrow,
        "+" => Token::Plus,
        "-" => Token::Minus,
        "*" => Token::Mul,
        "/" => Token::Div,
        _ => return None,
    })
}
