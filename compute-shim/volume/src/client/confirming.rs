//! The client asks members that have answered the bump whether they are still there; the rules are in [`crate::promises`].

use super::recovery::Opening;
use super::{Client, Phase, Request};
use crate::config::{LinkIndex, Slot, VolumeConfig};
use crate::effects::{Effects, Now};
use crate::opening::is_undamaged;
use crate::promises::{Moment, Promises};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use hexalog_protocol::GroupId;
use hexalog_protocol::message::{Bumped, Message, SegmentState, Status, StatusQuery};

/// Which answers are rested on, and which wait for that.
pub(super) struct Words {
    pub promises: Promises,
    /// Answers that came when there was a fence, or were not confirmed when it was found.
    pub unconfirmed: BTreeMap<(GroupId, Slot), Bumped>,
    pub fenced_since_us: Option<u64>,
}

impl Words {
    pub fn new(config: &VolumeConfig) -> Words {
        Words { promises: Promises::new(config), unconfirmed: BTreeMap::new(), fenced_since_us: None }
    }
}

impl Opening {
    /// Whether enough have answered, and nothing is known yet of a moment at which all of these had promised.
    pub(super) fn lacks_only_the_fence(&self, config: &VolumeConfig) -> bool {
        !self.words.promises.are_fenced() && self.answers.suffice(config)
    }

    /// Notes that a member has promised. True if its answer counts only when it says that it is still there.
    pub(super) fn must_wait(&mut self, link: LinkIndex, slot: Slot, group: GroupId) -> bool {
        self.words.promises.promised(group, slot);
        self.words.promises.are_fenced() && !self.words.promises.is_trusted(link, group)
    }

    /// Nothing is known any more of who is behind a link.
    pub(super) fn forget_who_was_there(&mut self, link: LinkIndex, served: &[(GroupId, Slot)]) {
        self.words.promises.closed(link, served.iter().copied());
        self.words.unconfirmed.retain(|member, _| !served.contains(member));
    }
}

impl Client {
    /// Keeps an answer until its member says that it is still there. Not a second one of a member that is being repaired: what
    /// it is told meanwhile is not in it.
    pub(super) fn put_aside(&mut self, slot: Slot, answer: Bumped) {
        let Phase::Opening(opening) = &mut self.phase else { return };
        let counted = opening.answers.get(answer.group, slot);
        if !counted.is_some_and(is_undamaged) {
            opening.words.unconfirmed.insert((answer.group, slot), answer);
        }
    }

    /// Asks each link whose word is wanted, and which has not been asked yet.
    pub(super) fn ask_who_is_there(&mut self, effects: &mut Effects) {
        let Phase::Opening(opening) = &self.phase else { return };
        let is_due = opening.words.promises.are_fenced() || opening.lacks_only_the_fence(&self.config);
        if !is_due || opening.is_installing() {
            return;
        }
        let asked = opening.words.promises.now();
        let is_asked = |link: &LinkIndex| {
            let of_link = |(other, request): &(LinkIndex, Request)| {
                other == link && matches!(request, Request::Confirm { .. })
            };
            self.requests.values().any(of_link)
        };
        let wanted = self.routes.links().filter(|link| {
            let members = self.routes.groups_of_link[link.0].iter().copied();
            opening.words.promises.wants_word(*link, members)
        });
        let due: Vec<LinkIndex> =
            wanted.filter(|link| self.links[link.0].is_up() && !is_asked(link)).collect();
        for link in due {
            let query = StatusQuery { volume: self.config.volume };
            self.send(link, Request::Confirm { asked }, &Message::StatusQuery(query), effects);
        }
    }

    /// Whether there was a moment at which a quorum of every group had promised. When it is found, what others have answered is
    /// put aside until they say that they were there too.
    pub(super) fn find_fences(&mut self) -> bool {
        let Phase::Opening(opening) = &mut self.phase else { return false };
        if opening.words.promises.are_fenced() {
            return true;
        }
        let links_of_group = &self.routes.links_of_group;
        if !opening.words.promises.find_fences(&self.config, &opening.answers, links_of_group) {
            return false;
        }
        for (group, links) in links_of_group.iter().enumerate() {
            let group = GroupId(group as u32);
            for (slot, link) in links.iter().enumerate() {
                if !opening.words.promises.is_trusted(*link, group)
                    && let Some(answer) = opening.answers.take(group, Slot(slot))
                {
                    opening.words.unconfirmed.insert((group, Slot(slot)), answer);
                }
            }
        }
        true
    }

    /// A link's shard is the process still that answered the bump.
    pub(super) fn confirmed(
        &mut self,
        link: LinkIndex,
        asked: Moment,
        status: &Status,
        now: Now,
        effects: &mut Effects,
    ) {
        let volume = self.config.volume;
        let mut lost = Vec::new();
        for segment in status.segments.iter().filter(|segment| segment.volume == volume) {
            if self.check_fenced(segment.writer, effects) {
                return;
            }
            let Some(slot) = self.routes.slot(link, segment.group) else { continue };
            let Phase::Opening(opening) = &self.phase else { return };
            if segment.writer.epoch < self.writer.epoch
                && opening.words.promises.has_promised(segment.group, slot)
            {
                // It says itself that it has forgotten.
                return self.start_over(link, now, effects);
            }
            if matches!(segment.state, SegmentState::Damaged | SegmentState::NeedsHydration) {
                lost.push((segment.group, slot));
            }
        }
        let Phase::Opening(opening) = &mut self.phase else { return };
        opening.words.promises.was_there(link, asked);
        let served = &self.routes.groups_of_link[link.0];
        let trusted = served.iter().filter(|(group, _)| opening.words.promises.is_trusted(link, *group));
        let counting: Vec<(Slot, Bumped)> = trusted
            .filter_map(|(group, slot)| Some((*slot, opening.words.unconfirmed.remove(&(*group, *slot))?)))
            .collect();
        counting.into_iter().for_each(|(slot, answer)| self.take_answer(slot, answer));
        lost.into_iter().for_each(|(group, slot)| self.opening_member_lost(group, slot));
    }
}
