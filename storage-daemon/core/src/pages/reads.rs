//! Page reads that need the device: who may ask for one, and whose turn it is.
//!
//! A device works on so many at a time and no more, since one that comes behind them waits for all of them, whoever asked. The others
//! wait here, those of each volume in their order, and the volumes take turns: a volume that asks for many pages waits for its
//! own. What a read needs is looked up when its turn has come; until then page versions move on.

use crate::effects::ConnectionId;
use crate::shares::{ByVolume, SHARE, is_fair};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use hexalog_protocol::VolumeId;
use hexalog_protocol::message::ReadPage;

/// Queues that nobody is in, kept for who comes next.
const SPARE_QUEUES_MAX: usize = 16;

/// A read that waits for its turn.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub connection: ConnectionId,
    pub request_id: u64,
    pub read: ReadPage,
}

/// What becomes of a read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Admitted {
    /// The device takes it now.
    AtOnce,
    /// It has been queued.
    Later,
    /// There are too many, or too many of its volume.
    No,
}

/// Page reads under way.
///
/// Invariant: none waits while the device could take one more.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    at_device: usize,
    at_device_max: usize,
    waiting: usize,
    /// At the device or waiting.
    by_volume: ByVolume,
    /// Volumes with reads that wait; the first one's turn is next.
    queues: VecDeque<(VolumeId, VecDeque<Waiting>)>,
    spare: Vec<VecDeque<Waiting>>,
}

impl Reads {
    pub fn new(at_device_max: usize) -> Reads {
        assert!(at_device_max > 0, "a read's turn comes when one ends");
        Reads { at_device_max, ..Reads::default() }
    }

    /// Reads that wait for their turn.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Reads that wait for their turn or for the device.
    pub fn count(&self) -> usize {
        self.at_device + self.waiting
    }

    /// A read that needs the device came; with it there are `most` at most.
    pub fn admit(&mut self, read: Waiting, most: usize) -> Admitted {
        let volume = read.read.volume;
        let held = self.by_volume.get(volume);
        let Some(left) = most.checked_sub(self.count() + 1) else { return Admitted::No };
        if !is_fair(held, held + 1, left as u64, SHARE) {
            return Admitted::No;
        }
        self.by_volume.add(volume, 1);
        if self.at_device < self.at_device_max {
            self.at_device += 1;
            return Admitted::AtOnce;
        }
        self.queue(volume).push_back(read);
        self.waiting += 1;
        Admitted::Later
    }

    fn queue(&mut self, volume: VolumeId) -> &mut VecDeque<Waiting> {
        let at = self.queues.iter().position(|(of, _)| *of == volume).unwrap_or_else(|| {
            self.queues.push_back((volume, self.spare.pop().unwrap_or_default()));
            self.queues.len() - 1
        });
        &mut self.queues[at].1
    }

    /// A read of this volume needs the device no more.
    pub fn ended(&mut self, volume: VolumeId) {
        assert!(self.at_device > 0, "it was there");
        self.at_device -= 1;
        self.by_volume.remove(volume, 1);
    }

    /// The read whose turn has come, if the device can take one: it counts as there.
    pub fn next(&mut self) -> Option<Waiting> {
        if self.at_device >= self.at_device_max {
            return None;
        }
        let (volume, mut queue) = self.queues.pop_front()?;
        let next = queue.pop_front().expect("a volume without reads has no queue");
        if !queue.is_empty() {
            self.queues.push_back((volume, queue));
        } else if self.spare.len() < SPARE_QUEUES_MAX {
            self.spare.push(queue);
        }
        self.waiting -= 1;
        self.at_device += 1;
        Some(next)
    }

    pub fn invariants(&self) {
        assert!(self.at_device <= self.at_device_max);
        assert!(self.waiting == 0 || self.at_device == self.at_device_max, "none waits for nothing");
    }

    pub fn invariants_full(&self) {
        self.invariants();
        assert_eq!(self.queues.iter().map(|(_, queue)| queue.len()).sum::<usize>(), self.waiting);
        assert!(self.queues.iter().all(|(_, queue)| !queue.is_empty()));
        assert_eq!(self.by_volume.sum(), self.count() as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hexalog_protocol::ids::WriterId;
    use hexalog_protocol::{GeometryEpoch, GroupId, Lsn, MembershipEpoch, PageId};

    fn volume(name: u8) -> VolumeId {
        VolumeId([name; 16])
    }

    fn waiting(name: u8, request_id: u64) -> Waiting {
        let read = ReadPage {
            volume: volume(name),
            group: GroupId(0),
            page: PageId(0),
            read_point: Lsn::ZERO,
            group_tail: Lsn::ZERO,
            writer: WriterId::default(),
            membership_epoch: MembershipEpoch(0),
            geometry_epoch: GeometryEpoch(0),
        };
        Waiting { connection: ConnectionId(u64::from(name)), request_id, read }
    }

    #[test]
    fn volumes_take_turns_and_each_keeps_its_order() {
        let mut reads = Reads::new(2);
        let come = [(1, 1), (1, 2), (1, 3), (1, 4), (2, 5), (1, 6), (3, 7), (2, 8)];
        let admitted = come.map(|(name, request_id)| reads.admit(waiting(name, request_id), 64));
        assert_eq!(admitted[..3], [Admitted::AtOnce, Admitted::AtOnce, Admitted::Later]);
        assert!(reads.next().is_none(), "the device has two");
        let mut at_device = VecDeque::from([1, 1]);
        let mut order = Vec::new();
        while let Some(ended) = at_device.pop_front() {
            reads.ended(volume(ended));
            if let Some(next) = reads.next() {
                at_device.push_back(next.read.volume.0[0]);
                order.push(next.request_id);
            }
            reads.invariants_full();
        }
        assert_eq!(order, [3, 5, 7, 4, 8, 6]);
        assert_eq!((reads.count(), reads.by_volume.sum()), (0, 0));
    }

    #[test]
    fn a_volume_that_wants_all_leaves_some() {
        let mut reads = Reads::new(8);
        let taken = (0..200).filter(|id| reads.admit(waiting(1, *id), 100) != Admitted::No).count();
        assert_eq!(taken, 80);
        let taken = (0..200).filter(|id| reads.admit(waiting(2, *id), 100) != Admitted::No).count();
        assert_eq!(taken, 16, "four times what is left then");
        assert_eq!(reads.admit(waiting(3, 0), 100), Admitted::Later);
        reads.invariants_full();
        assert_eq!(reads.admit(waiting(3, 1), 97), Admitted::No, "there is an end");
    }
}
