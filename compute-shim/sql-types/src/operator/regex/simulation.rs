//! A pattern's NFA, followed state by state.
//!
//! Owns what no lazy DFA can do: constraints on words beside characters that are not ASCII, and groups of long matches. All
//! states that a text can lead to are followed at once (as in `regex-automata`'s PikeVM, which cannot be stopped on its way), so
//! a byte costs as many steps as the pattern has states. Read next: `machine.rs`, which chooses.

use regex_automata::nfa::thompson::{NFA, State};
use regex_automata::util::primitives::StateID;
use std::ops::Range;

use crate::env::Watch;
use crate::error::Result;

/// A slot that no way has passed.
pub(crate) const NO_PLACE: usize = usize::MAX;

/// States in the order in which they were come to, each once.
struct Threads {
    states: Vec<StateID>,
    /// Of each state its place in `states`, if that has it there.
    places: Vec<u32>,
    /// Of each state the slots of the first way to it.
    slots: Vec<usize>,
}

impl Threads {
    fn new(state_count: usize, slot_count: usize) -> Threads {
        Threads {
            states: Vec::new(),
            places: vec![0; state_count],
            slots: vec![NO_PLACE; state_count * slot_count],
        }
    }

    /// Whether the state was not there.
    fn insert(&mut self, state: StateID) -> bool {
        let place = self.places[state.as_usize()] as usize;
        if self.states.get(place) == Some(&state) {
            return false;
        }
        self.places[state.as_usize()] =
            u32::try_from(self.states.len()).expect("numbers of states are 32 bits");
        self.states.push(state);
        true
    }

    fn slots_of(&mut self, state: StateID, slot_count: usize) -> &mut [usize] {
        &mut self.slots[state.as_usize() * slot_count..][..slot_count]
    }
}

/// What is still to be done on a way through states that take no byte.
enum Turn {
    Explore(StateID),
    Restore { slot: usize, place: usize },
}

/// One search in one text.
pub(crate) struct Simulation<'a> {
    nfa: &'a NFA,
    text: &'a str,
    current: Threads,
    next: Threads,
    turns: Vec<Turn>,
    /// Slots of the way that is being followed. The first is where the match begins.
    way: Vec<usize>,
}

impl<'a> Simulation<'a> {
    /// With so many of the NFA's slots, of which there is at least one.
    pub(crate) fn new(nfa: &'a NFA, text: &'a str, slot_count: usize) -> Simulation<'a> {
        assert!(slot_count > 0, "where a match begins has a slot");
        let threads = || Threads::new(nfa.states().len(), slot_count);
        let (current, next) = (threads(), threads());
        Simulation { nfa, text, current, next, turns: Vec::new(), way: vec![NO_PLACE; slot_count] }
    }

    /// Gives each place where a match ends with its slots, until told that it is enough: those of the leftmost match that is known
    /// by then. Anchored, it begins where the span does; backward, ends are beginnings.
    pub(crate) fn run(
        mut self,
        watch: &mut Watch<'_>,
        span: Range<usize>,
        is_anchored: bool,
        mut go_on: impl FnMut(usize, &[usize]) -> bool,
    ) -> Result<()> {
        let (bytes, slot_count) = (self.text.as_bytes(), self.way.len());
        let (mut at, last) =
            if self.nfa.is_reverse() { (span.end, span.start) } else { (span.start, span.end) };
        // Where the leftmost match known so far begins.
        let mut leftmost = NO_PLACE;
        for round in 0.. {
            let may_begin = round == 0 || !is_anchored && leftmost == NO_PLACE;
            if may_begin && self.text.is_char_boundary(at) {
                self.way.fill(NO_PLACE);
                self.way[0] = at;
                // Behind those that begin before it.
                std::mem::swap(&mut self.current, &mut self.next);
                self.next_states(watch, self.nfa.start_anchored(), at)?;
                std::mem::swap(&mut self.current, &mut self.next);
            }
            let (byte, next_at) = match self.nfa.is_reverse() {
                _ if at == last => (None, at),
                true => (Some(bytes[at - 1]), at - 1),
                false => (Some(bytes[at]), at + 1),
            };
            watch.count(1)?;
            for thread in 0..self.current.states.len() {
                let state = self.current.states[thread];
                let begin = self.current.slots_of(state, slot_count)[0];
                let follower = match self.nfa.state(state) {
                    // Those behind it begin where it does, or later.
                    State::ByteRange { .. } | State::Sparse(_) | State::Dense(_) | State::Match { .. }
                        if begin > leftmost =>
                    {
                        break;
                    }
                    State::ByteRange { trans } => {
                        byte.filter(|&byte| trans.matches_byte(byte)).map(|_| trans.next)
                    }
                    State::Sparse(transitions) => byte.and_then(|byte| transitions.matches_byte(byte)),
                    State::Dense(transitions) => byte.and_then(|byte| transitions.matches_byte(byte)),
                    State::Match { .. } => {
                        leftmost = begin;
                        if !go_on(at, self.current.slots_of(state, slot_count)) {
                            return Ok(());
                        }
                        None
                    }
                    _ => None,
                };
                if let Some(follower) = follower {
                    self.way.copy_from_slice(self.current.slots_of(state, slot_count));
                    self.next_states(watch, follower, next_at)?;
                }
            }
            self.current.states.clear();
            std::mem::swap(&mut self.current, &mut self.next);
            if byte.is_none() || self.current.states.is_empty() && (is_anchored || leftmost != NO_PLACE) {
                break;
            }
            at = next_at;
        }
        Ok(())
    }

    /// Comes to a state and to all that it leads to without a byte, the preferred ways first.
    fn next_states(&mut self, watch: &mut Watch<'_>, first: StateID, at: usize) -> Result<()> {
        let slot_count = self.way.len();
        self.turns.push(Turn::Explore(first));
        while let Some(turn) = self.turns.pop() {
            let mut state = match turn {
                Turn::Explore(state) => state,
                Turn::Restore { slot, place } => {
                    self.way[slot] = place;
                    continue;
                }
            };
            while self.next.insert(state) {
                watch.count(1)?;
                state = match self.nfa.state(state) {
                    State::Look { look, next } => {
                        // The NFA that goes backward has them turned round.
                        let look = if self.nfa.is_reverse() { look.reversed() } else { *look };
                        if !self.nfa.look_matcher().matches(look, self.text.as_bytes(), at) {
                            break;
                        }
                        *next
                    }
                    State::Union { alternates } => {
                        let Some((first, others)) = alternates.split_first() else { break };
                        self.turns.extend(others.iter().rev().map(|&other| Turn::Explore(other)));
                        *first
                    }
                    State::BinaryUnion { alt1, alt2 } => {
                        self.turns.push(Turn::Explore(*alt2));
                        *alt1
                    }
                    State::Capture { next, slot, .. } => {
                        let slot = slot.as_usize();
                        if slot < slot_count {
                            self.turns.push(Turn::Restore { slot, place: self.way[slot] });
                            self.way[slot] = at;
                        }
                        *next
                    }
                    State::Fail => break,
                    State::ByteRange { .. } | State::Sparse(_) | State::Dense(_) | State::Match { .. } => {
                        self.next.slots_of(state, slot_count).copy_from_slice(&self.way);
                        break;
                    }
                };
            }
        }
        Ok(())
    }
}
