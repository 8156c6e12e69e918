//! Who has what: SCL of every member, PGCL of every group, VCL and VDL of the volume.

use crate::config::{Slot, VolumeConfig};
use crate::log::Log;
use alloc::vec;
use alloc::vec::Vec;
use hexalog_protocol::message::Membership;
use hexalog_protocol::quorum::QuorumModel;
use hexalog_protocol::{GroupId, Lsn};

/// Most members that a quorum model may have.
const MEMBERS_MAX: usize = 8;

struct GroupProgress {
    /// By slot; `None` until the member has reported under the current epoch.
    scls: Vec<Option<Lsn>>,
    /// Of each candidate the slot of the member that it is to replace.
    replaced: Vec<Slot>,
    /// What so many SCLs reach as are counted now, and not below the tail.
    pgcl: Lsn,
    /// The group's last record <= VDL.
    tail: Lsn,
}

impl GroupProgress {
    /// True if PGCL moved.
    fn count(&mut self, quorum: QuorumModel) -> bool {
        // On the stack: this runs for every acknowledgement.
        let members = usize::from(quorum.members);
        let mut of_slots = [None; MEMBERS_MAX];
        of_slots[..members].copy_from_slice(&self.scls[..members]);
        // Both sets are in force: a slot that changes has what both who may hold it have.
        for (replaced, scl) in self.replaced.iter().zip(&self.scls[members..]) {
            of_slots[replaced.0] = of_slots[replaced.0].min(*scl);
        }
        let mut scls = [Lsn::ZERO; MEMBERS_MAX];
        let mut count = 0;
        for scl in of_slots.iter().flatten() {
            scls[count] = *scl;
            count += 1;
        }
        let reached = quorum.reached(&mut scls[..count]).unwrap_or(Lsn::ZERO).max(self.tail);
        core::mem::replace(&mut self.pgcl, reached) != reached
    }
}

/// Progress of all groups.
///
/// Invariants: VDL never falls while the epoch lasts; VDL <= VCL; an SCL counts only if it was reported under the current
/// epoch, and only until its member says that it lost what it had. So PGCL and VCL beyond VDL do fall with a member: what is
/// not durable in the volume yet must not become so on the word of one that may no longer have it.
pub struct Durability {
    quorum: QuorumModel,
    groups: Vec<GroupProgress>,
    vcl: Lsn,
    vdl: Lsn,
}

impl Durability {
    /// Everything up to `vdl` is durable; `tails` are the groups' last records.
    pub fn new(quorum: QuorumModel, vdl: Lsn, tails: &[Lsn]) -> Durability {
        assert!(usize::from(quorum.members) <= MEMBERS_MAX);
        let groups = tails
            .iter()
            .map(|tail| GroupProgress {
                scls: vec![None; usize::from(quorum.members)],
                replaced: Vec::new(),
                pgcl: *tail,
                tail: *tail,
            })
            .collect();
        Durability { quorum, groups, vcl: vdl, vdl }
    }

    /// The same for a volume whose members nothing is known of.
    pub fn of(config: &VolumeConfig, vdl: Lsn, tails: &[Lsn]) -> Durability {
        let mut durability = Durability::new(config.quorum, vdl, tails);
        for (index, membership) in config.groups.iter().enumerate() {
            let scls = membership.everyone().map(|_| None).collect();
            durability.set_members(GroupId(index as u32), membership, scls);
        }
        durability
    }

    /// A group has these members and candidates now, of which `scls` is known by slot. What is not durable yet may be at fewer of
    /// the sets now in force than it was at those before.
    pub fn set_members(&mut self, group: GroupId, membership: &Membership, scls: Vec<Option<Lsn>>) {
        assert_eq!(scls.len(), membership.everyone().count());
        let progress = &mut self.groups[group.0 as usize];
        progress.scls = scls;
        progress.replaced =
            membership.candidates.iter().map(|candidate| Slot(usize::from(candidate.slot))).collect();
        if progress.count(self.quorum) {
            // Until the chain is walked again.
            self.vcl = self.vdl;
        }
    }

    /// A member reported its SCL under the current epoch. True if the group's PGCL moved.
    pub fn set_scl(&mut self, group: GroupId, slot: Slot, scl: Lsn) -> bool {
        let progress = &mut self.groups[group.0 as usize];
        let known = &mut progress.scls[slot.0];
        // On one connection an SCL only rises. Reports may overtake each other between a status answer and an acknowledgement.
        *known = Some(known.map_or(scl, |old| old.max(scl)));
        progress.count(self.quorum)
    }

