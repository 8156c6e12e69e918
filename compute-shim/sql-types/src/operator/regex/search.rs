//! A compiled pattern, and its two ways through a text.
//!
//! Owns the choice between them. The meta engine of `regex-automata`, which is what the crate `regex` consists of, is the fastest
//! there is and cannot be stopped: it has the texts that it is through with in time whichever of its engines it comes down to. The
//! others go through a machine, at about a nanosecond a byte where its states are few. Read next: `machine.rs`.

use std::sync::OnceLock;

use regex_automata::nfa::thompson::WhichCaptures;
use regex_automata::{Anchored, Input, MatchKind, meta};

use super::Translation;
use super::machine::{Machine, STATES_PER_STEP};
use super::searched::Searched;
use super::simulation::Simulation;
use crate::env::Watch;
use crate::error::Result;

/// Most pairs of a byte and a state of the NFA that a search which cannot be stopped may visit: 100 ms at the 5 to 10 ns that the
/// slowest engine takes for one (measured, `(a|b)*a(a|b){n}`).
const UNWATCHED_VISITS_MAX: usize = 1 << 24;

/// Most bytes of a text that a DFA which stays in its cache reads without a look: 100 ms at the 6 ns a byte that were measured where
/// every few bytes begin what could be a match, 10 ms at best.
const UNWATCHED_BYTES_MAX: usize = 16 << 20;

/// Patterns that are longer have no literals looked for in them unless they repeat nothing: that took a second for `a?` a hundred
/// thousand times.
const PREFILTERED_BYTES_MAX: usize = 16 << 10;

/// No state of an NFA takes fewer bytes.
const STATE_BYTES_MIN: usize = 16;

/// Whether a search through so many bytes is over soon, whatever the pattern is.
pub(crate) fn is_short(length: usize, states: usize) -> bool {
    length.saturating_mul(states) <= UNWATCHED_VISITS_MAX
}

/// A pattern ready to be searched for.
#[derive(Debug)]
pub(crate) struct Pattern {
    regex: meta::Regex,
    /// For the machines, which few patterns ever need.
    translated: Box<str>,
    /// No fewer than the NFA has; read off the memory that it takes with all that belongs to it.
    states_max: usize,
    forward: OnceLock<Machine>,
    backward: OnceLock<Machine>,
    is_steady: OnceLock<bool>,
}

impl Pattern {
    /// Of a translated pattern that takes no more than so many bytes.
    pub(crate) fn new(
        translated: &Translation,
        bytes_max: usize,
    ) -> std::result::Result<Pattern, Box<meta::BuildError>> {
        let may_prefilter = translated.text.len() <= PREFILTERED_BYTES_MAX || !translated.has_quantifier;
        let config = meta::Config::new()
            .nfa_size_limit(Some(bytes_max))
            .hybrid_cache_capacity(2 << 20)
            .auto_prefilter(may_prefilter)
            .which_captures(WhichCaptures::Implicit);
        let regex = meta::Builder::new().configure(config).build(&translated.text)?;
        let states_max = regex.memory_usage() / STATE_BYTES_MIN;
        Ok(Pattern {
            regex,
            translated: translated.text.as_str().into(),
            states_max,
            forward: OnceLock::new(),
            backward: OnceLock::new(),
            is_steady: OnceLock::new(),
        })
    }

    fn machine<'a>(&'a self, place: &'a OnceLock<Machine>, kind: MatchKind, is_reverse: bool) -> &'a Machine {
        place.get_or_init(|| {
            Machine::new(&self.translated, kind, is_reverse, usize::MAX).expect("compiled before")
        })
    }

    fn forward(&self) -> &Machine {
        self.machine(&self.forward, MatchKind::LeftmostFirst, false)
    }

    fn backward(&self) -> &Machine {
        self.machine(&self.backward, MatchKind::All, true)
    }

    /// Whether the meta engine is through with so much of a text soon; its steps are counted if it is. What is known without another
    /// compilation comes first.
    fn is_unwatched(&self, watch: &mut Watch<'_>, text: &Searched<'_>, length: usize) -> Result<bool> {
        if is_short(length, self.states_max) {
            watch.count(1 + length * self.states_max / STATES_PER_STEP)?;
            return Ok(true);
        }
        // A machine is compiled, and so was the pattern perhaps.
        watch.look()?;
        let states = self.forward().nfa().states().len();
        if is_short(length, states) {
            watch.count(1 + length * states / STATES_PER_STEP)?;
            return Ok(true);
        }
        let is_steady = || self.forward().is_steady() && self.backward().is_steady();
        let is_unwatched = length <= UNWATCHED_BYTES_MAX
            && !self.forward().is_simulated(text)
            && *self.is_steady.get_or_init(is_steady);
        if is_unwatched {
            watch.count(length)?;
        }
        Ok(is_unwatched)
    }

