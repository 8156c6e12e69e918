//! A sequence: one page.
//!
//! | bytes | field |
//! |---|---|
//! | 96 | kind 6 |
//! | 97 | 1: cycles |
//! | 98 | 1: the logged value has been handed out |
//! | 99..104 | zero |
//! | 104..112 | logged value: no value beyond it (in the direction of the step) was handed out |
//! | 112..120 | start |
//! | 120..128 | increment |
//! | 128..136 | lowest value |
//! | 136..144 | highest value |

use super::{Bytes, KIND, KIND_SEQUENCE, get_u64};
use crate::types::{SequenceParams, SequenceState};

/// Where `cycle`, `is_called` and the logged value begin.
pub(crate) const START: u16 = 96;

pub(crate) fn encode(state: &SequenceState) -> [u8; 48] {
    let mut out = [0; 48];
    out[0] = KIND_SEQUENCE;
    out[1] = u8::from(state.params.cycle);
    out[2] = u8::from(state.is_called);
    out[8..16].copy_from_slice(&state.last_value.to_le_bytes());
    out[16..24].copy_from_slice(&state.params.start.to_le_bytes());
    out[24..32].copy_from_slice(&state.params.increment.to_le_bytes());
    out[32..40].copy_from_slice(&state.params.min.to_le_bytes());
    out[40..48].copy_from_slice(&state.params.max.to_le_bytes());
    out
}

/// `None` if the page is no sequence.
pub(crate) fn decode(bytes: &Bytes) -> Option<SequenceState> {
    let number = |at| get_u64(bytes, at) as i64;
    (bytes[KIND] == KIND_SEQUENCE).then(|| SequenceState {
        last_value: number(104),
        is_called: bytes[98] != 0,
        params: SequenceParams {
            start: number(112),
            increment: number(120),
            min: number(128),
            max: number(136),
            cycle: bytes[97] != 0,
        },
    })
}
