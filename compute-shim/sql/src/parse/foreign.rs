//! What the parser crate takes of other dialects, and PostgreSQL's scanner and grammar refuse: found among the tokens.
//!
//! A number ends where no word begins. A list in brackets is an array behind ARRAY alone, and a subscript stands behind a
//! column, a parameter, a parenthesis or another subscript: not behind a call, a constant or a CASE. `==` is the name of an
//! operator, of which PostgreSQL has none. Some key words of theirs are names here.

use super::keyword::{is_reserved, keyword};
use super::place::is_word;
use super::{Lines, at};
use hexalog_sql_types::SqlError;
use hexalog_sql_types::error::Result;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

/// Types behind whose modifiers in parentheses brackets may stand.
const TYPES_WITH_MODIFIERS: [&str; 17] = [
    "bit",
    "bpchar",
    "char",
    "character",
    "dec",
    "decimal",
    "float",
    "interval",
    "nchar",
    "numeric",
    "second",
    "time",
    "timestamp",
    "timestamptz",
    "varbit",
    "varchar",
    "varying",
];

/// What a bracket or parenthesis is.
#[derive(Clone, Copy, PartialEq)]
enum Open {
    /// `ARRAY[`, and `[` in one whose elements are arrays themselves.
    Array {
        of_arrays: bool,
    },
    Subscript,
    Call,
    Parenthesis,
}

/// The tokens with foreign operators as names.
pub(super) fn take_foreign(mut tokens: Vec<TokenWithSpan>, lines: &Lines<'_>) -> Result<Vec<TokenWithSpan>> {
    for token in &mut tokens {
        match &token.token {
            Token::DoubleEq => token.token = Token::CustomBinaryOperator("==".to_owned()),
            Token::Spaceship => token.token = Token::CustomBinaryOperator("<=>".to_owned()),
            _ => {}
        }
    }
    quote_names(&mut tokens);
    refuse_junk(&tokens, lines)?;
    refuse_brackets(&tokens, lines)?;
    Ok(tokens)
}

/// `UNSIGNED`, and units of an interval that are none here, are names: `SELECT interval '5' weeks` has a column `weeks`.
fn quote_names(tokens: &mut [TokenWithSpan]) {
    // The last token begins the literal of an interval, or ends it.
    let mut before = [false; 2];
    for token in tokens.iter_mut().filter(|token| !matches!(token.token, Token::Whitespace(_))) {
        let is_literal = before[0] && matches!(token.token, Token::SingleQuotedString(_));
        let is_interval = is_word(&token.token, "interval");
        if let Token::Word(word @ Word { quote_style: None, .. }) = &mut token.token {
            let folded = || word.value.to_lowercase();
            if word.value.eq_ignore_ascii_case("unsigned") || before[1] && keyword(&folded()).is_none() {
                let folded = folded();
                *word = Word { value: folded, quote_style: Some('"'), keyword: Keyword::NoKeyword };
            }
        }
        before = [is_interval, is_literal];
    }
}

fn refused(what: &str, text: &str, token: &TokenWithSpan, lines: &Lines<'_>) -> SqlError {
    let message = format!("{what} at or near \"{text}\"");
    at(SqlError::syntax(message), lines.position(token.span.start))
}

/// Numbers and parameters that go over into a word.
fn refuse_junk(tokens: &[TokenWithSpan], lines: &Lines<'_>) -> Result<()> {
    for (nth, token) in tokens.iter().enumerate() {
        match &token.token {
            Token::Number(number, _) => {
                let Some(next) = tokens.get(nth + 1).filter(|next| next.span.start == token.span.end) else {
                    continue;
                };
                let Token::Word(Word { value, quote_style: None, .. }) = &next.token else { continue };
                let sign = match tokens.get(nth + 2).map(|sign| &sign.token) {
                    Some(sign @ (Token::Plus | Token::Minus)) if value.eq_ignore_ascii_case("e") => {
                        sign.to_string()
                    }
                    _ => String::new(),
                };
                let text = format!("{number}{value}{sign}");
                return Err(refused("trailing junk after numeric literal", &text, token, lines));
            }
            // `X'1F'` is a character longer.
            Token::HexStringLiteral(digits) => {
                let length = token.span.end.column.saturating_sub(token.span.start.column);
                if length == digits.len() as u64 + 2 {
                    let text = format!("0x{digits}");
                    return Err(refused("trailing junk after numeric literal", &text, token, lines));
                }
            }
            Token::Placeholder(text) => {
                let rest = text.trim_start_matches('$');
                if rest.starts_with(|c: char| c.is_ascii_digit())
                    && rest.contains(|c: char| !c.is_ascii_digit())
                {
                    return Err(refused("trailing junk after parameter", text, token, lines));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn refuse_brackets(tokens: &[TokenWithSpan], lines: &Lines<'_>) -> Result<()> {
    if !tokens.iter().any(|token| token.token == Token::LBracket) {
        return Ok(());
    }
    let mut open: Vec<Open> = Vec::new();
    // What the last token closed, if it did.
    let mut closed = None;
    let mut before: [Option<&Token>; 2] = [None, None];
    for token in tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))) {
        let mut closes = None;
        match &token.token {
            Token::LBracket => {
                let Some(bracket) = bracket(before, closed, open.last_mut()) else {
                    return Err(refused("syntax error", "[", token, lines));
                };
                open.push(bracket);
            }
            Token::LParen => open.push(parenthesis(before)),
            Token::RBracket | Token::RParen => closes = open.pop(),
            _ => {}
        }
        closed = closes;
        before = [Some(&token.token), before[0]];
    }
    Ok(())
}

/// What an opening bracket is, if one may stand here.
fn bracket(before: [Option<&Token>; 2], closed: Option<Open>, around: Option<&mut Open>) -> Option<Open> {
    const ARRAY: Open = Open::Array { of_arrays: false };
    match before[0]? {
        token if is_word(token, "array") => Some(ARRAY),
        Token::Word(Word { value, quote_style, .. }) => {
            let is_name = quote_style.is_some()
                || before[1] == Some(&Token::Period)
                || !is_reserved(&value.to_lowercase());
            is_name.then_some(Open::Subscript)
        }
        Token::Placeholder(_) => Some(Open::Subscript),
        Token::RBracket => closed.filter(|closed| *closed == Open::Subscript),
        Token::RParen => closed.filter(|closed| *closed == Open::Parenthesis).map(|_| Open::Subscript),
        Token::LBracket => match around? {
            Open::Array { of_arrays } => {
                *of_arrays = true;
                Some(ARRAY)
            }
            _ => None,
        },
        Token::Comma => (around? == &Open::Array { of_arrays: true }).then_some(ARRAY),
        _ => None,
    }
}

fn parenthesis(before: [Option<&Token>; 2]) -> Open {
    match before[0] {
        // FETCH FIRST calls nothing.
        Some(first)
            if before[1].is_some_and(|fetch| is_word(fetch, "fetch"))
                && (is_word(first, "first") || is_word(first, "next")) =>
        {
            Open::Parenthesis
        }
        Some(Token::Word(Word { value, quote_style, .. })) => {
            let word = value.to_lowercase();
            let is_call = quote_style.is_some()
                || word == "array"
                || !is_reserved(&word) && !TYPES_WITH_MODIFIERS.contains(&word.as_str());
            if is_call { Open::Call } else { Open::Parenthesis }
        }
        _ => Open::Parenthesis,
    }
}
