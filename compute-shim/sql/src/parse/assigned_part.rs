//! Parts of columns that INSERT and UPDATE assign to: `a[1]`, `a[2:3]`, `j['key']`, for which the parser crate has no grammar there.
//!
//! Owns taking them out of a statement's tokens and reading them. A name that nothing bears stands in the place of each, and
//! leads back to it.

use super::respell::is_word;
use super::tree::{AssignedTo, Expr, Name, Subscripts};
use super::{Lines, Reader};
use hexalog_sql_types::SqlError;
use hexalog_sql_types::error::Result;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

/// What the name begins with; the part's number follows.
const TAKEN: &str = "part\0";

fn is_blank(token: &Token) -> bool {
    matches!(token, Token::Whitespace(_))
}

/// What the columns to assign to stand behind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Elsewhere,
    /// Behind UPDATE, in so many parentheses: SET is to come.
    BeforeSet(usize),
    /// Behind SET.
    Set(usize),
    /// Behind SET, in a list `(a, b) = …` in so many parentheses less one.
    SetList(usize),
    /// Behind INSERT INTO.
    BeforeList(usize),
    /// In the list, which is in so many parentheses with its own.
    List(usize),
}

/// The walk over a statement's tokens that knows where columns to assign to stand.
struct Walk {
    place: Place,
    depth: usize,
    /// The last token that is no blank, with the depth behind it.
    before: Option<(Token, usize)>,
}

impl Walk {
    fn follows(&self, words: &[&str]) -> bool {
        self.before.as_ref().is_some_and(|(token, _)| words.iter().any(|word| is_word(token, word)))
    }

    fn follows_parenthesis(&self) -> bool {
        matches!(self.before, Some((Token::LParen, _)))
    }

    /// Whether UPDATE begins a statement here; elsewhere it is FOR UPDATE or ON UPDATE.
    fn begins_statement(&self) -> bool {
        match &self.before {
            None => true,
            Some((Token::LParen | Token::RParen, _)) => true,
            Some(_) => self.follows(&["do", "as", "explain", "analyze", "verbose"]),
        }
    }

    /// Whether a word that stands here is a column to assign to.
    fn is_at_target(&self) -> bool {
        let Some((before, depth)) = &self.before else { return false };
        match self.place {
            Place::Elsewhere | Place::BeforeSet(_) | Place::BeforeList(_) => false,
            Place::List(list) => *depth == list && matches!(before, Token::LParen | Token::Comma),
            Place::Set(set) => *depth == set && (is_word(before, "set") || *before == Token::Comma),
            Place::SetList(set) => *depth == set + 1 && matches!(before, Token::LParen | Token::Comma),
        }
    }

