//! A text in which is searched.

use std::cell::OnceCell;
use std::ops::Deref;

/// A text with what a search asks of all of it: asked once, though it may be searched once for each of its matches.
pub(crate) struct Searched<'t> {
    text: &'t str,
    is_ascii: OnceCell<bool>,
}

impl<'t> Searched<'t> {
    pub(crate) fn new(text: &'t str) -> Searched<'t> {
        Searched { text, is_ascii: OnceCell::new() }
    }

    pub(crate) fn is_ascii(&self) -> bool {
        *self.is_ascii.get_or_init(|| self.text.is_ascii())
    }
}

impl Deref for Searched<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        self.text
    }
}