    /// Whether there is a match in the text.
    pub(crate) fn is_match(&self, watch: &mut Watch<'_>, text: &Searched<'_>) -> Result<bool> {
        if self.is_unwatched(watch, text, text.len())? {
            return Ok(self.regex.is_match(&**text));
        }
        self.is_match_watched(watch, text)
    }

    fn is_match_watched(&self, watch: &mut Watch<'_>, text: &Searched<'_>) -> Result<bool> {
        watch.look()?;
        let mut is_found = false;
        self.forward().run(watch, text, 0..text.len(), Anchored::No, |_| {
            is_found = true;
            false
        })?;
        Ok(is_found)
    }

    /// Where the leftmost match at `from` or behind it begins.
    pub(crate) fn start(
        &self,
        watch: &mut Watch<'_>,
        text: &Searched<'_>,
        from: usize,
    ) -> Result<Option<usize>> {
        let span = from..text.len();
        if self.is_unwatched(watch, text, span.len())? {
            return Ok(self.regex.find(Input::new(&**text).span(span)).map(|found| found.start()));
        }
        self.start_watched(watch, text, from)
    }

    fn start_watched(
        &self,
        watch: &mut Watch<'_>,
        text: &Searched<'_>,
        from: usize,
    ) -> Result<Option<usize>> {
        watch.look()?;
        let span = from..text.len();
        let (forward, mut start) = (self.forward(), None);
        if forward.is_simulated(text) {
            Simulation::new(forward.nfa(), text, 1).run(watch, span, false, |_, slots| {
                start = Some(slots[0]);
                true
            })?;
            return Ok(start);
        }
        let mut end = None;
        forward.run(watch, text, span, Anchored::No, |at| {
            end = Some(at);
            true
        })?;
        let Some(end) = end else { return Ok(None) };
        self.backward().run(watch, text, from..end, Anchored::Yes, |at| {
            start = Some(at);
            true
        })?;
        assert!(start.is_some(), "what ends begins");
        Ok(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::EvalEnv;
    use crate::operator::regex::{Options, compile};

    /// The ways of a long text find what those of a short one find.
    #[test]
    fn watched_or_not() {
        let texts = [
            "",
            "a",
            "ab",
            "ba",
            "abab c",
            "é",
            "é abc",
            "abc é",
            "aé",
            "日本 abc_1",
            "a\nb\n",
            "xx aab aab",
            "e\u{301}a",
        ];
        let patterns = [
            "a",
            "b+",
            "a*",
            "",
            "^",
            "$",
            "^a|b$",
            "(a|ab)(c|bab)?",
            "\\ma",
            "a\\M",
            "\\y",
            "\\Y",
            "\\mabc\\M",
            "\\w+$",
            "[^a]",
            "b.*a|a",
            "(?n)^b",
            "(?n)a$",
            "\\A",
            "\\Z",
            "aab$",
            "é",
            ".",
            "..",
            "[[:alpha:]]+ ",
            "\\Mx|\\Yb",
        ];
        let mut watch = Watch::new(&EvalEnv::without_session());
        for pattern in patterns {
            let compiled = compile(pattern, Options::default()).expect(pattern);
            for text in texts {
                let text = &Searched::new(text);
                let froms = (0..=text.len()).filter(|&from| text.is_char_boundary(from));
                for from in froms {
                    let expected =
                        compiled.regex.find(Input::new(&**text).range(from..)).map(|found| found.start());
                    let found = compiled.start_watched(&mut watch, text, from).expect("not cancelled");
                    assert_eq!(found, expected, "{pattern:?} in {:?} from {from}", &**text);
                    let mut simulated = None;
                    Simulation::new(compiled.forward().nfa(), text, 1)
                        .run(&mut watch, from..text.len(), false, |_, slots| {
                            simulated = Some(slots[0]);
                            true
                        })
                        .expect("not cancelled");
                    assert_eq!(simulated, expected, "{pattern:?} in {:?} from {from}, simulated", &**text);
                }
                let is_match = compiled.is_match_watched(&mut watch, text).expect("not cancelled");
                assert_eq!(is_match, compiled.regex.is_match(&**text), "{pattern:?} in {:?}", &**text);
            }
        }
    }

    /// Which patterns the meta engine has to itself in texts of some length.
    #[test]
    fn steady() {
        for (pattern, expected) in [
            ("foo.*bar", true),
            ("[0-9]{3}", true),
            ("\\mfoo\\M", true),
            ("(a|b)*a(a|b){20}", false),
            // Forward it is; backward it is not.
            ("(a|b){20}a(a|b)*$", false),
        ] {
            let compiled = compile(pattern, Options::default()).expect(pattern);
            let is_steady = compiled.forward().is_steady() && compiled.backward().is_steady();
            assert_eq!(is_steady, expected, "{pattern}");
        }
    }
}
