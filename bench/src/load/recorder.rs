//! What was measured: latencies by kind and direction, and the same for each second.

use super::{DIRECTIONS, Direction};
use hdrhistogram::Histogram;
use std::sync::mpsc::SyncSender;

/// Histograms grow to whatever is recorded.
const RESIZES: &str = "a histogram that resizes takes all values";

/// Latencies and counts of one direction.
#[derive(Clone, Debug)]
pub struct Side {
    /// Operations.
    pub ios: u64,
    /// From its begin to its submission, in nanoseconds, where that is a step of its own.
    pub slat_ns: Histogram<u64>,
    /// From its submission to its completion.
    pub clat_ns: Histogram<u64>,
    /// From when it was meant to begin to its completion.
    pub lat_ns: Histogram<u64>,
}

impl Default for Side {
    fn default() -> Side {
        let histogram = || Histogram::new(3).expect("three digits are possible");
        Side { ios: 0, slat_ns: histogram(), clat_ns: histogram(), lat_ns: histogram() }
    }
}

impl Side {
    /// Takes in what another worker measured.
    pub fn add(&mut self, other: &Side) {
        self.ios += other.ios;
        for (own, other) in [
            (&mut self.slat_ns, &other.slat_ns),
            (&mut self.clat_ns, &other.clat_ns),
            (&mut self.lat_ns, &other.lat_ns),
        ] {
            own.add(other).expect(RESIZES);
        }
    }
}

/// One direction in one second. Two digits do for a line in a plot.
pub type SecondSide = Histogram<u64>;

/// What one worker did in one second; `lat_ns` by direction.
#[derive(Debug)]
pub struct SecondPart {
    /// Which job.
    pub job: usize,
    /// Since measuring began; a second begins with its number.
    pub second: usize,
    /// By direction.
    pub lat_ns: [SecondSide; 2],
}

/// An empty one.
pub fn second_side() -> SecondSide {
    Histogram::new(2).expect("two digits are possible")
}

/// The times of one operation.
#[derive(Clone, Copy, Debug, Default)]
pub struct OperationTimes {
    /// When it was meant to begin: the schedule's time under a rate.
    pub intended_ns: u64,
    /// When it was begun.
    pub issued_ns: u64,
    /// When it had been sent.
    pub submitted_ns: u64,
}

/// Where one worker writes down.
pub struct Recorder {
    job: usize,
    /// By direction.
    pub sides: [Side; 2],
    measure_ns: u64,
    seconds_max: usize,
    has_submission: bool,
    second: usize,
    lat_ns: [SecondSide; 2],
    parts: SyncSender<SecondPart>,
}

impl Recorder {
    /// Counts from `measure_ns` on, in `seconds_max` seconds, the last of which takes in what comes later.
    pub fn new(
        job: usize,
        measure_ns: u64,
        seconds_max: usize,
        has_submission: bool,
        parts: SyncSender<SecondPart>,
    ) -> Recorder {
        let lat_ns = DIRECTIONS.map(|_| second_side());
        let sides = DIRECTIONS.map(|_| Side::default());
        Recorder { job, sides, measure_ns, seconds_max, has_submission, second: 0, lat_ns, parts }
    }

    /// An operation is done. One that was begun before measuring did is left out.
    pub fn record(&mut self, direction: Direction, times: OperationTimes, now_ns: u64) {
        if times.issued_ns < self.measure_ns {
            return;
        }
        self.roll(now_ns);
        let side = &mut self.sides[direction as usize];
        side.ios += 1;
        let lat_ns = now_ns.saturating_sub(times.intended_ns);
        if self.has_submission {
            side.slat_ns.record(times.submitted_ns.saturating_sub(times.issued_ns)).expect(RESIZES);
        }
        side.clat_ns.record(now_ns.saturating_sub(times.submitted_ns)).expect(RESIZES);
        side.lat_ns.record(lat_ns).expect(RESIZES);
        self.lat_ns[direction as usize].record(lat_ns).expect(RESIZES);
    }

    /// Time has passed: seconds that are over are handed on.
    pub fn roll(&mut self, now_ns: u64) {
        let second = (now_ns.saturating_sub(self.measure_ns) / 1_000_000_000) as usize;
        let second = second.min(self.seconds_max.saturating_sub(1));
        if second > self.second {
            self.hand_on();
            self.second = second;
        }
    }

    /// Hands the last second on.
    pub fn finish(mut self) -> [Side; 2] {
        self.hand_on();
        self.sides
    }

    fn hand_on(&mut self) {
        let lat_ns = std::mem::replace(&mut self.lat_ns, DIRECTIONS.map(|_| second_side()));
        let part = SecondPart { job: self.job, second: self.second, lat_ns };
        // Nobody listens any more: then nobody wants it.
        let _ = self.parts.send(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;

    #[test]
    fn lat_counts_from_the_intended_time_and_seconds_add_up() {
        let (sender, parts) = sync_channel(16);
        let mut recorder = Recorder::new(3, 1_000, 2, true, sender);
        let times =
            |intended_ns, issued_ns| OperationTimes { intended_ns, issued_ns, submitted_ns: issued_ns + 10 };
        recorder.record(Direction::Write, times(900, 999), 5_000);
        assert_eq!(recorder.sides[1].ios, 0, "begun before measuring");
        recorder.record(Direction::Write, times(1_000, 2_000), 5_000);
        recorder.record(Direction::Read, times(2_000, 2_000), 1_500_001_000);
        recorder.record(Direction::Read, times(2_000, 2_000), 9_500_001_000);
        let sides = recorder.finish();
        assert_eq!(
            (sides[1].lat_ns.max(), sides[1].clat_ns.max(), sides[1].slat_ns.max()),
            (4_001, 2_991, 10)
        );
        let parts: Vec<_> =
            parts.iter().map(|part| (part.job, part.second, part.lat_ns.map(|h| h.len()))).collect();
        assert_eq!(parts, [(3, 0, [0, 1]), (3, 1, [2, 0])]);
    }
}
