//! How fast one member answers reads: what it usually takes, and what it owes right now.
//!
//! The usual time is smoothed as TCP smooths round trips (RFC 6298): a mean and a mean deviation; an answer that takes
//! longer than the mean and four deviations is overdue. What has been asked and not answered counts as well, since a member
//! that stands still gives no new samples: its age is a lower bound of what the next read will take.

use crate::effects::Now;
use alloc::collections::BTreeMap;

/// Weight of the newest sample in the mean: one eighth, and in the deviation: one quarter (RFC 6298).
const MEAN_SHIFT: u32 = 3;
const DEVIATION_SHIFT: u32 = 2;
const DEVIATIONS: u64 = 4;
/// Nothing is overdue before: below the timers of a driver, and of schedulers, there is only noise.
pub const OVERDUE_US_MIN: u64 = 1_000;
/// What is overdue of a member that has answered nothing yet: long, since nothing is known (a guess).
pub const OVERDUE_US_UNKNOWN: u64 = 50_000;
/// Requests that are remembered for their age. Beyond these (a member that stands still under thousands of reads) the
/// oldest tell enough.
const UNANSWERED_MAX: usize = 1_024;

/// One member's.
#[derive(Clone, Debug, Default)]
pub struct ReadLatency {
    /// Mean and deviation; `None` before the first answer.
    usual_us: Option<(u64, u64)>,
    /// Request id → when it was sent. Ids rise: the first is the oldest.
    unanswered: BTreeMap<u64, u64>,
}

impl ReadLatency {
    /// A read was sent.
    pub fn sent(&mut self, request_id: u64, now: Now) {
        if self.unanswered.len() < UNANSWERED_MAX {
            self.unanswered.insert(request_id, now.monotonic_us);
        }
    }

    /// An answer came, be it too late for its read.
    pub fn answered(&mut self, request_id: u64, now: Now) {
        let Some(sent_us) = self.unanswered.remove(&request_id) else { return };
        let sample = now.monotonic_us.saturating_sub(sent_us);
        self.usual_us = Some(match self.usual_us {
            None => (sample, sample / 2),
            Some((mean, deviation)) => {
                let error = sample.abs_diff(mean);
                let deviation = deviation - (deviation >> DEVIATION_SHIFT) + (error >> DEVIATION_SHIFT);
                (mean - (mean >> MEAN_SHIFT) + (sample >> MEAN_SHIFT), deviation)
            }
        });
    }

    /// A refusal came, or what came was no answer: it says nothing of how long an answer takes.
    pub fn refused(&mut self, request_id: u64) {
        self.unanswered.remove(&request_id);
    }

    /// The connection is gone, and with it what was asked.
    pub fn closed(&mut self) {
        self.unanswered.clear();
    }

    /// What a read that is sent now may be expected to take; 0 for a member that was never asked, so that it is.
    pub fn expected_us(&self, now: Now) -> u64 {
        self.usual_us().max(self.oldest_us(now))
    }

    /// What a read takes on average; 0 before the first answer.
    pub fn usual_us(&self) -> u64 {
        self.usual_us.map_or(0, |(mean, _)| mean)
    }

    /// An answer that takes longer than this is overdue.
    pub fn overdue_us(&self) -> u64 {
        self.usual_us
            .map_or(OVERDUE_US_UNKNOWN, |(mean, deviation)| OVERDUE_US_MIN.max(mean + DEVIATIONS * deviation))
    }

    /// Whether the member owes an answer that is overdue: it is slow right now.
    pub fn is_slow(&self, now: Now) -> bool {
        self.oldest_us(now) > self.overdue_us()
    }

    fn oldest_us(&self, now: Now) -> u64 {
        self.unanswered.values().next().map_or(0, |sent_us| now.monotonic_us.saturating_sub(*sent_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(monotonic_us: u64) -> Now {
        Now { monotonic_us, wall_us: 0 }
    }

    #[test]
    fn the_mean_follows_answers_and_what_is_owed_counts_at_once() {
        let mut latency = ReadLatency::default();
        assert_eq!((latency.expected_us(at(5)), latency.is_slow(at(5))), (0, false));
        for id in 0..100 {
            latency.sent(id, at(id * 10_000));
            latency.answered(id, at(id * 10_000 + 800));
        }
        assert!((700..=800).contains(&latency.expected_us(at(1_000_000))), "{latency:?}");
        assert_eq!(latency.overdue_us(), OVERDUE_US_MIN);
        latency.sent(100, at(2_000_000));
        latency.sent(101, at(2_000_500));
        assert!(!latency.is_slow(at(2_000_900)));
        assert!(latency.is_slow(at(2_020_000)));
        assert_eq!(latency.expected_us(at(2_020_000)), 20_000);
        // The late answer is a sample, and then the next oldest counts.
        latency.answered(100, at(2_030_000));
        assert_eq!(latency.expected_us(at(2_030_000)), 29_500);
        latency.refused(101);
        assert!((4_000..=5_000).contains(&latency.expected_us(at(2_040_000))), "{latency:?}");
        assert!(latency.overdue_us() > 20_000, "one outlier widens what is usual: {latency:?}");
        // It owes nothing to a connection that is gone.
        latency.sent(102, at(2_050_000));
        latency.closed();
        assert!(!latency.is_slow(at(9_000_000)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut latency = ReadLatency::default();
        (0..5_000).for_each(|id| latency.sent(id, at(id)));
        assert_eq!(latency.unanswered.len(), UNANSWERED_MAX);
        assert_eq!(latency.expected_us(at(10_000)), 10_000, "the oldest stay");
    }
}
