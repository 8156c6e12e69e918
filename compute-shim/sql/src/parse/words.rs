//! Which words a statement has, as far as one look at its tokens tells.
//!
//! A dozen passes put spellings of PostgreSQL into those of the parser crate, each for a few words that most statements have not:
//! they ask here before they read the tokens.

use hexalog_sql_types::error::Result;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

/// Bits of the set: a statement of thirty words has a given other one by chance in one case of thirty.
const BITS: usize = 1024;

/// A set of unquoted words, of which some may only seem to be in it.
pub(super) struct Words([u64; BITS / 64]);

/// Words that a pass asks for, in small letters, ready to be looked up.
pub(super) struct Asked<const N: usize>([usize; N]);

impl<const N: usize> Asked<N> {
    pub(super) const fn new(words: [&str; N]) -> Asked<N> {
        let (mut bits, mut at) = ([0; N], 0);
        while at < N {
            bits[at] = bit(words[at].as_bytes());
            at += 1;
        }
        Asked(bits)
    }
}

/// FNV-1a, of small and capital letters alike.
const fn bit(word: &[u8]) -> usize {
    let (mut hash, mut at) = (0x811c_9dc5_u32, 0);
    while at < word.len() {
        hash = (hash ^ word[at].to_ascii_lowercase() as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    (hash ^ hash >> 16) as usize % BITS
}

impl Words {
    pub(super) fn of(tokens: &[TokenWithSpan]) -> Words {
        let mut set = [0; BITS / 64];
        for token in tokens {
            if let Token::Word(Word { value, quote_style: None, .. }) = &token.token {
                let bit = bit(value.as_bytes());
                set[bit / 64] |= 1 << (bit % 64);
            }
        }
        Words(set)
    }

    /// Puts a statement's tokens through a pass that has nothing to do where none of these words is there. In debug builds that is
    /// looked at: a word that a pass knows and its list lacks would go unseen otherwise.
    pub(super) fn pass<const N: usize>(
        &self,
        asked: &Asked<N>,
        tokens: Vec<TokenWithSpan>,
        respell: impl Fn(Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>>,
    ) -> Result<Vec<TokenWithSpan>> {
        if self.may_have(asked) {
            return respell(tokens);
        }
        debug_assert!(
            respell(tokens.clone()).is_ok_and(|same| same == tokens),
            "a pass has words of its own"
        );
        Ok(tokens)
    }

    /// False if none of these words is there for sure.
    pub(super) fn may_have<const N: usize>(&self, asked: &Asked<N>) -> bool {
        asked.0.iter().any(|bit| self.0[bit / 64] >> (bit % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::DIALECT;
    use sqlparser::tokenizer::Tokenizer;

    #[test]
    fn unquoted_words_in_any_letters() {
        let text = "SELECT a.Like, 'some' FROM t WHERE b IN (1) -- limit";
        let tokens = Tokenizer::new(&DIALECT, text).tokenize_with_location().expect("good");
        let words = Words::of(&tokens);
        for word in ["select", "like", "from", "in"] {
            assert!(words.may_have(&Asked::new(["overriding", word])), "{word}");
        }
        for word in ["some", "limit", "values", "\"a\""] {
            assert!(!words.may_have(&Asked::new([word])), "{word}");
        }
    }
}
