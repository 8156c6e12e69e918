//! Who waits for what that is not a lock: pages, VDL, log space, frames, space in the volume.
//!
//! Owns the wakers of those waits; lock and stream waits are queues of their own in [`crate::locks`]. A waker
//! may be woken without its need being met: the waiter polls again. Lost wake-ups are excluded by registering
//! first and looking again after.

use crate::cache::Cache;
use crate::call::Call;
use crate::engine::Engine;
use crate::error::Need;
use hexalog_protocol::{Lsn, PageId};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

#[derive(Default)]
struct Wakers {
    pages: BTreeMap<PageId, Vec<Waker>>,
    durable: BTreeMap<Lsn, Vec<Waker>>,
    log_space: Vec<Waker>,
    frames: Vec<Waker>,
    space: Vec<Waker>,
}

/// The wakers of all waits that are no locks.
#[derive(Default)]
pub(crate) struct Waiting {
    wakers: Mutex<Wakers>,
    frames_wanted: AtomicBool,
}

fn register(wakers: &mut Vec<Waker>, waker: &Waker) {
    if !wakers.iter().any(|known| known.will_wake(waker)) {
        wakers.push(waker.clone());
    }
}

impl Waiting {
    pub fn frames_wanted(&self) -> bool {
        self.frames_wanted.load(Ordering::Acquire)
    }

    /// Whoever may give back a frame from now on says so.
    pub fn want_frames(&self) {
        self.frames_wanted.store(true, Ordering::Release);
    }

    fn wake(&self, take: impl FnOnce(&mut Wakers) -> Vec<Waker>) {
        let woken = take(&mut self.wakers.lock());
        woken.iter().for_each(Waker::wake_by_ref);
    }

    pub fn wake_page(&self, page: PageId) {
        self.wake(|wakers| wakers.pages.remove(&page).unwrap_or_default());
    }

    pub fn wake_durable(&self, vdl: Lsn) {
        self.wake(|wakers| {
            let later = wakers.durable.split_off(&vdl.plus(1));
            std::mem::replace(&mut wakers.durable, later).into_values().flatten().collect()
        });
    }

    pub fn wake_log_space(&self) {
        self.wake(|wakers| std::mem::take(&mut wakers.log_space));
    }

    /// A frame may be had. The flag falls before progress is noted: who found no frame, and set it before that, sees the
    /// progress when it comes to wait; the flag of one who came later stands.
    pub fn wake_frames(&self, cache: &Cache) {
        self.wake(|wakers| {
            self.frames_wanted.store(false, Ordering::Release);
            cache.note_progress();
            std::mem::take(&mut wakers.frames)
        });
    }

    /// Background work has freed pages, or has come to where it frees none.
    pub fn wake_space(&self) {
        self.wake(|wakers| std::mem::take(&mut wakers.space));
    }

    /// The engine is fenced: everyone finds out.
    pub fn wake_all(&self) {
        self.wake(|wakers| {
            let Wakers { pages, durable, log_space, frames, space } = std::mem::take(wakers);
            pages
                .into_values()
                .chain(durable.into_values())
                .flatten()
                .chain(log_space)
                .chain(frames)
                .chain(space)
                .collect()
        });
    }
}

impl Engine {
    /// True if the need is met; otherwise the waker is kept, and woken when it may be. Waiting for
    /// durability, log space or a frame also seals the boxcars that it depends on.
    pub fn poll_need(&self, need: &Need, waker: &Waker) -> bool {
        let _call = Call::enter();
        // Disks of this machine know nothing of fences.
        if let Need::Spill(wait) = need {
            return wait.poll(waker);
        }
        if self.is_fenced() {
            return true;
        }
        match *need {
            Need::Page { page, .. } => self.poll_page(page, waker),
            Need::Lock(ticket) | Need::Stream(ticket) => self.locks.poll(ticket, waker),
            Need::Durable(lsn) => self.poll_durable(lsn, waker),
            Need::LogSpace { records, bytes } => {
                let free = || self.volume.reserve(records, bytes).is_ok();
                if free() {
                    return true;
                }
                register(&mut self.waiting.wakers.lock().log_space, waker);
                self.volume.seal_through(self.appended());
                free()
            }
            Need::Frame { progress } => {
                register(&mut self.waiting.wakers.lock().frames, waker);
                self.waiting.want_frames();
                self.volume.seal_through(self.appended());
                self.cache.progress() != progress
            }
            Need::Grow { freed } => {
                register(&mut self.waiting.wakers.lock().space, waker);
                self.allocator.freed() != freed || !self.has_pages_to_give()
            }
            Need::Yield => true,
            Need::Spill(_) => unreachable!("polled above"),
            Need::SafeSnapshot { ends } => self.serializable.poll(ends, waker),
        }
    }

    fn poll_page(&self, page: PageId, waker: &Waker) -> bool {
        if self.cache.is_settled(page) {
            return true;
        }
        register(self.waiting.wakers.lock().pages.entry(page).or_default(), waker);
        self.cache.is_settled(page)
    }

    fn poll_durable(&self, lsn: Lsn, waker: &Waker) -> bool {
        if self.volume.vdl() >= lsn {
            return true;
        }
        register(self.waiting.wakers.lock().durable.entry(lsn).or_default(), waker);
        self.volume.seal_through(lsn);
        self.volume.vdl() >= lsn
    }

    /// A statement gave up waiting (cancel, timeout, disconnect): leaves its queue, drops the pins it kept.
    pub fn cancel_need(&self, need: &Need) {
        let _call = Call::enter();
        match *need {
            Need::Page { ticket, .. } => self.drop_parked(ticket),
            Need::Lock(ticket) | Need::Stream(ticket) => self.locks.cancel(ticket),
            _ => {}
        }
    }
}
