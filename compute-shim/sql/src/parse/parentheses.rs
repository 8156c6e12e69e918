//! Which parenthesis closes which, among a statement's tokens that are no blanks.
//!
//! Found once for a pass: to look for each by itself took the square of the length where they are nested.

use sqlparser::tokenizer::Token;

/// See the module.
pub(super) struct Parentheses {
    /// Of each opening one the place of the closing one.
    closing: Vec<Option<usize>>,
    /// Of each token the place of the innermost opening one that it stands in.
    around: Vec<Option<usize>>,
    /// Of each closing one, and of each closing bracket, the place of what opens it.
    opening: Vec<Option<usize>>,
}

impl Parentheses {
    pub(super) fn of<'t>(tokens: impl ExactSizeIterator<Item = &'t Token>) -> Parentheses {
        let none = vec![None; tokens.len()];
        let (mut closing, mut around, mut opening) = (none.clone(), none.clone(), none);
        let (mut open, mut open_with_brackets) = (Vec::new(), Vec::new());
        for (at, token) in tokens.enumerate() {
            match token {
                Token::LParen | Token::LBracket => open_with_brackets.push(at),
                Token::RParen | Token::RBracket => opening[at] = open_with_brackets.pop(),
                _ => {}
            }
            if *token == Token::RParen
                && let Some(opened) = open.pop()
            {
                closing[opened] = Some(at);
            }
            around[at] = open.last().copied();
            if *token == Token::LParen {
                open.push(at);
            }
        }
        Parentheses { closing, around, opening }
    }

    /// The parenthesis that closes the one at this place.
    pub(super) fn closing(&self, open: usize) -> Option<usize> {
        self.closing.get(open).copied().flatten()
    }

    /// The parenthesis or bracket that is closed at this place.
    pub(super) fn opening(&self, close: usize) -> Option<usize> {
        self.opening.get(close).copied().flatten()
    }

    /// The innermost parenthesis that was opened in front of this place and is open there.
    pub(super) fn around(&self, at: usize) -> Option<usize> {
        self.around.get(at).copied().flatten()
    }
}
