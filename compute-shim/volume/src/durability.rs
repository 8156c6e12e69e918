//! Who has what: SCL of every member, PGCL of every group, VCL and VDL of the volume.

use crate::config::Slot;
use crate::log::Log;
use alloc::vec;
use alloc::vec::Vec;
use hexalog_protocol::quorum::QuorumModel;
use hexalog_protocol::{GroupId, Lsn};

/// Most members that a quorum model may have.
const MEMBERS_MAX: usize = 8;

struct GroupProgress {
    /// By slot; `None` until the member has reported under the current epoch.
    scls: Vec<Option<Lsn>>,
    pgcl: Lsn,
    /// The group's last record <= VDL.
    tail: Lsn,
}

/// Progress of all groups.
///
/// Invariants: PGCL and VDL never fall while the epoch lasts; VDL <= VCL; an SCL counts only if it was reported
/// under the current epoch.
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
                pgcl: *tail,
                tail: *tail,
            })
            .collect();
        Durability { quorum, groups, vcl: vdl, vdl }
    }

    /// A member reported its SCL under the current epoch. True if the group's PGCL moved.
    pub fn set_scl(&mut self, group: GroupId, slot: Slot, scl: Lsn) -> bool {
        let progress = &mut self.groups[group.0 as usize];
        let known = &mut progress.scls[slot.0];
        // On one connection an SCL only rises. Reports may overtake each other between a status answer and an acknowledgement.
        *known = Some(known.map_or(scl, |old| old.max(scl)));
        // On the stack: this runs for every acknowledgement.
        let mut scls = [Lsn::ZERO; MEMBERS_MAX];
        let mut count = 0;
        for scl in progress.scls.iter().flatten() {
            scls[count] = *scl;
            count += 1;
        }
        match self.quorum.reached(&mut scls[..count]) {
            Some(reached) if reached > progress.pgcl => {
                progress.pgcl = reached;
                true
            }
            _ => false,
        }
    }

    /// A member counts for nothing until it tells its SCL: it said that its state is lost (`Damaged`, needs hydration), or it
    /// came back.
    pub fn forget(&mut self, group: GroupId, slot: Slot) {
        self.groups[group.0 as usize].scls[slot.0] = None;
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
        self.vcl = self.vcl.max(vcl);
        if vdl == self.vdl {
            return false;
        }
        self.vdl = vdl;
        let groups = &mut self.groups;
        log.set_durable(vdl, |group, lsn| groups[group.0 as usize].tail = lsn);
        true
    }
}
