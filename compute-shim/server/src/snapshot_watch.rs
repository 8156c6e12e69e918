//! Sessions whose snapshots hold purge back: warned of, and ended where an age is set.
//!
//! Owns how old a snapshot is: since the first look, one a second, at which its session held it. A snapshot below VDL keeps the undo of
//! all that has committed since, and the rows deleted since; one that equals VDL keeps nothing, and harms nobody however old
//! it is. A session between two statements of a READ COMMITTED transaction holds none.

use crate::control::{ServerControl, StopState};
use hexalog_engine::{Engine, HeldSnapshot};
use hexalog_protocol::Lsn;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two looks.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// From this age on the log says who holds purge back, again whenever it is twice as old.
const WARNED_FROM: Duration = Duration::from_secs(300);

/// What is known of the snapshots in use.
#[derive(Default)]
struct SnapshotWatch {
    since: HashMap<HeldSnapshot, Instant>,
    /// The session warned of last, and the age at which it is warned of again.
    warned: Option<(i32, Duration)>,
}

/// What a look has found.
#[derive(PartialEq, Eq, Debug, Default)]
struct Found {
    /// The oldest that holds purge back, if it is time to say so.
    warned: Option<(HeldSnapshot, Duration)>,
    /// Sessions that have held purge back for too long.
    ended: Vec<i32>,
}

impl SnapshotWatch {
    fn look(&mut self, now: Instant, held: &[HeldSnapshot], vdl: Lsn, age_max: Option<Duration>) -> Found {
        self.since.retain(|snapshot, _| held.contains(snapshot));
        let mut found = Found::default();
        let mut oldest: Option<(HeldSnapshot, Duration)> = None;
        for snapshot in held {
            let age = now - *self.since.entry(*snapshot).or_insert(now);
            if snapshot.lsn >= vdl {
                continue;
            }
            if age_max.is_some_and(|age_max| age >= age_max) {
                found.ended.push(snapshot.process_id);
            }
            if oldest.is_none_or(|(oldest, _)| snapshot.lsn < oldest.lsn) {
                oldest = Some((*snapshot, age));
            }
        }
        let due = |process_id: i32| match self.warned {
            Some((warned, again)) if warned == process_id => again,
            _ => WARNED_FROM,
        };
        found.warned = oldest.filter(|(snapshot, age)| *age >= due(snapshot.process_id));
        if let Some((snapshot, age)) = found.warned {
            self.warned = Some((snapshot.process_id, age * 2));
        }
        found
    }
}

/// Looks until the server ends.
pub(crate) async fn run(engine: Arc<Engine>, control: Arc<ServerControl>, age_max: Option<Duration>) {
    let mut watch = SnapshotWatch::default();
    let mut held = Vec::new();
    while control.stop_state() == StopState::Running {
        tokio::time::sleep(LOOK_INTERVAL).await;
        held.clear();
        engine.held_snapshots(&mut held);
        let found = watch.look(Instant::now(), &held, engine.volume().vdl(), age_max);
        for process_id in found.ended {
            eprintln!(
                "hexalog compute: ending session {process_id}: it has held its snapshot for longer than --old-snapshot-threshold"
            );
            control.terminate_for_old_snapshot(process_id);
        }
        if let Some((HeldSnapshot { process_id, lsn }, age)) = found.warned {
            eprintln!(
                "hexalog compute: session {process_id} has held its snapshot at LSN {lsn} for {} s, and purge waits for it: {} \
                 undo pages are in use. pg_terminate_backend({process_id}) ends it; --old-snapshot-threshold ends such sessions.",
                age.as_secs(),
                engine.stats().undo_pages,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(process_id: i32, lsn: u64) -> HeldSnapshot {
        HeldSnapshot { process_id, lsn: Lsn(lsn) }
    }

    #[test]
    fn who_holds_purge_back_is_warned_of_and_ended() {
        let mut watch = SnapshotWatch::default();
        let (begin, second) = (Instant::now(), Duration::from_secs(1));
        let mut look = |after: u32, held: &[HeldSnapshot], vdl: u64, age_max: Option<u32>| {
            watch.look(begin + second * after, held, Lsn(vdl), age_max.map(|seconds| second * seconds))
        };
        let nothing = Found::default();
        assert_eq!(look(0, &[held(1, 10), held(2, 20)], 10, Some(60)), nothing);
        assert_eq!(look(90, &[held(1, 10)], 10, Some(60)), nothing, "nothing was written since");
        assert_eq!(look(91, &[held(1, 10), held(2, 30)], 40, Some(60)).ended, [1]);
        assert_eq!(
            look(92, &[held(1, 30), held(2, 30)], 40, Some(60)),
            nothing,
            "a newer one of the same session"
        );
        assert_eq!(look(151, &[held(1, 30), held(2, 30)], 40, Some(60)).ended, [2]);
        assert_eq!(
            look(391, &[held(2, 30), held(3, 35)], 40, None).warned,
            Some((held(2, 30), second * 300))
        );
        assert_eq!(look(392, &[held(2, 30)], 40, None), nothing, "said once");
        assert_eq!(look(691, &[held(2, 30)], 40, None).warned, Some((held(2, 30), second * 600)));
        assert_eq!(look(692, &[held(3, 35)], 40, None), nothing);
    }
}
