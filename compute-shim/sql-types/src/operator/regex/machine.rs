//! A pattern as a machine that reads a text byte by byte.
//!
//! Owns searches that can be stopped on their way, and come to every match: a lazy DFA, which knows boundaries of words in ASCII
//! only, or else the NFA beneath it. Read next: `simulation.rs`.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, Config, DFA};
use regex_automata::nfa::thompson::{self, NFA};
use regex_automata::{Anchored, Input, MatchKind};

use super::searched::Searched;
use super::simulation::Simulation;
use super::too_complex;
use crate::env::{STEPS_PER_LOOK, Watch};
use crate::error::Result;

/// States of the NFA that count as one step: what makes a new state of the DFA visits all of them.
pub(crate) const STATES_PER_STEP: usize = 16;

/// Bytes that are read without counting, where states are few: those of a page.
const STRETCH_BYTES_MAX: usize = 4096;

/// A DFA of no more bytes stays in the cache that the meta engine has for it, of 2 MiB, with all its states.
const STEADY_BYTES_MAX: usize = 1 << 20;

/// Most visits of the NFA's states to find that out: some 20 ms.
const STEADY_VISITS_MAX: usize = 1 << 21;

/// See the module.
#[derive(Debug)]
pub(crate) struct Machine {
    dfa: DFA,
    has_words: bool,
    steps_per_byte: usize,
    stretch_bytes: usize,
    /// Of the search before, unless one is under way. The states that it knows are found anew without it.
    cache: Mutex<Option<Box<Cache>>>,
}

impl Machine {
    /// Of a translated pattern. Of kind `All` it goes on behind a match; otherwise it ends with the match that the crate `regex`
    /// would take.
    pub(crate) fn new(
        translated: &str,
        kind: MatchKind,
        is_reverse: bool,
        bytes_max: usize,
    ) -> Result<Machine> {
        let config =
            Config::new().match_kind(kind).unicode_word_boundary(true).skip_cache_capacity_check(true);
        let nfa = thompson::Config::new().reverse(is_reverse).nfa_size_limit(Some(bytes_max));
        let dfa =
            DFA::builder().configure(config).thompson(nfa).build(translated).map_err(|_| too_complex())?;
        let nfa = dfa.get_nfa();
        let has_words = nfa.look_set_any().contains_word();
        let steps_per_byte = 1 + nfa.states().len() / STATES_PER_STEP;
        let stretch_bytes = (STEPS_PER_LOOK / steps_per_byte).clamp(1, STRETCH_BYTES_MAX);
        Ok(Machine { dfa, has_words, steps_per_byte, stretch_bytes, cache: Mutex::new(None) })
    }

    pub(crate) fn nfa(&self) -> &NFA {
        self.dfa.get_nfa()
    }

    /// Whether the DFA cannot read this text.
    pub(crate) fn is_simulated(&self, text: &Searched<'_>) -> bool {
        self.has_words && !text.is_ascii()
    }

    /// Whether the DFA has few states, whatever it reads: a search by one never comes down to a slower engine.
    pub(crate) fn is_steady(&self) -> bool {
        let mut cache = self.dfa.create_cache();
        // What may stand before the place where a search begins, or behind it.
        let starts = ["", "a", " ", "\n", "\r"].into_iter().flat_map(|beside| {
            let here = if self.nfa().is_reverse() { 0 } else { beside.len() };
            [Anchored::No, Anchored::Yes]
                .map(|anchored| Input::new(beside).range(here..here).anchored(anchored))
        });
        let starts = starts.map(|input| match self.nfa().is_reverse() {
            true => self.dfa.start_state_reverse(&mut cache, &input),
            false => self.dfa.start_state_forward(&mut cache, &input),
        });
        let Ok(mut unread) = starts.collect::<Result<Vec<LazyStateID>, _>>() else { return false };
        let mut known: BTreeSet<LazyStateID> = unread.iter().copied().collect();
        let classes: Vec<Option<u8>> =
            self.dfa.byte_classes().representatives(..).map(|class| class.as_u8()).collect();
        let mut visits = 0;
        while let Some(state) = unread.pop() {
            visits += classes.len() * self.nfa().states().len();
            if visits > STEADY_VISITS_MAX || cache.memory_usage() > STEADY_BYTES_MAX {
                return false;
            }
            // Of those that it ends with, the DFA is not asked.
            if state.is_dead() || state.is_quit() {
                continue;
            }
            for &class in &classes {
                let next = match class {
                    Some(byte) => self.dfa.next_state(&mut cache, state, byte),
                    None => self.dfa.next_eoi_state(&mut cache, state),
                };
                let Ok(next) = next else { return false };
                if known.insert(next) {
                    unread.push(next);
                }
            }
        }
        true
    }