    fn pass(&mut self, token: &Token) {
        // A list begins where a column may.
        let begins_list = *token == Token::LParen && self.is_at_target();
        match token {
            Token::LParen | Token::LBracket => self.depth += 1,
            Token::RParen | Token::RBracket => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.place = match self.place {
            _ if is_word(token, "update") && self.begins_statement() => Place::BeforeSet(self.depth),
            _ if is_word(token, "into") && self.follows(&["insert"]) => Place::BeforeList(self.depth),
            Place::BeforeSet(depth) if depth == self.depth && is_word(token, "set") => Place::Set(depth),
            Place::Set(depth) if depth == self.depth && self.ends_set(token) => Place::Elsewhere,
            Place::Set(depth) | Place::List(depth) if depth > self.depth => Place::Elsewhere,
            Place::Set(depth) if begins_list => Place::SetList(depth),
            // A query in parentheses is no list.
            Place::List(_) if self.follows_parenthesis() && begins_query(token) => Place::Elsewhere,
            Place::SetList(depth) if depth == self.depth => Place::Set(depth),
            Place::BeforeList(depth) if *token == Token::LParen && self.depth == depth + 1 => {
                Place::List(self.depth)
            }
            Place::BeforeList(_) if begins_query(token) || is_word(token, "default") => Place::Elsewhere,
            place => place,
        };
        self.before = Some((token.clone(), self.depth));
    }

    /// Whether the assignments are over. FROM also stands in IS DISTINCT FROM.
    fn ends_set(&self, token: &Token) -> bool {
        is_word(token, "where")
            || is_word(token, "returning")
            || (is_word(token, "from") && !self.follows(&["distinct"]))
    }
}

fn begins_query(token: &Token) -> bool {
    ["select", "values", "with", "table"].iter().any(|word| is_word(token, word))
}

/// The position behind the brackets that begin at or behind `at`, if any do.
fn behind_brackets(tokens: &[TokenWithSpan], mut at: usize) -> Option<usize> {
    let mut end = None;
    loop {
        let open = (at..tokens.len()).find(|&at| !is_blank(&tokens[at].token))?;
        if tokens[open].token != Token::LBracket {
            return end;
        }
        let (mut depth, mut next) = (1, open + 1);
        while depth > 0 {
            match tokens.get(next)?.token {
                Token::LBracket => depth += 1,
                Token::RBracket => depth -= 1,
                _ => {}
            }
            next += 1;
        }
        (end, at) = (Some(next), next);
        if next == tokens.len() {
            return end;
        }
    }
}

/// Takes the parts out; answers with the tokens of each.
pub(super) fn take(tokens: Vec<TokenWithSpan>) -> (Vec<TokenWithSpan>, Vec<Vec<TokenWithSpan>>) {
    if !tokens.iter().any(|token| token.token == Token::LBracket) {
        return (tokens, Vec::new());
    }
    let mut walk = Walk { place: Place::Elsewhere, depth: 0, before: None };
    let (mut out, mut parts) = (Vec::with_capacity(tokens.len()), Vec::new());
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        if is_blank(&token.token) {
            out.push(token.clone());
            continue;
        }
        let is_name = matches!(token.token, Token::Word(_)) && walk.is_at_target();
        match is_name.then(|| behind_brackets(&tokens, at)).flatten() {
            None => {
                walk.pass(&token.token);
                out.push(token.clone());
            }
            Some(end) => {
                let value = format!("{TAKEN}{}", parts.len());
                let name = Token::Word(Word { value, quote_style: Some('"'), keyword: Keyword::NoKeyword });
                walk.pass(&name);
                out.push(TokenWithSpan { token: name, span: token.span });
                parts.push(tokens[at - 1..end].to_vec());
                at = end;
            }
        }
    }
    (out, parts)
}

/// Reads what was taken.
pub(super) fn read(parts: Vec<Vec<TokenWithSpan>>, lines: &Lines<'_>) -> Result<Vec<AssignedTo>> {
    let mut read = Vec::with_capacity(parts.len());
    for tokens in parts {
        let mut reader = Reader::new(tokens, lines);
        let part = reader.expr()?;
        reader.expect_end()?;
        let (operand, subscripts) = match part {
            Expr::Subscript { operand, subscripts } => (operand, Subscripts::Element(subscripts)),
            Expr::Slice { operand, ranges } => (operand, Subscripts::Slice(ranges)),
            _ => return Err(SqlError::syntax("syntax error at or near \"[\"")),
        };
        let Expr::Column(column) = *operand else {
            return Err(SqlError::syntax("syntax error at or near \"[\""));
        };
        read.push(AssignedTo { column, subscripts });
    }
    Ok(read)
}

/// What a column's name in a statement stands for.
pub(super) fn assigned_to(column: Name, parts: &[AssignedTo]) -> AssignedTo {
    let number = match column.parts.as_slice() {
        [only] => only.strip_prefix(TAKEN).and_then(|number| number.parse::<usize>().ok()),
        _ => None,
    };
    match number.and_then(|number| parts.get(number)) {
        Some(part) => part.clone(),
        None => AssignedTo { column, subscripts: Subscripts::None },
    }
}
