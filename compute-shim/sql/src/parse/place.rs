//! Where things stand in the text: what the parser crate's tree does not say is read off its tokens.
//!
//! Owns the look-up of operators' positions. The crate keeps none of them, so an operator is found as the first one of
//! its spelling behind its left operand that no inner expression has taken.

use super::{Lower, at};
use hexalog_sql_types::SqlError;
use sqlparser::tokenizer::{Token, Word};

impl Lower<'_> {
    fn position_of(&self, index: usize) -> u32 {
        self.lines.position(self.parser.token_at(index).span.start)
    }

    /// The first token that begins at a position or behind it.
    fn index_at(&self, position: u32) -> usize {
        let (mut low, mut high) = (0, self.token_count);
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.position_of(middle) < position {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The position of the first such token behind `start` that is not taken yet; 0 if there is none. It is taken then.
    pub(super) fn take_after(&mut self, start: u32, is: impl Fn(&Token) -> bool) -> u32 {
        if start == 0 {
            return 0;
        }
        for index in self.index_at(start)..self.token_count {
            if is(&self.parser.token_at(index).token) && self.taken.insert(index) {
                return self.position_of(index);
            }
        }
        0
    }

    /// The same, going back from `end`.
    pub(super) fn take_before(&mut self, end: u32, is: impl Fn(&Token) -> bool) -> u32 {
        if end == 0 {
            return 0;
        }
        for index in (0..self.index_at(end)).rev() {
            if is(&self.parser.token_at(index).token) && self.taken.insert(index) {
                return self.position_of(index);
            }
        }
        0
    }

    /// The position of a key word behind an operand, or of the NOT in front of it.
    pub(super) fn take_word_after(&mut self, start: u32, word: &str, negated: bool) -> u32 {
        let found = self.take_after(start, |token| is_word(token, word));
        let not = if negated { self.word_before(found, "not") } else { 0 };
        if not > 0 { not } else { found }
    }

    /// The first `ARRAY[]` that is not taken yet.
    pub(super) fn take_empty_array(&mut self) -> u32 {
        let is_empty = |index: &usize| {
            let mut next = (*index..self.token_count)
                .map(|index| &self.parser.token_at(index).token)
                .filter(|token| !matches!(token, Token::Whitespace(_)));
            next.next().is_some_and(|token| is_word(token, "array"))
                && next.next() == Some(&Token::LBracket)
                && next.next() == Some(&Token::RBracket)
                && !self.taken.contains(index)
        };
        let words =
            (0..self.token_count).filter(|&index| is_word(&self.parser.token_at(index).token, "array"));
        let found = words.into_iter().find(is_empty);
        found.map_or(0, |index| {
            self.taken.insert(index);
            self.position_of(index)
        })
    }

    /// The word in front of a key word, if it is this one: `ON` of `ON CONFLICT`.
    pub(super) fn word_before(&self, position: u32, word: &str) -> u32 {
        let before = self.index_at(position).checked_sub(1).and_then(|before| self.token_back(before));
        before
            .filter(|&index| is_word(&self.parser.token_at(index).token, word))
            .map_or(0, |at| self.position_of(at))
    }

    /// The last token at an index or before it that is no blank.
    fn token_back(&self, from: usize) -> Option<usize> {
        (0..=from).rev().find(|&index| !matches!(self.parser.token_at(index).token, Token::Whitespace(_)))
    }

    /// The token in front of a position, blanks left out.
    pub(super) fn token_before(&self, position: u32) -> Option<&Token> {
        let before = self.index_at(position).checked_sub(1)?;
        self.token_back(before).map(|index| &self.parser.token_at(index).token)
    }

    /// `syntax error at or near` the token behind the one at a position.
    pub(super) fn unexpected_behind(&self, position: u32) -> SqlError {
        let behind = (self.index_at(position) + 1..self.token_count)
            .find(|&index| !matches!(self.parser.token_at(index).token, Token::Whitespace(_)));
        match behind {
            Some(index) => {
                let message = format!("syntax error at or near \"{}\"", self.parser.token_at(index).token);
                at(SqlError::syntax(message), self.position_of(index))
            }
            None => SqlError::syntax("syntax error at end of input"),
        }
    }

    /// `syntax error at or near` the first of these words behind a position: a clause of another dialect.
    pub(super) fn foreign_word(&mut self, start: u32, words: &[&str]) -> SqlError {
        let position = self.take_after(start.max(1), |token| words.iter().any(|word| is_word(token, word)));
        self.syntax_error_at(position)
    }

    /// 42601 at the token of a position, which may be unknown.
    pub(super) fn syntax_error_at(&self, position: u32) -> SqlError {
        match position.checked_sub(1).and_then(|_| self.token_at(position)) {
            Some(token) => at(SqlError::syntax(format!("syntax error at or near \"{token}\"")), position),
            None => SqlError::syntax("syntax error"),
        }
    }

    fn token_at(&self, position: u32) -> Option<&Token> {
        let index = self.index_at(position);
        (index < self.token_count).then(|| &self.parser.token_at(index).token)
    }

    /// Where the token behind the one at a position begins.
    pub(super) fn behind(&self, position: u32) -> u32 {
        if position == 0 {
            return 0;
        }
        let behind = (self.index_at(position) + 1..self.token_count)
            .find(|&index| !matches!(self.parser.token_at(index).token, Token::Whitespace(_)));
        behind.map_or(0, |index| self.position_of(index))
    }

    /// The parenthesis that opens in front of a position.
    pub(super) fn parenthesis_before(&self, position: u32) -> u32 {
        if position == 0 {
            return 0;
        }
        let before = (0..self.index_at(position)).rev();
        let mut opening = before.filter(|&index| self.parser.token_at(index).token == Token::LParen);
        opening.next().map_or(0, |index| self.position_of(index))
    }
}

pub(super) fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(Word { value, quote_style: None, .. }) if value.eq_ignore_ascii_case(word))
}

/// Whether a token is an operator of this spelling.
pub(super) fn is_operator(token: &Token, symbol: &str) -> bool {
    match token {
        Token::Word(_) | Token::Whitespace(_) | Token::Number(..) | Token::SingleQuotedString(_) => false,
        Token::Comma | Token::Period | Token::LParen | Token::RParen => false,
        token => token.to_string() == symbol,
    }
}
