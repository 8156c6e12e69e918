//! A client that several threads share: what they may call, what of it they read without its lock, and when the
//! driver's loop must take another turn for them.
//!
//! Owns those rules and no lock: how the client is locked, and what a turn is, is the business of whoever carries its
//! effects out, which is the tokio driver and the simulator. Not for whoever owns a client alone.

use crate::client::Client;
use crate::log::LogFull;
use core::ops::DerefMut;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use hexalog_protocol::message::{Membership, Room};
use hexalog_protocol::mtr::Mtr;
use hexalog_protocol::{GroupId, Lsn, PageId};

/// What the client's effects have told last, for those who must not take its lock to ask.
pub struct Told {
    vdl: AtomicU64,
    is_full: AtomicBool,
}

impl Told {
    /// Of a client that has begun to open and has told nothing yet.
    pub fn new(client: &Client) -> Told {
        Told { vdl: AtomicU64::new(client.vdl().0), is_full: AtomicBool::new(client.room() == Room::Full) }
    }

    /// Of [`crate::effects::Effect::VdlAdvanced`].
    pub fn set_vdl(&self, vdl: Lsn) {
        let before = self.vdl.swap(vdl.0, Ordering::AcqRel);
        assert!(before <= vdl.0, "VDL never falls within a run");
    }

    /// Of [`crate::effects::Effect::RoomChanged`].
    pub fn set_room(&self, room: Room) {
        self.is_full.store(room == Room::Full, Ordering::Release);
    }
}

/// A handle to a shared client. No call waits for more than the client's lock.
pub trait SharedClient {
    /// Holds the lock.
    type Locked<'a>: DerefMut<Target = Client>
    where
        Self: 'a;

    /// The client itself: for status and configuration. Hold the lock briefly.
    fn client(&self) -> Self::Locked<'_>;

    /// What the client has told.
    fn told(&self) -> &Told;

    /// Makes the driver take another turn, after what else is ready to run.
    fn kick(&self);

    /// Volume durable LSN. One atomic load.
    fn vdl(&self) -> Lsn {
        Lsn(self.told().vdl.load(Ordering::Acquire))
    }

    /// Whether storage is so full that only what frees space should be written. One atomic load.
    fn is_full(&self) -> bool {
        self.told().is_full.load(Ordering::Acquire)
    }

    /// See [`Client::reserve`].
    fn reserve(&self, records: u32, bytes: u32) -> Result<(), LogFull> {
        let reserved = self.client().reserve(records, bytes);
        if reserved.is_err() {
            // Half of the LAL is used: what fills it must go.
            self.kick();
        }
        reserved
    }

    /// See [`Client::unreserve`].
    fn unreserve(&self, records: u32, bytes: u32) {
        self.client().unreserve(records, bytes);
    }

    /// See [`Client::append`].
    fn append(&self, mtr: &mut Mtr, reserved: (u32, u32), publish: &mut dyn FnMut(Lsn, Lsn)) -> Lsn {
        self.client().append(mtr, reserved, publish)
    }

    /// Someone waits for `lsn`: it is sent in the driver's next turn.
    fn want(&self, lsn: Lsn) {
        if lsn > self.vdl() {
            self.client().want(lsn);
            self.kick();
        }
    }

    /// See [`Client::set_members`].
    fn set_members(&self, group: GroupId, membership: Membership) {
        self.client().set_members(group, membership);
        self.kick();
    }

    /// Asks for a page; [`crate::effects::Effect::Page`] is the answer.
    fn read(&self, page: PageId, read_point: Lsn) {
        self.client().read(page, read_point);
        self.kick();
    }
}
