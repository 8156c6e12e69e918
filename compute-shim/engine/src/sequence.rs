//! Sequences: one page each, values handed out from memory, logged 32 ahead.
//!
//! Owns the rule that a value is handed out only once the log covers it, and told only once that is durable (it goes into
//! the transaction's `dep_lsn`), so a crash skips values and never repeats one. Not transactional, but for creation and
//! drop. The last value before a bound is logged as it
//! is, so nothing is skipped at the end.

use crate::access::Access;
use crate::call::Call;
use crate::engine::Engine;
use crate::error::{EngineError, Step};
use crate::layout::sequence_page::{self, START};
use crate::mini_transaction::MiniTransaction;
use crate::transaction::Transaction;
use crate::types::{SequenceId, SequenceParams, SequenceState};
use hexalog_protocol::Lsn;

/// Values that one redo record covers, as in PostgreSQL.
const LOGGED_AHEAD: u32 = 32;

/// A sequence in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CachedSequence {
    state: SequenceState,
    /// Values that the log covers beyond `state`.
    covered: u32,
    /// The record that covers them: what was handed out rests on it.
    logged_at: Lsn,
}

/// The state after the next value. `None`: the bound is reached and the sequence does not cycle.
fn advance(state: SequenceState) -> Option<SequenceState> {
    let SequenceParams { increment, min, max, cycle, .. } = state.params;
    if !state.is_called {
        return Some(SequenceState { is_called: true, ..state });
    }
    let next = state.last_value.checked_add(increment).filter(|next| (min..=max).contains(next));
    let around = if increment > 0 { min } else { max };
    let last_value = next.or(cycle.then_some(around))?;
    Some(SequenceState { last_value, is_called: true, ..state })
}

/// The furthest state that one record covers, and how many values that is. Stops before it would come around.
fn furthest(state: SequenceState) -> Option<(SequenceState, u32)> {
    let mut far = advance(state)?;
    let mut covered = 1;
    while covered < LOGGED_AHEAD {
        match advance(far) {
            Some(next) if (next.last_value > far.last_value) == (state.params.increment > 0) => far = next,
            _ => break,
        }
        covered += 1;
    }
    Some((far, covered))
}

fn assert_valid(params: &SequenceParams) {
    assert!(params.increment != 0, "a sequence moves");
    assert!(params.min < params.max, "a sequence has room");
    assert!((params.min..=params.max).contains(&params.start), "a sequence starts within its bounds");
}

impl Engine {
    /// Makes a sequence, which lives if the transaction commits.
    pub fn create_sequence(&self, txn: &mut Transaction, params: SequenceParams) -> Step<SequenceId> {
        let _call = Call::enter();
        assert_valid(&params);
        self.prepare_to_grow(txn)?;
        let state = SequenceState { last_value: params.start, is_called: false, params };
        self.operate(txn, |access, txn| {
            let (page, _) = access.create_page(txn, |mini, slot, _| {
                mini.write(slot, usize::from(START), &sequence_page::encode(&state));
            })?;
            self.sequences.lock().remove(&SequenceId(page));
            Ok(SequenceId(page))
        })
    }

    /// The next value. Not transactional; logged every 32 values. What `txn` is told rests on that record.
    pub fn sequence_next(&self, txn: &mut Transaction, id: SequenceId) -> Step<i64> {
        let _call = Call::enter();
        self.check_fenced()?;
        let mut sequences = self.sequences.lock();
        if let Some(cached) = sequences.get_mut(&id)
            && cached.covered > 0
        {
            cached.state = advance(cached.state).expect("the log covers only values that exist");
            cached.covered -= 1;
            txn.depends_on(cached.logged_at, self.volume.vdl());
            return Ok(cached.state.last_value);
        }
        self.operate_alone(|access| {
            let known = sequences.get(&id).map(|cached| cached.state);
            let state = match known {
                Some(state) => state,
                None => access.logged_sequence(id)?,
            };
            let (far, covered) = furthest(state).ok_or(EngineError::SequenceExhausted)?;
            let logged_at = access.log_sequence(id, far)?;
            txn.depends_on(logged_at, self.volume.vdl());
            let state = advance(state).expect("at least one value is covered");
            sequences.insert(id, CachedSequence { state, covered: covered - 1, logged_at });
            Ok(state.last_value)
        })
    }

