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
}

impl Parentheses {
    pub(super) fn of<'t>(tokens: impl ExactSizeIterator<Item = &'t Token>) -> Parentheses {
        let (mut closing, mut around) = (vec![None; tokens.len()], vec![None; tokens.len()]);
        let mut open = Vec::new();
        for (at, token) in tokens.enumerate() {
            if *token == Token::RParen
                && let Some(opening) = open.pop()
            {
                closing[opening] = Some(at);
            }
            around[at] = open.last().copied();
            if *token == Token::LParen {
                open.push(at);
            }
        }
        Parentheses { closing, around }
    }

    /// The parenthesis that closes the one at this place.
    pub(super) fn closing(&self, open: usize) -> Option<usize> {
        self.closing.get(open).copied().flatten()
    }

    /// The innermost parenthesis that was opened in front of this place and is open there.
    pub(super) fn around(&self, at: usize) -> Option<usize> {
        self.around.get(at).copied().flatten()
    }
}
