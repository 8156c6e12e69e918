//! Committers: each appends a mini-transaction and waits until VDL covers it before it appends the next.

use super::STALL_MAX;
use super::opening::OpenVolume;
use super::pages::Pages;
use crate::options::Options;
use hexalog_protocol::Lsn;
use hexalog_protocol::mtr::Mtr;
use hexalog_volume::SharedClient;
use hexalog_volume_driver::Handle;
use std::collections::VecDeque;
use std::time::Instant;

/// Encoded size of a record beside its operations, at most: four varints and a flag.
const RECORD_BYTES: usize = 48;

/// All committers of a run.
pub struct Committers {
    pages: Pages,
    records_per_commit: usize,
    concurrency: usize,
    next_page: usize,
    /// By LSN: the consistency point and when the append began.
    outstanding: VecDeque<(Lsn, u64)>,
    mtr: Mtr,
}

impl Committers {
    /// Idle ones.
    pub fn new(options: &Options, pages: Pages) -> Committers {
        Committers {
            pages,
            records_per_commit: options.records_per_commit as usize,
            concurrency: options.concurrency(),
            next_page: 0,
            outstanding: VecDeque::new(),
            mtr: Mtr::new(),
        }
    }

    /// The pages they write to.
    pub fn pages(&self) -> &Pages {
        &self.pages
    }

    /// The pages, once nothing is under way.
    pub fn into_pages(self) -> Pages {
        assert!(self.outstanding.is_empty(), "what is not durable cannot be read");
        self.pages
    }

    /// Commits under way.
    pub fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    /// Takes what VDL covers; `on_done` gets the time at which each began.
    pub fn take_durable(&mut self, vdl: Lsn, mut on_done: impl FnMut(u64)) -> u64 {
        let mut done = 0;
        while let Some((_, began_ns)) = self.outstanding.front().filter(|(lsn, _)| *lsn <= vdl) {
            on_done(*began_ns);
            self.outstanding.pop_front();
            done += 1;
        }
        done
    }

    /// Lets every idle committer append, as long as the log has room.
    pub fn fill(&mut self, handle: &Handle, now_ns: u64) {
        let mut last = None;
        while self.outstanding.len() < self.concurrency {
            let (next, count) = (self.next_page, self.pages.count());
            let pages = (0..self.records_per_commit).map(|step| (next + step) % count);
            let Some(lsn) = append(&mut self.pages, &mut self.mtr, pages, handle) else { break };
            self.next_page = (next + self.records_per_commit) % count;
            self.outstanding.push_back((lsn, now_ns));
            last = Some(lsn);
        }
        // One wish for all that became idle together, as the sessions of a worker that wake in one batch.
        if let Some(lsn) = last {
            handle.want(lsn);
        }
    }

    /// Gives every page that was never written a record, and waits until all are durable.
    pub async fn lay_out(&mut self, volume: &mut OpenVolume) -> Result<(), String> {
        let end = Instant::now() + STALL_MAX * 6;
        let (mut index, mut last) = (0, Lsn::ZERO);
        loop {
            while index < self.pages.count() {
                if self.pages.lsn(index) == Lsn::ZERO {
                    let page = std::iter::once(index);
                    let Some(lsn) = append(&mut self.pages, &mut self.mtr, page, &volume.handle) else {
                        break;
                    };
                    last = lsn;
                }
                index += 1;
            }
            volume.handle.want(last);
            if index == self.pages.count() && volume.handle.vdl() >= last {
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
