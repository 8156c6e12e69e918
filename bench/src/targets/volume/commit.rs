//! Committers: each appends a mini-transaction and waits until VDL covers it before it appends the next.

use super::opening::OpenVolume;
use super::pages::Pages;
use crate::options::Job;
use hexalog_protocol::Lsn;
use hexalog_protocol::mtr::Mtr;
use hexalog_volume::SharedClient;
use hexalog_volume_driver::Handle;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Encoded size of a record beside its operations, at most: four varints and a flag.
const RECORD_BYTES: usize = 48;
/// Pages that are not laid out after this long will not be.
const LAY_OUT_MAX: Duration = Duration::from_secs(60);

/// All committers of a run, by slot.
pub struct Committers {
    records_per_commit: usize,
    next_page: usize,
    /// Not yet appended: the log had no room, or nothing was submitted since.
    waiting: VecDeque<usize>,
    /// By LSN: the consistency point.
    outstanding: VecDeque<(Lsn, usize)>,
    mtr: Mtr,
}

impl Committers {
    /// Idle ones.
    pub fn new(job: &Job) -> Committers {
        Committers {
            records_per_commit: job.records_per_commit as usize,
            next_page: 0,
            waiting: VecDeque::new(),
            outstanding: VecDeque::new(),
            mtr: Mtr::new(),
        }
    }

    /// A committer wants to append.
    pub fn start(&mut self, slot: usize) {
        self.waiting.push_back(slot);
    }

    /// Takes what VDL covers.
    pub fn take_durable(&mut self, vdl: Lsn, done: &mut Vec<usize>) {
        while let Some((_, slot)) = self.outstanding.front().filter(|(lsn, _)| *lsn <= vdl) {
            done.push(*slot);
            self.outstanding.pop_front();
        }
    }

    /// Lets everyone append who waits for it, as long as the log has room.
    pub fn append(&mut self, pages: &mut Pages, handle: &Handle) {
        let mut last = None;
        while let Some(slot) = self.waiting.front().copied() {
            let (next, count) = (self.next_page, pages.count());
            let indexes = (0..self.records_per_commit).map(|step| (next + step) % count);
            let Some(lsn) = append(pages, &mut self.mtr, indexes, handle) else { break };
            self.waiting.pop_front();
            self.next_page = (next + self.records_per_commit) % count;
            self.outstanding.push_back((lsn, slot));
            last = Some(lsn);
        }
        // One wish for all that came together, as the sessions of a worker that wake in one batch.
        if let Some(lsn) = last {
            handle.want(lsn);
        }
    }

    /// Gives every page that was never written a record, and waits until all are durable.
    pub async fn lay_out(&mut self, pages: &mut Pages, volume: &mut OpenVolume) -> Result<(), String> {
        let end = Instant::now() + LAY_OUT_MAX;
        let (mut index, mut last) = (0, Lsn::ZERO);
        loop {
            while index < pages.count() {
                if pages.lsn(index) == Lsn::ZERO {
                    let page = std::iter::once(index);
                    let Some(lsn) = append(pages, &mut self.mtr, page, &volume.handle) else { break };
                    last = lsn;
                }
                index += 1;
            }
            volume.handle.want(last);
            if index == pages.count() && volume.handle.vdl() >= last {
                return Ok(());
            }
            if Instant::now() > end {
                return Err("the pages could not be laid out in time".to_owned());
            }
            volume.wait_until(end).await;
        }
    }
}

/// Appends one mini-transaction with a record for each of `indexes`; `None` while the log has no room.
fn append(
    pages: &mut Pages,
    mtr: &mut Mtr,
    indexes: impl Iterator<Item = usize> + Clone,
    handle: &Handle,
) -> Option<Lsn> {
    let records = indexes.clone().count();
    // Reserved before the model changes: a refused append has changed nothing.
    let bytes = records * (pages.operation_bytes_max() + RECORD_BYTES);
    let reserved = (u32::try_from(records).ok()?, u32::try_from(bytes).ok()?);
    handle.reserve(reserved.0, reserved.1).ok()?;
    mtr.clear();
    for index in indexes.clone() {
        mtr.begin_record(pages.id(index), pages.lsn(index));
        pages.write(index, |operation| mtr.push(operation));
    }
    let mut first = Lsn::ZERO;
    let last = handle.append(mtr, reserved, &mut |first_lsn, _| first = first_lsn);
    assert_eq!(last.since(first) + 1, records as u64, "a mini-transaction's LSNs are dense");
    for (index, step) in indexes.zip(0..) {
        pages.numbered(index, first.plus(step));
    }
    Some(last)
}
