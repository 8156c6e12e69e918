//! What the volume's pages hold: the model that records are built from and that pages are compared with.
//!
//! Each write fills one place of its page, in turn, with one byte that counts the writes.

use super::opening::OpenVolume;
use crate::options::Job;
use hexalog_protocol::geometry::Geometry;
use hexalog_protocol::record::Operation;
use hexalog_protocol::{GroupId, Lsn, PAGE_BODY_START, PAGE_SIZE, Page, PageId};
use hexalog_volume::SharedClient;
use hexalog_volume::effects::ReadFailure;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Reads under way while pages are loaded or verified.
const READS_AT_ONCE: usize = 64;
/// A page that takes longer will not come.
const READ_MAX: Duration = Duration::from_secs(30);

/// All pages of a run.
pub struct Pages {
    geometry: Geometry,
    content: Vec<u8>,
    states: Vec<PageState>,
}

#[derive(Clone, Copy, Default)]
struct PageState {
    /// Of the newest record; zero: never written.
    lsn: Lsn,
    /// Writes by this run.
    writes: u64,
}

impl Pages {
    fn new(job: &Job, geometry: Geometry) -> Pages {
        let states = vec![PageState::default(); job.units() as usize];
        Pages { geometry, content: vec![0; job.bs() as usize], states }
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.states.len()
    }

    /// Where page `index` stands: pages go round the groups.
    pub fn id(&self, index: usize) -> PageId {
        let groups = u64::from(self.geometry.groups);
        let first = self.geometry.first_page(GroupId((index as u64 % groups) as u32));
        PageId(first.0 + index as u64 / groups)
    }

    /// LSN of the newest record; zero: never written.
    pub fn lsn(&self, index: usize) -> Lsn {
        self.states[index].lsn
    }

    /// Encoded operations of one record, at most: Format, then a Write with its two varints.
    pub fn operation_bytes_max(&self) -> usize {
        self.content.len() + 16
    }

    /// Hands the operations of the page's next record to `push`.
    pub fn write(&mut self, index: usize, mut push: impl FnMut(&Operation<'_>)) {
        let state = &mut self.states[index];
        if state.lsn == Lsn::ZERO {
            push(&Operation::Format);
        }
        state.writes += 1;
        self.content.fill(state.writes as u8);
        push(&Operation::Write { offset: place(state.writes, self.content.len()), bytes: &self.content });
    }

    /// The record just written got this LSN.
    pub fn numbered(&mut self, index: usize, lsn: Lsn) {
        assert!(lsn > self.states[index].lsn, "LSNs rise");
        self.states[index].lsn = lsn;
    }

    /// What is wrong with page `index` as it is said to have been at `read_point`, if anything is.
    pub fn check(
        &self,
        index: usize,
        read_point: Lsn,
        image: &Result<Page, ReadFailure>,
    ) -> Result<(), String> {
        let (state, id) = (self.states[index], self.id(index));
        // Records behind the read point are not in it; without any, the newest one must be.
        let is_settled = state.lsn <= read_point;
        match image {
            Err(ReadFailure::NeverWritten) if state.lsn == Lsn::ZERO => Ok(()),
            Err(failure) => Err(format!("page {id} is {failure:?}; its newest record is {}", state.lsn)),
            Ok(page) if page.lsn() > read_point.min(state.lsn) || (is_settled && page.lsn() != state.lsn) => {
                Err(format!("page {id} is at {}; its newest record is {}", page.lsn(), state.lsn))
            }
            Ok(page) if page.lsn() == state.lsn && state.writes > 0 => {
                let start = usize::from(place(state.writes, self.content.len()));
                let found = &page.bytes()[start..start + self.content.len()];
                if found.iter().all(|byte| *byte == state.writes as u8) {
                    return Ok(());
                }
                Err(format!("page {id} at {} does not hold what was written last", state.lsn))
            }
            Ok(_) => Ok(()),
        }
    }
}

/// The byte offset that a page's write with this number goes to.
fn place(writes: u64, bytes: usize) -> u16 {
    let places = ((PAGE_SIZE - PAGE_BODY_START) / bytes) as u64;
    (PAGE_BODY_START + (writes % places) as usize * bytes) as u16
}

/// Learns what stands in the pages: records of an earlier run, whose LSNs the next records must name.
pub async fn load(job: &Job, volume: &mut OpenVolume) -> Result<Pages, String> {
    let geometry = volume.handle.client().config().geometry;
    let mut pages = Pages::new(job, geometry);
    let ids: Vec<PageId> = (0..pages.count()).map(|index| pages.id(index)).collect();
    read_all(&ids, volume, |index, image| {
        match image {
            Ok(page) => pages.states[index].lsn = page.lsn(),
            Err(ReadFailure::NeverWritten) => {}
            Err(failure) => return Err(format!("page {} is {failure:?}", ids[index])),
        }
        Ok(())
    })
    .await?;
    Ok(pages)
}

/// Reads every page at VDL and compares it with the model; returns how many.
pub async fn verify(pages: &Pages, volume: &mut OpenVolume) -> Result<u64, String> {
    let ids: Vec<PageId> = (0..pages.count()).map(|index| pages.id(index)).collect();
    let read_point = volume.handle.vdl();
    read_all(&ids, volume, |index, image| pages.check(index, read_point, &image)).await?;
    Ok(ids.len() as u64)
}

async fn read_all(
    ids: &[PageId],
    volume: &mut OpenVolume,
    mut take: impl FnMut(usize, Result<Page, ReadFailure>) -> Result<(), String>,
) -> Result<(), String> {
    let read_point = volume.handle.vdl();
    let mut under_way: HashMap<PageId, usize> = HashMap::new();
    let mut next = 0;
    let mut deadline = Instant::now() + READ_MAX;
    while next < ids.len() || !under_way.is_empty() {
        while next < ids.len() && under_way.len() < READS_AT_ONCE {
            volume.handle.read(ids[next], read_point);
            under_way.insert(ids[next], next);
            next += 1;
        }
        volume.wait_until(deadline).await;
        if Instant::now() > deadline {
            return Err(format!("{} pages were not answered within {READ_MAX:?}", under_way.len()));
        }
        for (page, _, image) in volume.listener.take_pages() {
            let index = under_way.remove(&page).ok_or_else(|| format!("{page} was not asked for"))?;
            take(index, image)?;
            deadline = Instant::now() + READ_MAX;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_go_round_the_groups_and_places_stay_in_the_page() {
        let mut job = Job::default();
        for (name, value) in [("target", "volume"), ("size", "80k"), ("bs", "8000")] {
            crate::options::table::set(&mut job, name, value).expect("known");
        }
        let geometry = Geometry { pages_per_group: 4, groups: 3 };
        let pages = Pages::new(&job, geometry);
        let ids: Vec<u64> = (0..10).map(|index| pages.id(index).0).collect();
        assert_eq!(ids, [0, 4, 8, 1, 5, 9, 2, 6, 10, 3]);
        for bytes in [1, 256, 4048, 8000] {
            for writes in 0..100 {
                let start = usize::from(place(writes, bytes));
                assert!(start >= PAGE_BODY_START && start + bytes <= PAGE_SIZE, "{bytes} {writes}");
            }
        }
    }
}