    /// Gives each place where a match ends, in the order in which it comes to them, until told that it is enough. Anchored, a
    /// match begins where the span does; backward, it ends where the span ends, and where it begins is given.
    pub(crate) fn run(
        &self,
        watch: &mut Watch<'_>,
        text: &Searched<'_>,
        span: Range<usize>,
        anchored: Anchored,
        mut go_on: impl FnMut(usize) -> bool,
    ) -> Result<()> {
        if self.is_simulated(text) {
            let simulation = Simulation::new(self.nfa(), text, 1);
            return simulation.run(watch, span, anchored.is_anchored(), |at, _| go_on(at));
        }
        let known = self.cache.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut cache = known.unwrap_or_else(|| Box::new(self.dfa.create_cache()));
        let input = Input::new(&**text).range(span).anchored(anchored);
        let result = match self.nfa().is_reverse() {
            true => self.backward(&mut cache, watch, &input, go_on),
            false => self.forward(&mut cache, watch, &input, go_on),
        };
        *self.cache.lock().unwrap_or_else(PoisonError::into_inner) = Some(cache);
        result
    }

    fn forward(
        &self,
        cache: &mut Cache,
        watch: &mut Watch<'_>,
        input: &Input<'_>,
        mut go_on: impl FnMut(usize) -> bool,
    ) -> Result<()> {
        let bytes = input.haystack();
        let mut state = self.dfa.start_state_forward(cache, input).expect(NEVER_UNSURE);
        let (mut at, end) = (input.start(), input.end());
        while at < end {
            let stretch_end = end.min(at + self.stretch_bytes);
            watch.count((stretch_end - at) * self.steps_per_byte)?;
            // A match is known one byte behind its end.
            for &byte in &bytes[at..stretch_end] {
                state = self.dfa.next_state(cache, state, byte).expect(NEVER_UNSURE);
                if state.is_tagged() && (state.is_match() && !go_on(at) || state.is_dead()) {
                    return Ok(());
                }
                at += 1;
            }
        }
        let state = match bytes.get(input.end()) {
            Some(&behind) => self.dfa.next_state(cache, state, behind),
            None => self.dfa.next_eoi_state(cache, state),
        };
        if state.expect(NEVER_UNSURE).is_match() {
            go_on(input.end());
        }
        Ok(())
    }

    fn backward(
        &self,
        cache: &mut Cache,
        watch: &mut Watch<'_>,
        input: &Input<'_>,
        mut go_on: impl FnMut(usize) -> bool,
    ) -> Result<()> {
        let bytes = input.haystack();
        let mut state = self.dfa.start_state_reverse(cache, input).expect(NEVER_UNSURE);
        // Where a match begins is known one byte before.
        let (start, mut at) = (input.start(), input.end());
        while at > start {
            let stretch_start = start.max(at.saturating_sub(self.stretch_bytes));
            watch.count((at - stretch_start) * self.steps_per_byte)?;
            for &byte in bytes[stretch_start..at].iter().rev() {
                state = self.dfa.next_state(cache, state, byte).expect(NEVER_UNSURE);
                if state.is_tagged() && (state.is_match() && !go_on(at) || state.is_dead()) {
                    return Ok(());
                }
                at -= 1;
            }
        }
        let state = match input.start().checked_sub(1) {
            Some(before) => self.dfa.next_state(cache, state, bytes[before]),
            None => self.dfa.next_eoi_state(cache, state),
        };
        if state.expect(NEVER_UNSURE).is_match() {
            go_on(input.start());
        }
        Ok(())
    }
}

/// Why a lazy DFA can always say where it goes.
const NEVER_UNSURE: &str = "a cache that is full is emptied, and texts that make it quit are simulated";
