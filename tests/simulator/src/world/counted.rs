//! Checker: a writer counts what members have told it, and nothing that they took back.
//!
//! What reaches a writer is looked at as it arrives: a member's last word on its SCL counts until it says that its state is lost,
//! or comes back and has not said yet what it has. Of these words four must reach what the writer calls durable in the group, its
//! PGCL, unless that is at or below VDL, which stays whoever is lost. VDL rests on PGCL alone.
//!
//! Of a member that says unasked that the state of a segment is lost the writer knows no SCL from that moment on.
//!
//! The client forgets more readily than this; what is told to a writer that does not write yet counts here, too.

use super::World;
use hexalog_protocol::frame::Frame;
use hexalog_protocol::message::{Membership, Message, RefusalReason, SegmentState, Status, WriteAck};
use hexalog_protocol::quorum::QuorumModel;
use hexalog_protocol::{GroupId, Lsn};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Kind of a refusal.
const REFUSAL: u16 = 3;
/// Kind of an acknowledgement.
const WRITE_ACK: u16 = 7;
/// Kind of a member's word on its segments.
const STATUS: u16 = 19;
/// One acknowledgement out of so many is followed by a look; what takes back a word, always.
const ACKNOWLEDGEMENTS: u64 = 8;

/// Words that have reached writers.
#[derive(Default)]
pub(super) struct Counted {
    /// Of each writer's run: member and group.
    words: BTreeMap<u64, BTreeMap<(GroupId, usize), Lsn>>,
    /// Shards whose connection has stood since it brought a status.
    greeted: BTreeSet<(u64, usize)>,
    acknowledgements: u64,
}

impl Counted {
    /// A connection to this member stands.
    pub fn connected(&mut self, run: u64, shard: usize) {
        self.greeted.remove(&(run, shard));
    }

    /// A member may be right about what it has: how far it is.
    fn word(&mut self, run: u64, shard: usize, group: GroupId, scl: Lsn) {
        let word = self.words.entry(run).or_default().entry((group, shard)).or_default();
        *word = scl.max(*word);
    }

    fn take_back(&mut self, run: u64, shard: usize, group: GroupId) {
        self.words.entry(run).or_default().remove(&(group, shard));
    }

    fn status_came(&mut self, run: u64, shard: usize, status: &Status) {
        if self.greeted.insert((run, shard)) {
            self.words.entry(run).or_default().retain(|(_, of), _| *of != shard);
        }
        for segment in &status.segments {
            match segment.state {
                SegmentState::Damaged | SegmentState::NeedsHydration => {
                    self.take_back(run, shard, segment.group);
                }
                SegmentState::Open | SegmentState::Opening => {
                    self.word(run, shard, segment.group, segment.scl)
                }
            }
        }
    }

    fn acknowledgement_came(&mut self, run: u64, shard: usize, ack: &WriteAck) {
        ack.scls.iter().for_each(|(group, scl)| self.word(run, shard, *group, *scl));
    }

    /// What a write quorum of every set in force has told of a group, whose members and candidates are on these shards.
    fn reached(&self, run: u64, group: GroupId, membership: &Membership, shards: &[usize]) -> Lsn {
        let Some(words) = self.words.get(&run) else { return Lsn::ZERO };
        let word = |place: usize| words.get(&(group, shards[place])).copied();
        let mut scls: Vec<Lsn> = (0..shards.len()).filter_map(word).collect();
        scls.sort_unstable_by_key(|scl| Reverse(*scl));
        let is_reached = |scl: &Lsn| {
            let count = membership.count_in_every_set(|place| word(place) >= Some(*scl));
            count >= usize::from(QuorumModel::FOUR_OF_SIX.write)
        };
        scls.into_iter().find(is_reached).unwrap_or(Lsn::ZERO)
    }
}

/// What is looked at when a writer has been told something.
pub(super) struct Look {
    /// A member that has just said that its state is lost.
    lost: Option<(GroupId, usize)>,
}

impl World {
    /// A writer is about to be handed this. What to look at afterwards, if what it counts is worth a look.
    pub(super) fn note_word(&mut self, run: u64, shard: usize, frame: &Frame<'_>) -> Option<Look> {
        if !matches!(frame.kind, REFUSAL | WRITE_ACK | STATUS) {
            return None;
        }
        let mut look = Look { lost: None };
        let counted = &mut self.counted;
        match Message::decode(frame).expect("shards send valid messages") {
            Message::Status(status) => counted.status_came(run, shard, &status),
            Message::WriteAck(ack) => {
                counted.acknowledgement_came(run, shard, &ack);
                counted.acknowledgements += 1;
                return counted.acknowledgements.is_multiple_of(ACKNOWLEDGEMENTS).then_some(look);
            }
            // Told unasked: the state of a segment is lost.
            Message::Refusal(refusal) => {
                if frame.request_id != 0 || refusal.reason != RefusalReason::Damaged {
                    return None;
                }
                counted.take_back(run, shard, refusal.group);
                look.lost = Some((refusal.group, shard));
            }
            _ => unreachable!("no other kind was looked for"),
        }
        Some(look)
    }

    /// What a writer calls durable rests on words that stand.
    pub(super) fn check_what_counts(&self, run: u64, look: &Look) {
        let Some(index) = self.writer_index(run) else { return };
        if !self.writers[index].is_open {
            return;
        }
        let groups = self.writers[index].client().status();
        let memberships = self.writers[index].client().config().groups.clone();
        let shards: Vec<Vec<usize>> = memberships.iter().map(|members| self.everyone_of(members)).collect();
        if let Some((group, shard)) = look.lost
            // One that has been replaced may still tell.
            && let Some(slot) = shards[group.0 as usize].iter().position(|other| *other == shard)
        {
            let counted = groups[group.0 as usize].scls[slot];
            assert_eq!(counted, None, "writer {run} knows that member {slot} of {group:?} is lost");
        }
        for group in groups {
            let at = group.group.0 as usize;
            let reached =
                self.counted.reached(run, group.group, &memberships[at], &shards[at]).max(group.tail);
            assert!(
                group.pgcl <= reached,
                "writer {run} counts {:?} durable up to {}, and its members' words reach {reached}: {:?}",
                group.group,
                group.pgcl,
                group.scls
            );
        }
    }
}
