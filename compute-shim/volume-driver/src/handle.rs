//! What sessions and the server hold of an open volume.

use crate::traffic::{Counters, Traffic};
use hexalog_volume::effects::Now;
use hexalog_volume::shared::Told;
use hexalog_volume::{Client, SharedClient};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// Where the volume stands, for those who wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Fencing, recovering.
    Opening,
    /// Reads are served; a writer may append.
    Open,
    /// Another writer has it. Final.
    Fenced,
    /// The driver was told to stop. Final.
    Closed,
}

pub(crate) struct Shared {
    client: Mutex<Client>,
    told: Told,
    /// Wakes the driver's task.
    waker: Mutex<Option<Waker>>,
    pub(crate) state: watch::Sender<State>,
    /// Monotonic time of the last contact with a recovery read quorum.
    pub(crate) contact_us: watch::Sender<u64>,
    pub(crate) traffic: Counters,
    started: Instant,
}

/// A volume, shared by all workers. Cheap to clone.
#[derive(Clone)]
pub struct Handle(pub(crate) Arc<Shared>);

impl SharedClient for Handle {
    type Locked<'a> = MutexGuard<'a, Client>;

    fn client(&self) -> MutexGuard<'_, Client> {
        // A panic under the lock is a broken invariant: nobody may go on with that state.
        self.0.client.lock().expect("no invariant of the volume client was broken")
    }

    fn told(&self) -> &Told {
        &self.0.told
    }

    fn kick(&self) {
        let waker = self.0.waker.lock().expect("the lock is held for one assignment").clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Handle {
    /// Wraps a client that has begun to open. Nothing happens until [`crate::drive`] runs.
    pub fn new(client: Client) -> Handle {
        Handle(Arc::new(Shared {
            told: Told::new(&client),
            client: Mutex::new(client),
            waker: Mutex::new(None),
            state: watch::Sender::new(State::Opening),
            contact_us: watch::Sender::new(0),
            traffic: Counters::default(),
            started: Instant::now(),
        }))
    }

    pub(crate) fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { monotonic_us: self.monotonic_us(), wall_us: wall.as_micros() as u64 }
    }

    fn monotonic_us(&self) -> u64 {
        self.0.started.elapsed().as_micros() as u64
    }

    pub(crate) fn register(&self, waker: &Waker) {
        let mut slot = self.0.waker.lock().expect("the lock is held for one assignment");
        match &mut *slot {
            Some(known) => known.clone_from(waker),
            None => *slot = Some(waker.clone()),
        }
    }

    /// What went over the sockets since the start.
    pub fn traffic(&self) -> Traffic {
        self.0.traffic.snapshot()
    }

    /// Where the volume stands.
    pub fn state(&self) -> State {
        *self.0.state.borrow()
    }

    /// Waits until the volume is open; returns what it is then: `Open`, or a final state.
    pub async fn opened(&self) -> State {
        let mut states = self.0.state.subscribe();
        let state = states.wait_for(|state| *state != State::Opening).await;
        state.map_or(State::Closed, |state| *state)
    }

    /// Waits until the volume is fenced or closed.
    pub async fn ended(&self) -> State {
        let mut states = self.0.state.subscribe();
        let state = states.wait_for(|state| matches!(state, State::Fenced | State::Closed)).await;
        state.map_or(State::Closed, |state| *state)
    }

    /// Whether a recovery read quorum of some group has stood by this writer's epoch within `stale_read_max`. Costs two
    /// loads and a look at the clock.
    pub fn is_fresh(&self, stale_read_max: Duration) -> bool {
        let silence_us = self.monotonic_us().saturating_sub(*self.0.contact_us.borrow());
        silence_us <= stale_read_max.as_micros() as u64
    }

    /// Waits until a recovery read quorum of some group is known to have stood by this writer's epoch no longer ago
    /// than `stale_read_max`: what was committed by another writer before then cannot be missed. Returns at once
    /// while writes flow. `Open` says that it is so; after any other state, which is final, nothing that was read may be told.
    pub async fn confirm_fresh(&self, stale_read_max: Duration) -> State {
        if self.is_fresh(stale_read_max) {
            return State::Open;
        }
        let limit = stale_read_max.as_micros() as u64;
        let mut contacts = self.0.contact_us.subscribe();
        let asked_us = self.monotonic_us();
        // Asked again every so often: members may have been away when they were asked first.
        loop {
            self.client().want_contact();
            self.kick();
            let contact = contacts.wait_for(|contact_us| contact_us + limit >= asked_us);
            let is_confirmed = tokio::time::timeout(stale_read_max, contact).await.is_ok();
            let state = self.state();
            if is_confirmed || state != State::Open {
                return state;
            }
        }
    }

    /// Ends the driver. Nothing is waited for: whoever wants a commit durable waits for VDL first.
    pub fn close(&self) {
        self.0.state.send_if_modified(|state| {
            let is_final = matches!(state, State::Fenced | State::Closed);
            if !is_final {
                *state = State::Closed;
            }
            !is_final
        });
        self.kick();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hexalog_protocol::geometry::Geometry;
    use hexalog_protocol::ids::WriterId;
    use hexalog_protocol::message::{Member, Membership};
    use hexalog_protocol::quorum::QuorumModel;
    use hexalog_protocol::{
        GeometryEpoch, Incarnation, MembershipEpoch, NodeId, SegmentId, VolumeEpoch, VolumeId,
    };
    use hexalog_volume::config::{Lal, VolumeConfig};
    use std::net::SocketAddr;

    /// A compute that had been paused for seconds asked storage whether it still was the writer, was told that it was not,
    /// and answered a read from its cache all the same: the wait was over, and the flag that stops sessions not yet set.
    #[tokio::test]
    async fn a_writer_that_is_fenced_while_it_asks_is_not_confirmed() {
        let members = (0..6).map(|slot| Member {
            segment: SegmentId(slot),
            node: NodeId(slot as u32),
            az: (slot / 2) as u8,
            address: SocketAddr::from(([127, 0, 0, 1], 7000 + slot as u16)),
        });
        let config = VolumeConfig {
            volume: VolumeId([1; 16]),
            geometry: Geometry { pages_per_group: 16, groups: 1 },
            geometry_epoch: GeometryEpoch(1),
            quorum: QuorumModel::FOUR_OF_SIX,
            groups: vec![Membership::of(MembershipEpoch(1), members.collect())],
            lal: Lal { records: 64, bytes: 1 << 20 },
        };
        let writer = WriterId { epoch: VolumeEpoch(1), incarnation: Incarnation(1) };
        let handle = Handle::new(Client::open(config, writer));
        handle.0.state.send_replace(State::Open);
        assert_eq!(handle.confirm_fresh(Duration::from_secs(3600)).await, State::Open);
        let asking = handle.clone();
        let asked = tokio::spawn(async move { asking.confirm_fresh(Duration::ZERO).await });
        tokio::task::yield_now().await;
        handle.0.state.send_replace(State::Fenced);
        assert_eq!(asked.await.expect("no panic"), State::Fenced);
    }
}
