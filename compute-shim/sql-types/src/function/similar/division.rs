//! Which of several divisions of a text a pattern in three parts takes.
//!
//! Owns the search for the places where one part ends and the next begins. The first part is to be the shortest that can be, and
//! after that the second the longest; no order of alternatives and quantifiers says so, so the places are found by machines that
//! keep all matches. One goes backward and marks where the rest of the text can begin, one goes forward and takes the first or
//! the last of the marks that it comes to: each sees every byte once. Read next: `operator/regex.rs`.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use regex_automata::hybrid::dfa::{Cache, Config, DFA};
use regex_automata::hybrid::{CacheError, LazyStateID};
use regex_automata::nfa::thompson;
use regex_automata::{Anchored, Input, MatchKind};

use crate::error::{Result, SqlError, SqlState};
use crate::operator::regex::{Options, compile, translate};

/// Most bytes of a compiled part, as whole patterns have it.
const PART_BYTES_MAX: usize = 32 << 20;

/// Patterns kept per thread: a guess at how many a statement has.
const CACHE_DIVISIONS_MAX: usize = 4;

thread_local! {
    static CACHE: RefCell<Vec<(String, Rc<Division>)>> = const { RefCell::new(Vec::new()) };
}

/// A pattern in three parts.
pub(super) struct Division {
    first: Machine,
    /// Backward, as is `last`.
    middle_and_last: Machine,
    middle: Machine,
    last: Machine,
}

/// The division of a pattern that was found to be good, whole, as an ARE; 0A000 if its parts are none by themselves.
pub(super) fn division(whole: &str, parts: &[String]) -> Result<Rc<Division>> {
    let hit = CACHE.with_borrow_mut(|cache| {
        let at = cache.iter().position(|(known, _)| known == whole)?;
        cache[..=at].rotate_right(1);
        Some(cache[0].1.clone())
    });
    if let Some(division) = hit {
        return Ok(division);
    }
    let [first, middle, rest @ ..] = parts else { panic!("a pattern of one part is not divided") };
    let last = rest.first().map_or("", String::as_str);
    if [first, middle, last].into_iter().any(|part| compile(part, false).is_err()) {
        return Err(SqlError::unsupported("a separator inside of parentheses in a SQL regular expression"));
    }
    let division = Rc::new(Division {
        first: Machine::new(first, false)?,
        middle_and_last: Machine::new(&format!("(?:{middle})(?:{last})"), true)?,
        middle: Machine::new(middle, false)?,
        last: Machine::new(last, true)?,
    });
    CACHE.with_borrow_mut(|cache| {
        cache.truncate(CACHE_DIVISIONS_MAX - 1);
        cache.insert(0, (whole.to_owned(), division.clone()));
    });
    Ok(division)
}

impl Division {
    /// What the middle part matches; `None` if the pattern does not match the whole text.
    pub(super) fn find(&self, text: &str) -> Result<Option<Range<usize>>> {
        let marks = self.middle_and_last.starts(text, 0)?;
        let mut start = None;
        self.first.ends(text, 0, |at| {
            start = Some(at).filter(|&at| marks.has(at));
            start.is_none()
        })?;
        let Some(start) = start else { return Ok(None) };
        let marks = self.last.starts(text, start)?;
        let mut end = None;
        self.middle.ends(text, start, |at| {
            end = Some(at).filter(|&at| marks.has(at)).or(end);
            true
        })?;
        Ok(end.map(|end| start..end))
    }
}

/// Places of a text: one bit for each.
struct Marks(Vec<u64>);

impl Marks {
    fn set(&mut self, at: usize) {
        self.0[at / 64] |= 1 << (at % 64);
    }

    fn has(&self, at: usize) -> bool {
        self.0[at / 64] >> (at % 64) & 1 == 1
    }
}

/// A part as a machine that comes to every match.
struct Machine {
    dfa: DFA,
    cache: RefCell<Cache>,
}

