//! What several threads share of a client: what is answered without its lock, and what has the driver take a turn.

use super::opener::Opener;
use hexalog_protocol::message::Room;
use hexalog_protocol::mtr::Mtr;
use hexalog_protocol::record::Operation;
use hexalog_protocol::{Lsn, PageId};
use hexalog_volume::Client;
use hexalog_volume::shared::{SharedClient, Told};
use std::cell::{Cell, RefCell, RefMut};

struct Shared {
    client: RefCell<Client>,
    told: Told,
    kicks: Cell<u32>,
}

impl SharedClient for Shared {
    type Locked<'a> = RefMut<'a, Client>;

    fn client(&self) -> RefMut<'_, Client> {
        self.client.borrow_mut()
    }

    fn told(&self) -> &Told {
        &self.told
    }

    fn kick(&self) {
        self.kicks.set(self.kicks.get() + 1);
    }
}

fn shared() -> Shared {
    let client = Opener::opened().client;
    let told = Told::new(&client);
    Shared { client: RefCell::new(client), told, kicks: Cell::new(0) }
}

fn append(shared: &Shared) -> Lsn {
    let mut mtr = Mtr::new();
    mtr.begin_record(PageId(1), Lsn::ZERO);
    mtr.push(&Operation::Format);
    shared.reserve(1, 100).expect("below the LAL");
    shared.append(&mut mtr, (1, 100), &mut |_, _| {})
}

#[test]
fn what_was_told_is_read_without_the_lock() {
    let shared = shared();
    let locked = shared.client();
    assert_eq!((shared.vdl(), shared.is_full()), (locked.vdl(), false));
    shared.told().set_vdl(locked.vdl().plus(5));
    shared.told().set_room(Room::Full);
    assert_eq!((shared.vdl(), shared.is_full()), (locked.vdl().plus(5), true));
    shared.told().set_room(Room::Short);
    assert!(!shared.is_full());
}

#[test]
fn the_driver_takes_a_turn_for_what_waits_and_for_nothing_else() {
    let shared = shared();
    let lsn = append(&shared);
    shared.want(shared.vdl());
    assert_eq!(shared.kicks.get(), 0, "durable already");
    shared.want(lsn);
    assert_eq!(shared.kicks.get(), 1);
    shared.read(PageId(1), shared.vdl());
    assert_eq!(shared.kicks.get(), 2);
    // The LAL is 16 records, and 4 is the most that one mini-transaction has.
    let taken = (0..4).filter(|_| shared.reserve(4, 100).is_ok()).count();
    assert_eq!((taken, shared.kicks.get()), (3, 3), "the one that is refused has what fills the log sent");
    shared.unreserve(4, 100);
    assert!(shared.reserve(4, 100).is_ok());
}
