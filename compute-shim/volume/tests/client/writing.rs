//! Writing, from the append to the VDL, and what is asked of members meanwhile.

use super::opener::{OPENER, Opener, VOLUME};
use hexalog_protocol::message::{Message, Room, WriteAck};
use hexalog_protocol::mtr::Mtr;
use hexalog_protocol::record::Operation;
use hexalog_protocol::{GroupId, Lsn, PageId};

impl Opener {
    pub fn append(&mut self, pages: &[u64]) -> Lsn {
        let mut mtr = Mtr::new();
        for page in pages {
            mtr.begin_record(PageId(*page), Lsn::ZERO);
            mtr.push(&Operation::Format);
        }
        let reserved = (pages.len() as u32, 100);
        self.client.reserve(reserved.0, reserved.1).expect("below the LAL");
        self.client.append(&mut mtr, reserved, &mut |_, _| {})
    }

    /// Takes out what was sent of batches on a link: the frames' requests, and the last LSNs.
    pub fn batches(&mut self, link: usize) -> (Vec<u64>, Vec<Lsn>) {
        let frames = std::mem::take(&mut self.frames[link]).into_iter();
        let (requests, lasts): (Vec<u64>, Vec<Vec<Lsn>>) = frames.filter(|(_, it)| !it.is_empty()).unzip();
        (requests, lasts.concat())
    }

    pub fn acknowledge(&mut self, link: usize, request: u64, scl: Lsn) {
        let scls = vec![(GroupId(0), scl)];
        let (epoch, vdl_heard) = (OPENER.epoch, Lsn(10));
        let ack = WriteAck { volume: VOLUME, epoch, vdl_heard, room: Room::Ample, scls };
        self.answer(link, request, &Message::WriteAck(ack));
    }
}

/// What no one waits for gathers; what someone waits for goes to all six with all before it, and is durable with the fourth
/// acknowledgement.
#[test]
fn a_commit_is_sent_when_it_is_waited_for_and_durable_at_four_of_six() {
    let mut opener = Opener::opened();
    let before = opener.client.vdl();
    let first = opener.append(&[1, 2]);
    let second = opener.append(&[3]);
    let third = opener.append(&[4]);
    assert_eq!((first, second, third), (before.plus(2), before.plus(3), before.plus(4)));
    opener.flush();
    opener.client.want(before);
    opener.client.want(third.plus(1));
    opener.flush();
    assert!(
        (0..6).all(|link| opener.batches(link).1.is_empty()),
        "durable, or not yet appended: nobody waits"
    );
    opener.client.want(second);
    opener.flush();
    let requests: Vec<u64> = (0..6)
        .map(|link| {
            let (requests, lasts) = opener.batches(link);
            assert_eq!(lasts, [third], "one boxcar of the group, link {link}");
            requests[0]
        })
        .collect();
    for (link, durable) in [(5, before), (1, before), (3, before), (0, third), (2, third)] {
        opener.acknowledge(link, requests[link], third);
        assert_eq!(opener.client.vdl(), durable, "with member {link}");
    }
    assert_eq!(opener.client.status()[0].tail, third);
}

/// A member that has the first record of a mini-transaction at a quorum makes nothing durable.
#[test]
fn half_a_mini_transaction_is_not_durable() {
    let mut opener = Opener::opened();
    let before = opener.client.vdl();
    let cpl = opener.append(&[1, 2]);
    opener.client.want(cpl);
    opener.flush();
    for link in 0..6 {
        let (requests, _) = opener.batches(link);
        opener.acknowledge(link, requests[0], before.plus(1));
    }
    assert_eq!((opener.client.vcl(), opener.client.vdl()), (before.plus(1), before));
}

/// One question at a time to each member that can be written to, however often someone wants to know.
#[test]
fn members_are_asked_for_contact_once_at_a_time() {
    const STATUS_QUERY: u16 = 18;
    let mut opener = Opener::opened();
    opener.disconnect(5);
    let asked = |opener: &mut Opener| {
        opener.client.want_contact();
        opener.flush();
        let queries =
            |link: usize| opener.sent[link].iter().filter(|(kind, _)| *kind == STATUS_QUERY).count();
        [0, 1, 2, 3, 4, 5].map(queries)
    };
    assert_eq!(asked(&mut opener), [1, 1, 1, 1, 1, 0]);
    assert_eq!(asked(&mut opener), [1, 1, 1, 1, 1, 0], "they are still asked");
    opener.flush();
    assert_eq!(opener.sent[0].iter().filter(|(kind, _)| *kind == STATUS_QUERY).count(), 1);
}