impl Machine {
    fn new(part: &str, is_reverse: bool) -> Result<Machine> {
        let translated = translate(&format!("(?:{part})"), Options::default())?;
        let config = Config::new()
            .match_kind(MatchKind::All)
            .unicode_word_boundary(true)
            .skip_cache_capacity_check(true);
        let nfa = thompson::Config::new().reverse(is_reverse).nfa_size_limit(Some(PART_BYTES_MAX));
        let dfa = DFA::builder().configure(config).thompson(nfa).build(&translated.text).map_err(|_| {
            let message = "invalid regular expression: regular expression is too complex";
            SqlError::new(SqlState::INVALID_REGULAR_EXPRESSION, message)
        })?;
        let cache = RefCell::new(dfa.create_cache());
        Ok(Machine { dfa, cache })
    }

    /// Gives each place where a match that begins at `from` ends, from left to right, until told that it is enough.
    fn ends(&self, text: &str, from: usize, mut go_on: impl FnMut(usize) -> bool) -> Result<()> {
        let cache = &mut *self.cache.borrow_mut();
        let input = Input::new(text).range(from..).anchored(Anchored::Yes);
        let mut state = self.dfa.start_state_forward(cache, &input).map_err(|_| unsure_boundary())?;
        // A match is known one byte behind its end.
        for (at, &byte) in text.as_bytes().iter().enumerate().skip(from) {
            state = entered(self.dfa.next_state(cache, state, byte))?;
            if state.is_match() && !go_on(at) || state.is_dead() {
                return Ok(());
            }
        }
        if entered(self.dfa.next_eoi_state(cache, state))?.is_match() {
            go_on(text.len());
        }
        Ok(())
    }

    /// The places from `from` on where a match begins that ends where the text does.
    fn starts(&self, text: &str, from: usize) -> Result<Marks> {
        let mut marks = Marks(vec![0; text.len() / 64 + 1]);
        let cache = &mut *self.cache.borrow_mut();
        let input = Input::new(text).range(from..).anchored(Anchored::Yes);
        let mut state = self.dfa.start_state_reverse(cache, &input).map_err(|_| unsure_boundary())?;
        for (at, &byte) in text.as_bytes().iter().enumerate().skip(from).rev() {
            state = entered(self.dfa.next_state(cache, state, byte))?;
            if state.is_match() {
                marks.set(at + 1);
            }
            if state.is_dead() {
                return Ok(marks);
            }
        }
        let state = match from.checked_sub(1) {
            Some(before) => self.dfa.next_state(cache, state, text.as_bytes()[before]),
            None => self.dfa.next_eoi_state(cache, state),
        };
        if entered(state)?.is_match() {
            marks.set(from);
        }
        Ok(marks)
    }
}

/// A state that the machine went to, unless it cannot say where.
fn entered(state: std::result::Result<LazyStateID, CacheError>) -> Result<LazyStateID> {
    let state = state.expect("a cache that is full is emptied");
    if state.is_quit() { Err(unsure_boundary()) } else { Ok(state) }
}

/// The machine knows boundaries of words in ASCII only.
fn unsure_boundary() -> SqlError {
    SqlError::unsupported("a constraint on words in a SQL regular expression with separators")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each byte once began a search through the rest, the square of the length, which could not be cancelled.
    #[test]
    fn long_texts_are_read_once() {
        let text = "a".repeat(3_000_000) + "b";
        for (parts, expected) in [
            ([".*", "c", ".*"], None),
            ([".*", "b", ".*"], Some(3_000_000..3_000_001)),
            ([".*", ".*", "b"], Some(0..3_000_000)),
            (["(?:a|aa)*", "a*", "a*b"], Some(0..3_000_000)),
            ([".*", "ab|b", ""], Some(2_999_999..3_000_001)),
        ] {
            let parts = parts.map(str::to_owned);
            let found = division(&parts.join("|"), &parts).expect("good").find(&text).expect("sure");
            assert_eq!(found, expected, "{parts:?}");
        }
    }

    #[test]
    fn parts_that_are_no_patterns() {
        let parts = ["(?:a", "b", "c)"].map(str::to_owned);
        let error = division("^(?:(?:a){1,1}?(b){1,1}(?:c))$", &parts)
            .map(drop)
            .expect_err("parentheses across parts");
        assert_eq!(error.sqlstate(), SqlState::FEATURE_NOT_SUPPORTED);
    }
}
