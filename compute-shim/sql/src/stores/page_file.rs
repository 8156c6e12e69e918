//! Pages of a temporary store in a temporary file.
//!
//! Owns [`SpilledPages`]: which page lies where in the file, those that are being written, and those that are being read. A page
//! has one place in the file, for which no write begins while another is under way. A page that comes back unchanged is not written
//! again. The file is as large as the most pages that were ever in it, until the store is gone.

use crate::spill::{FileError, SpillBusy, SpillCall, SpillFile, SpillOutcome};
use hexalog_engine::page_file::{NotPut, PageFile, Taken};
use hexalog_engine::{IoWait, Need};
use hexalog_protocol::{Lsn, PAGE_SIZE, Page, PageId};
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// Pages that are on their way into the file at most: 256 KiB, twice. A guess at what keeps two threads busy.
const LEAVING_MAX: usize = 16;

/// See the module's documentation.
pub(super) struct SpilledPages {
    file: Box<dyn SpillFile>,
    first_page: PageId,
    state: Mutex<State>,
}

/// Where a page lies.
#[derive(Clone, Copy, Default)]
struct Place {
    /// In pages from the file's beginning; `None`: nowhere yet.
    at: Option<u32>,
    /// That of the image there; zero: none.
    lsn: Lsn,
}

#[derive(Default)]
struct State {
    /// By the page's number in its volume.
    places: Vec<Place>,
    /// Places given.
    count: u32,
    leaving: BTreeMap<PageId, Leaving>,
    reading: BTreeMap<PageId, SpillCall>,
    /// Memory of calls that have ended.
    spare: Vec<Vec<u8>>,
}

/// A page on its way into the file.
struct Leaving {
    /// `None`: it was taken back.
    image: Option<Page>,
    lsn: Lsn,
    /// `None`: it could not be written.
    call: Option<SpillCall>,
}

/// What a call has come to, if it has come to anything.
fn outcome(call: &mut SpillCall) -> Result<SpillOutcome, IoWait> {
    call.take().map_err(|need| match need {
        Need::Spill(wait) => wait,
        other => unreachable!("a file waits for itself, and not for {other:?}"),
    })
}

impl SpilledPages {
    /// None yet. `first_page`: of the volume that they are of.
    pub fn new(file: Box<dyn SpillFile>, first_page: PageId) -> SpilledPages {
        SpilledPages { file, first_page, state: Mutex::default() }
    }

    fn index(&self, page: PageId) -> usize {
        let index = page.0.checked_sub(self.first_page.0).expect("a page of its volume");
        usize::try_from(index).expect("a volume's pages are 32 bits of a number")
    }

    /// Begins to write a page to its place.
    fn write(&self, state: &mut State, image: &Page) -> Result<SpillCall, IoWait> {
        let index = self.index(image.id());
        if state.places.len() <= index {
            state.places.resize(index + 1, Place::default());
        }
        let at = state.places[index].at.unwrap_or(state.count);
        let mut bytes = state.spare.pop().unwrap_or_default();
        bytes.clear();
        bytes.extend_from_slice(image.bytes());
        match self.file.write(u64::from(at) * PAGE_SIZE as u64, bytes) {
            Ok(call) => {
                state.places[index] = Place { at: Some(at), lsn: Lsn::ZERO };
                state.count = state.count.max(at + 1);
                Ok(call)
            }
            Err(SpillBusy { buffer, wait }) => {
                state.spare.push(buffer);
                Err(wait)
            }
        }
    }

    /// Looks at writes that may have ended. What could not be written stays, to be tried again when the next page comes.
    fn settle(&self, state: &mut State) -> Result<(), FileError> {
        let mut leaving = std::mem::take(&mut state.leaving);
        let mut failed = None;
        leaving.retain(|page, it| {
            let Some(ended) = it.call.as_mut().and_then(|call| outcome(call).ok()) else { return true };
            it.call = None;
            match ended {
                Ok(buffer) => {
                    state.spare.push(buffer);
                    state.places[self.index(*page)].lsn = it.lsn;
                    false
                }
                Err(error) => {
                    failed = Some(error);
                    it.image.is_some()
                }
            }
        });
        state.leaving = leaving;
        state.spare.truncate(LEAVING_MAX);
        failed.map_or(Ok(()), Err)
    }

