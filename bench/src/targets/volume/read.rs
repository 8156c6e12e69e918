//! Readers: each asks for a random page of its own share and waits for it before it asks for the next.

use super::listener::Answer;
use super::pages::Pages;
use crate::options::Options;
use hexalog_protocol::PageId;
use hexalog_volume::SharedClient;
use hexalog_volume_driver::Handle;
use std::collections::HashMap;

/// All readers of a run.
pub struct Readers {
    pages: Pages,
    concurrency: usize,
    idle: Vec<usize>,
    /// Page → its index and when it was asked for. Shares are disjoint: no page is asked for twice at a time.
    under_way: HashMap<PageId, (usize, u64)>,
    random: u64,
}

impl Readers {
    /// Idle ones.
    pub fn new(options: &Options, pages: Pages) -> Readers {
        let concurrency = options.concurrency();
        assert!(concurrency <= pages.count(), "checked with the options");
        Readers {
            pages,
            concurrency,
            idle: (0..concurrency).collect(),
            under_way: HashMap::new(),
            // Any odd number: the same pages in every run.
            random: 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// The pages they read.
    pub fn pages(&self) -> &Pages {
        &self.pages
    }

    /// Reads under way.
    pub fn outstanding(&self) -> usize {
        self.under_way.len()
    }

    /// Takes answers and checks them; `on_done` gets the time at which each was asked for.
    pub fn take_answers(
        &mut self,
        answers: Vec<Answer>,
        mut on_done: impl FnMut(u64),
    ) -> Result<u64, String> {
        let done = answers.len() as u64;
        for (page, image) in answers {
            let (index, began_ns) =
                self.under_way.remove(&page).ok_or_else(|| format!("page {page} was not asked for"))?;
            self.pages.check(index, &image)?;
            on_done(began_ns);
            self.idle.push(index % self.concurrency);
        }
        Ok(done)
    }

    /// Lets every idle reader ask.
    pub fn fill(&mut self, handle: &Handle, now_ns: u64) {
        let read_point = handle.vdl();
        while let Some(reader) = self.idle.pop() {
            let share = (self.pages.count() - reader).div_ceil(self.concurrency);
            let index = reader + self.concurrency * (self.next_random() as usize % share);
            let page = self.pages.id(index);
            handle.read(page, read_point);
            self.under_way.insert(page, (index, now_ns));
        }
    }

    /// xorshift64: cheap, and good enough to choose pages.
    fn next_random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random >> 16
    }
}