    /// A member counts for nothing until it tells its SCL: it said that its state is lost (`Damaged`, needs hydration), or it
    /// came back.
    pub fn forget(&mut self, group: GroupId, slot: Slot) {
        let progress = &mut self.groups[group.0 as usize];
        progress.scls[slot.0] = None;
        if progress.count(self.quorum) {
            // Until the chain is walked again.
            self.vcl = self.vdl;
        }
    }

    /// What a member has reported.
    pub fn scl(&self, group: GroupId, slot: Slot) -> Option<Lsn> {
        self.groups[group.0 as usize].scls[slot.0]
    }

    /// PGCL of a group.
    pub fn pgcl(&self, group: GroupId) -> Lsn {
        self.groups[group.0 as usize].pgcl
    }

    /// The group's last record <= VDL.
    pub fn tail(&self, group: GroupId) -> Lsn {
        self.groups[group.0 as usize].tail
    }

    /// Volume durable LSN.
    pub fn vdl(&self) -> Lsn {
        self.vdl
    }

    /// Volume complete LSN.
    pub fn vcl(&self) -> Lsn {
        self.vcl
    }

    /// Walks on as far as the quorums allow. True if VDL moved.
    pub fn advance(&mut self, log: &mut Log) -> bool {
        let (vcl, vdl) = log.walk(|group| self.groups[group.0 as usize].pgcl);
        assert!(vdl <= vcl);
        assert!(vdl >= self.vdl, "VDL never falls within an epoch");
        self.vcl = vcl;
        if vdl == self.vdl {
            return false;
        }
        self.vdl = vdl;
        let groups = &mut self.groups;
        log.set_durable(vdl, |group, lsn| groups[group.0 as usize].tail = lsn);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Lal;
    use hexalog_protocol::PageId;
    use hexalog_protocol::geometry::Geometry;
    use hexalog_protocol::mtr::Mtr;
    use hexalog_protocol::record::Operation;

    const HERE: GroupId = GroupId(0);
    const THERE: GroupId = GroupId(1);

    fn append(log: &mut Log, group: GroupId) -> Lsn {
        let mut mtr = Mtr::new();
        mtr.begin_record(PageId(u64::from(group.0) * 16 + 1), Lsn::ZERO);
        mtr.push(&Operation::Format);
        log.append(&mut mtr, &mut |_, _| {})
    }

    /// Simulator, seed 7000190, thought through: a record was at four members, and VDL could not pass it since another group's
    /// record before it was at none. Then one of the four lost its log and said so. PGCL stayed, VDL went over the record once
    /// the other group had caught up, and a commit was acknowledged that three members had, while the fourth was taken for
    /// whole at the tail that the writer had told it before.
    #[test]
    fn what_a_member_that_lost_its_log_had_told_counts_for_nothing_any_more() {
        let tails = [Lsn(100), Lsn(100)];
        let geometry = Geometry { pages_per_group: 16, groups: 2 };
        let mut log = Log::new(geometry, Lal { records: 64, bytes: 1 << 20 }, Lsn(100), &tails);
        let mut durability = Durability::new(QuorumModel::FOUR_OF_SIX, Lsn(100), &tails);
        assert_eq!(append(&mut log, THERE), Lsn(101));
        assert_eq!(append(&mut log, HERE), Lsn(102));
        for slot in (0..4).map(Slot) {
            durability.set_scl(HERE, slot, Lsn(102));
        }
        assert!(!durability.advance(&mut log));
        assert_eq!(durability.pgcl(HERE), Lsn(102));
        durability.forget(HERE, Slot(3));
        assert_eq!((durability.pgcl(HERE), durability.tail(HERE)), (Lsn(100), Lsn(100)));
        for slot in (0..4).map(Slot) {
            durability.set_scl(THERE, slot, Lsn(101));
        }
        assert!(durability.advance(&mut log));
        assert_eq!((durability.vdl(), durability.vcl()), (Lsn(101), Lsn(101)));
        // It is whole again at what was durable then: that does not bring the record to a quorum.
        durability.set_scl(HERE, Slot(3), Lsn(100));
        assert!(!durability.advance(&mut log));
        durability.set_scl(HERE, Slot(4), Lsn(102));
        assert!(durability.advance(&mut log));
        assert_eq!(durability.vdl(), Lsn(102));
        // What is durable stays so, whoever is lost.
        durability.forget(HERE, Slot(4));
        durability.forget(HERE, Slot(0));
        assert_eq!((durability.pgcl(HERE), durability.vdl()), (Lsn(102), Lsn(102)));
    }
}
