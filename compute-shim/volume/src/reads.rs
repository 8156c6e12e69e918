//! Page reads that are under way: which members were asked, when something must be done about one.
//!
//! In the normal path a read goes to one segment that is known complete. One that is overdue, refused or disconnected goes
//! to the next, as `client/reading.rs` decides; the first answer wins and later ones find nothing to answer, since their
//! request ids are forgotten with the read.

use crate::config::LinkIndex;
use crate::effects::Now;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use hexalog_protocol::{GroupId, Lsn, PageId};

/// Hedges are no more than this share of reads.
pub const HEDGE_PERCENT: u32 = 5;
/// What the bucket holds at most, in hedges: a short stall of one member under a deep queue (a guess).
const HEDGES_MAX: u32 = 16;
/// A hedge in the bucket's unit, of which each read adds [`HEDGE_PERCENT`].
const HEDGE: u32 = 100;
/// How long to wait before the members are tried again when none of them could answer.
const RETRY_US: u64 = 5_000;

/// One read.
#[derive(Debug)]
pub struct Read {
    /// The page.
    pub page: PageId,
    /// Its group.
    pub group: GroupId,
    /// The version wanted.
    pub read_point: Lsn,
    /// The group's last LSN <= read point.
    pub tail: Lsn,
    /// Links asked since the last round began.
    pub tried: Vec<LinkIndex>,
    /// Requests under way: id, link, when sent.
    requests: Vec<(u64, LinkIndex, u64)>,
    act_at_us: u64,
}

impl Read {
    /// The request that was sent last and is not answered: to whom, and how long ago.
    pub fn last_request(&self, now: Now) -> Option<(LinkIndex, u64)> {
        let (_, link, sent_us) = self.requests.last()?;
        Some((*link, now.monotonic_us.saturating_sub(*sent_us)))
    }
}

/// All reads under way.
#[derive(Debug, Default)]
pub struct Reads {
    reads: BTreeMap<u64, Read>,
    /// Request id → key in `reads`.
    requests: BTreeMap<u64, u64>,
    next_key: u64,
    /// How many reads are under way at a read point.
    read_points: BTreeMap<Lsn, u32>,
    /// Bucket that hedges are paid from.
    hedge_tokens: u32,
}

impl Reads {
    /// Registers a read; it is sent at the next [`Reads::due`].
    pub fn start(&mut self, page: PageId, group: GroupId, read_point: Lsn, tail: Lsn) -> u64 {
        let key = self.next_key;
        self.next_key += 1;
        self.hedge_tokens = (self.hedge_tokens + HEDGE_PERCENT).min(HEDGES_MAX * HEDGE);
        let read =
            Read { page, group, read_point, tail, tried: Vec::new(), requests: Vec::new(), act_at_us: 0 };
        self.reads.insert(key, read);
        *self.read_points.entry(read_point).or_default() += 1;
        key
    }

    /// Keys of reads for which something must be done now.
    pub fn due(&self, now: Now) -> Vec<u64> {
        let due = self.reads.iter().filter(|(_, read)| read.act_at_us <= now.monotonic_us);
        due.map(|(key, _)| *key).collect()
    }

    /// A read by its key.
    pub fn get(&self, key: u64) -> Option<&Read> {
        self.reads.get(&key)
    }

    /// Pays for one hedge; false if there is nothing to pay with.
    pub fn take_hedge(&mut self) -> bool {
        let paid = self.hedge_tokens.checked_sub(HEDGE);
        self.hedge_tokens = paid.unwrap_or(self.hedge_tokens);
        paid.is_some()
    }

    /// Nothing is to be done about the read before then.
    pub fn look_again(&mut self, key: u64, at_us: u64) {
        self.reads.get_mut(&key).expect("the caller has just looked at it").act_at_us = at_us;
    }

    /// The read was sent to `link`; from `overdue_at_us` on its answer is overdue.
    pub fn sent(&mut self, key: u64, request_id: u64, link: LinkIndex, overdue_at_us: u64, now: Now) {
        let read = self.reads.get_mut(&key).expect("the caller has just looked at it");
        read.tried.push(link);
        read.requests.push((request_id, link, now.monotonic_us));
        read.act_at_us = overdue_at_us;
        self.requests.insert(request_id, key);
    }

    /// No member could be asked: begin another round after a pause.
    pub fn wait_and_retry(&mut self, key: u64, now: Now) {
        let read = self.reads.get_mut(&key).expect("the caller has just looked at it");
        read.tried.clear();
        read.act_at_us = now.monotonic_us + RETRY_US;
    }

    /// An answer came. Returns the read; `None` if it was answered before.
    pub fn answered(&mut self, request_id: u64) -> Option<Read> {
        let key = self.requests.remove(&request_id)?;
        let read = self.reads.remove(&key)?;
        for (id, _, _) in &read.requests {
            self.requests.remove(id);
        }
        self.forget_read_point(read.read_point);
        Some(read)
    }

    /// A member refused: another is asked at once. False if the request is not a read under way.
    pub fn refused(&mut self, request_id: u64) -> bool {
        let Some(key) = self.requests.remove(&request_id) else { return false };
        if let Some(read) = self.reads.get_mut(&key) {
            read.requests.retain(|(id, _, _)| *id != request_id);
            read.act_at_us = 0;
        }
        true
    }

    /// A connection is gone: reads sent there go elsewhere.
    pub fn link_closed(&mut self, link: LinkIndex) {
        for read in self.reads.values_mut() {
            let before = read.requests.len();
            let requests = &mut self.requests;
            read.requests.retain(|(id, other, _)| {
                let stays = *other != link;
                if !stays {
                    requests.remove(id);
                }
                stays
            });
            if read.requests.len() < before {
                read.act_at_us = 0;
            }
        }
    }

    /// Drops all reads; returns what they asked for.
    pub fn take_all(&mut self) -> Vec<(PageId, Lsn)> {
        self.requests.clear();
        self.read_points.clear();
        core::mem::take(&mut self.reads).into_values().map(|read| (read.page, read.read_point)).collect()
    }

    /// The lowest read point under way.
    pub fn read_point_min(&self) -> Option<Lsn> {
        self.read_points.keys().next().copied()
    }

    /// When something must be done without any event.
    pub fn next_deadline_us(&self) -> Option<u64> {
        self.reads.values().map(|read| read.act_at_us).min()
    }

    fn forget_read_point(&mut self, read_point: Lsn) {
        let count = self.read_points.get_mut(&read_point).expect("every read is counted");
        *count -= 1;
        if *count == 0 {
            self.read_points.remove(&read_point);
        }
    }
}
