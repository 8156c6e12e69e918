//! Which of several divisions of a text a pattern in three parts takes.
//!
//! Owns the search for the places where one part ends and the next begins. The first part is to be the shortest that can be, and
//! after that the second the longest; no order of alternatives and quantifiers says so, so the places are found by machines that
//! keep all matches. One goes backward and marks where the rest of the text can begin, one goes forward and takes the first or
//! the last of the marks that it comes to: each sees every byte once. Read next: `operator/regex.rs`.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use regex_automata::{Anchored, MatchKind};

use crate::env::{Watch, look_soon};
use crate::error::{Result, SqlError};
use crate::operator::regex::machine::Machine;
use crate::operator::regex::searched::Searched;
use crate::operator::regex::{LARGE_BYTES_MAX, Options, compile, translate};

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
pub(super) fn division(watch: &mut Watch<'_>, whole: &str, parts: &[String]) -> Result<Rc<Division>> {
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
    for part in [first, middle, last] {
        watch.look()?;
        compile(part, Options::default()).map_err(|_| {
            SqlError::unsupported("a separator inside of parentheses in a SQL regular expression")
        })?;
    }
    let mut machine = |part: &str, is_reverse| {
        watch.look()?;
        machine(part, is_reverse)
    };
    let division = Rc::new(Division {
        first: machine(first, false)?,
        middle_and_last: machine(&format!("(?:{middle})(?:{last})"), true)?,
        middle: machine(middle, false)?,
        last: machine(last, true)?,
    });
    look_soon();
    CACHE.with_borrow_mut(|cache| {
        cache.truncate(CACHE_DIVISIONS_MAX - 1);
        cache.insert(0, (whole.to_owned(), division.clone()));
    });
    Ok(division)
}

/// A part as a machine that comes to every match.
fn machine(part: &str, is_reverse: bool) -> Result<Machine> {
    let translated = translate(&format!("(?:{part})"), Options::default())?;
    Machine::new(&translated.text, MatchKind::All, is_reverse, LARGE_BYTES_MAX)
}

impl Division {
    /// What the middle part matches; `None` if the pattern does not match the whole text.
    pub(super) fn find(&self, watch: &mut Watch<'_>, text: &Searched<'_>) -> Result<Option<Range<usize>>> {
        let marks = starts(&self.middle_and_last, watch, text, 0)?;
        let mut start = None;
        self.first.run(watch, text, 0..text.len(), Anchored::Yes, |at| {
            start = Some(at).filter(|&at| marks.has(at));
            start.is_none()
        })?;
        let Some(start) = start else { return Ok(None) };
        let marks = starts(&self.last, watch, text, start)?;
        let mut end = None;
        self.middle.run(watch, text, start..text.len(), Anchored::Yes, |at| {
            end = Some(at).filter(|&at| marks.has(at)).or(end);
            true
        })?;
        Ok(end.map(|end| start..end))
    }
}

/// The places from `from` on where a match begins that ends where the text does.
fn starts(machine: &Machine, watch: &mut Watch<'_>, text: &Searched<'_>, from: usize) -> Result<Marks> {
    let mut marks = Marks(vec![0; text.len() / 64 + 1]);
    machine.run(watch, text, from..text.len(), Anchored::Yes, |at| {
        marks.set(at);
        true
    })?;
    Ok(marks)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::EvalEnv;
    use crate::error::SqlState;

    /// Each byte once began a search through the rest, the square of the length, which could not be cancelled.
    #[test]
    fn long_texts_are_read_once() {
        let text = "a".repeat(3_000_000) + "b";
        let mut watch = Watch::new(&EvalEnv::without_session());
        for (parts, expected) in [
            ([".*", "c", ".*"], None),
            ([".*", "b", ".*"], Some(3_000_000..3_000_001)),
            ([".*", ".*", "b"], Some(0..3_000_000)),
            (["(?:a|aa)*", "a*", "a*b"], Some(0..3_000_000)),
            ([".*", "ab|b", ""], Some(2_999_999..3_000_001)),
        ] {
            let parts = parts.map(str::to_owned);
            let found = division(&mut watch, &parts.join("|"), &parts)
                .expect("good")
                .find(&mut watch, &Searched::new(&text))
                .expect("not cancelled");
            assert_eq!(found, expected, "{parts:?}");
        }
    }

    #[test]
    fn parts_that_are_no_patterns() {
        let parts = ["(?:a", "b", "c)"].map(str::to_owned);
        let mut watch = Watch::new(&EvalEnv::without_session());
        let error = division(&mut watch, "^(?:(?:a){1,1}?(b){1,1}(?:c))$", &parts)
            .map(drop)
            .expect_err("parentheses across parts");
        assert_eq!(error.sqlstate(), SqlState::FEATURE_NOT_SUPPORTED);
    }
}