    /// Tries again to write what could not be written.
    fn write_again(&self, state: &mut State) -> Result<(), IoWait> {
        let mut leaving = std::mem::take(&mut state.leaving);
        let mut again = leaving.values_mut().filter(|it| it.call.is_none());
        let result = again.try_for_each(|it| {
            let image = it.image.as_ref().expect("kept until it is written");
            self.write(state, image).map(|call| it.call = Some(call))
        });
        state.leaving = leaving;
        result
    }

    fn try_put(&self, state: &mut State, image: &Page) -> Result<(), Result<IoWait, FileError>> {
        let page = image.id();
        // It may have been made anew since it was asked for.
        state.reading.remove(&page);
        self.settle(state).map_err(Err)?;
        let place = state.places.get(self.index(page)).copied().unwrap_or_default();
        if place.lsn == image.lsn() && !state.leaving.contains_key(&page) {
            return Ok(());
        }
        self.write_again(state).map_err(Ok)?;
        let before = match state.leaving.get(&page) {
            Some(it) => Some(it),
            None if state.leaving.len() >= LEAVING_MAX => state.leaving.values().next(),
            None => None,
        };
        if let Some(call) = before.and_then(|it| it.call.as_ref()) {
            return Err(Ok(call.wait()));
        }
        let call = self.write(state, image).map_err(Ok)?;
        state.leaving.insert(page, Leaving { image: None, lsn: image.lsn(), call: Some(call) });
        Ok(())
    }

    /// The page's bytes, once they are read.
    fn read(&self, state: &mut State, page: PageId, at: u32) -> Result<Vec<u8>, Result<IoWait, FileError>> {
        let mut call = match state.reading.remove(&page) {
            Some(call) => call,
            None => {
                let mut buffer = state.spare.pop().unwrap_or_default();
                buffer.resize(PAGE_SIZE, 0);
                let begun = self.file.read(u64::from(at) * PAGE_SIZE as u64, buffer);
                begun.map_err(|SpillBusy { wait, .. }| Ok(wait))?
            }
        };
        match outcome(&mut call) {
            Ok(ended) => ended.map_err(Err),
            Err(wait) => {
                state.reading.insert(page, call);
                Err(Ok(wait))
            }
        }
    }
}

impl PageFile for SpilledPages {
    fn put(&self, image: Page) -> Result<(), NotPut> {
        let mut state = self.state.lock();
        let page = image.id();
        match self.try_put(&mut state, &image) {
            Ok(()) => {
                if let Some(it) = state.leaving.get_mut(&page) {
                    it.image = Some(image);
                }
                Ok(())
            }
            Err(why) => Err(NotPut { image, why }),
        }
    }

    fn take(&self, page: PageId) -> Taken {
        let mut state = self.state.lock();
        let state = &mut *state;
        if let Some(it) = state.leaving.get_mut(&page)
            && let Some(image) = it.image.take()
        {
            if it.call.is_none() {
                state.leaving.remove(&page);
            }
            return Taken::Image(image);
        }
        let place = state.places.get(self.index(page)).copied().unwrap_or_default();
        let (Some(at), true) = (place.at, place.lsn > Lsn::ZERO) else { return Taken::NeverPut };
        let image = match self.read(state, page, at) {
            Ok(bytes) => {
                let image = Page::from_bytes(&bytes);
                state.spare.push(bytes);
                image.filter(|image| (image.id(), image.lsn()) == (page, place.lsn))
            }
            Err(Ok(wait)) => return Taken::Wait(wait),
            Err(Err(error)) => return Taken::Failed(error),
        };
        let damaged = || Taken::Failed(FileError::Failed("not what was written".to_owned()));
        image.map_or_else(damaged, Taken::Image)
    }
}