    /// Sets the last value; `is_called` false makes the next call return the value itself.
    pub fn sequence_set(
        &self,
        txn: &mut Transaction,
        id: SequenceId,
        value: i64,
        is_called: bool,
    ) -> Step<()> {
        let _call = Call::enter();
        let mut sequences = self.sequences.lock();
        self.operate_alone(|access| {
            let params = access.logged_sequence(id)?.params;
            if !(params.min..=params.max).contains(&value) {
                return Err(EngineError::SequenceOutOfBounds.into());
            }
            let state = SequenceState { last_value: value, is_called, params };
            let logged_at = access.log_sequence(id, state)?;
            txn.depends_on(logged_at, self.volume.vdl());
            sequences.insert(id, CachedSequence { state, covered: 0, logged_at });
            Ok(())
        })
    }

    /// Where the sequence stands.
    pub fn sequence_current(&self, id: SequenceId) -> Step<SequenceState> {
        let _call = Call::enter();
        let known = self.sequences.lock().get(&id).map(|cached| cached.state);
        match known {
            Some(state) => Ok(state),
            None => self.operate_alone(|access| access.logged_sequence(id)),
        }
    }

    /// Drops a sequence if the transaction commits.
    pub fn drop_sequence(&self, txn: &mut Transaction, id: SequenceId) -> Step<()> {
        let _call = Call::enter();
        self.prepare_to_write(txn)?;
        self.operate(txn, |access, txn| access.drop_page(txn, id.0))
    }
}

impl Access<'_> {
    fn logged_sequence(&mut self, id: SequenceId) -> Step<SequenceState> {
        let page = self.shared(id.0)?;
        sequence_page::decode(page.bytes())
            .ok_or_else(|| EngineError::Corrupt { page: id.0, what: "not a sequence" }.into())
    }

    /// Logs a state; returns the LSN of the record that has it.
    fn log_sequence(&mut self, id: SequenceId, state: SequenceState) -> Step<Lsn> {
        let page = self.exclusive(id.0)?;
        let bytes = sequence_page::encode(&state);
        if page.bytes()[usize::from(START)..][..bytes.len()] == bytes {
            return Ok(page.latch.as_ref().expect("a latched frame is resident").lsn());
        }
        let mut mini = MiniTransaction::begin(self.engine)?;
        let slot = mini.add(page);
        mini.write_difference(slot, usize::from(START), &bytes);
        Ok(mini.commit(&mut |_, _| {}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(params: SequenceParams, count: usize) -> Vec<Option<i64>> {
        let mut state = SequenceState { last_value: params.start, is_called: false, params };
        (0..count)
            .map(|_| {
                state = advance(state)?;
                Some(state.last_value)
            })
            .collect()
    }

    #[test]
    fn values_stop_at_the_bound_or_come_around() {
        let base = SequenceParams { start: 8, increment: 2, min: 1, max: 11, cycle: false };
        assert_eq!(values(base, 3), [Some(8), Some(10), None]);
        assert_eq!(values(SequenceParams { cycle: true, ..base }, 4), [8, 10, 1, 3].map(Some));
        let down = SequenceParams { start: -1, increment: -3, min: -5, max: -1, cycle: false };
        assert_eq!(values(down, 3), [Some(-1), Some(-4), None]);
        let edge = SequenceParams { start: i64::MAX, increment: 1, min: 1, max: i64::MAX, cycle: false };
        assert_eq!(values(edge, 2), [Some(i64::MAX), None]);
    }

    #[test]
    fn one_record_never_covers_a_turn_around() {
        let params = SequenceParams { start: 5, increment: 1, min: 1, max: 9, cycle: true };
        let state = SequenceState { last_value: 5, is_called: false, params };
        let (far, covered) = furthest(state).expect("values left");
        assert_eq!((far.last_value, covered), (9, 5));
        let (far, covered) = furthest(far).expect("comes around");
        assert_eq!((far.last_value, covered), (9, 9));
    }
}
