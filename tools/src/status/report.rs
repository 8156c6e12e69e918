//! What follows from the answers: positions of each group, lag of each member, what is wrong.

use super::collect::Collected;
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::{SegmentState, SegmentStatus};
use hexalog_protocol::quorum::QuorumModel;
use hexalog_protocol::{GroupId, Lsn, NodeId};

/// The volume as its storage sees it.
pub struct Report {
    /// Highest VDL that any segment has heard; compute may be a notice ahead.
    pub vdl: Lsn,
    /// Latest writer that any segment knows.
    pub writer: WriterId,
    /// Each group.
    pub groups: Vec<GroupReport>,
    /// What is wrong, in sentences.
    pub problems: Vec<String>,
}

/// One group.
pub struct GroupReport {
    /// The group.
    pub group: GroupId,
    /// Highest LSN that a write quorum has in its SCL; `None` without a quorum of answers.
    pub pgcl: Option<Lsn>,
    /// Highest SCL of any member.
    pub scl_max: Lsn,
    /// Members that take writes of the latest writer, or will once it writes.
    pub members_up: usize,
    /// Each member, in slot order.
    pub members: Vec<MemberReport>,
}

/// One member of a group.
pub struct MemberReport {
    /// Its daemon.
    pub node: NodeId,
    /// What its shard says of it; `None`: the shard does not answer, or has no such segment.
    pub segment: Option<SegmentStatus>,
    /// How many LSNs it is behind the group's furthest member.
    pub lag: Option<u64>,
}

/// Draws the conclusions.
pub fn build(collected: &Collected) -> Report {
    let segments = || {
        let answered = collected.shards.iter().filter_map(|shard| shard.status.as_ref().ok());
        answered
            .flat_map(|status| &status.segments)
            .filter(|segment| segment.volume == collected.record.volume)
    };
    let vdl = segments().map(|segment| segment.vdl_heard).max().unwrap_or(Lsn::ZERO);
    let writer =
        segments().map(|segment| segment.writer).max_by_key(|writer| writer.epoch).unwrap_or_default();
    let groups: Vec<GroupReport> = (0..collected.groups.len()).map(|index| group(collected, index)).collect();
    let mut report = Report { vdl, writer, groups, problems: Vec::new() };
    report.problems = problems(collected, &report);
    report
}

fn group(collected: &Collected, index: usize) -> GroupReport {
    let listed = &collected.groups[index];
    let find = |member: &hexalog_cluster::MemberRecord| {
        let shard = collected
            .shards
            .iter()
            .find(|shard| shard.node.node == member.node && shard.shard == member.shard);
        let status = shard.and_then(|shard| shard.status.as_ref().ok())?;
        status.segments.iter().find(|segment| segment.segment == member.segment).cloned()
    };
    let segments: Vec<Option<SegmentStatus>> = listed.members.iter().map(find).collect();
    let mut scls: Vec<Lsn> = segments.iter().flatten().filter(|s| counts(s)).map(|s| s.scl).collect();
    let scl_max = segments.iter().flatten().map(|segment| segment.scl).max().unwrap_or(Lsn::ZERO);
    let members_up = scls.len();
    let members = listed.members.iter().zip(segments).map(|(member, segment)| MemberReport {
        node: member.node,
        lag: segment.as_ref().map(|segment| scl_max.since(segment.scl)),
        segment,
    });
    GroupReport {
        group: listed.group,
        pgcl: QuorumModel::FOUR_OF_SIX.reached(&mut scls),
        scl_max,
        members_up,
        members: members.collect(),
    }
}

/// Whether a segment counts for a write quorum.
fn counts(segment: &SegmentStatus) -> bool {
    matches!(segment.state, SegmentState::Open | SegmentState::Opening)
}

/// How far a segment is that was left behind by its peers' logs.
fn hydration(segment: &SegmentStatus) -> String {
    match (segment.hydration_pages_done, segment.hydration_pages_total) {
        (_, 0) => "needs hydration".to_owned(),
        (done, total) => format!("is being hydrated, {done} of {total} pages"),
    }
}

fn problems(collected: &Collected, report: &Report) -> Vec<String> {
    let mut problems = Vec::new();
    if collected.shards.iter().all(|shard| shard.status.is_err()) {
        problems.push("no daemon answers: the cluster is not running".to_owned());
    }
    for shard in &collected.shards {
        if let Err(why) = &shard.status {
            let node = &shard.node;
            problems.push(format!(
                "daemon {} (az {}) shard {} does not answer: {why}",
                node.node, node.az, shard.shard
            ));
        }
    }
    for shard in &collected.shards {
        if let Ok(status) = &shard.status
            && !status.failure.is_empty()
        {
            let node = &shard.node;
            problems.push(format!(
                "daemon {} (az {}) shard {} has failed: {}",
                node.node, node.az, shard.shard, status.failure
            ));
        }
    }
    for shard in &collected.shards {
        let room = shard.status.as_ref().ok().and_then(|status| {
            status.counters.iter().find(|(name, _)| name == "room").map(|(_, value)| *value)
        });
        // As `Room` counts; see docs/operations.md, "Space".
        let what = match room {
            None | Some(0) => continue,
            Some(1) => "is short of room",
            Some(_) => "is full",
        };
        let node = &shard.node;
        problems.push(format!("daemon {} (az {}) shard {} {what}", node.node, node.az, shard.shard));
    }
    let quorum = QuorumModel::FOUR_OF_SIX;
    for group in &report.groups {
        if group.members_up < usize::from(quorum.write) {
            let (id, up, all) = (group.group, group.members_up, quorum.members);
            problems.push(format!("write quorum lost: group {id}, {up}/{all}"));
        }
        for member in &group.members {
            let Some(segment) = &member.segment else { continue };
            let what = match segment.state {
                SegmentState::Damaged => "is damaged".to_owned(),
                SegmentState::NeedsHydration => hydration(segment),
                SegmentState::Open | SegmentState::Opening => continue,
            };
            problems.push(format!("group {}: the segment on daemon {} {what}", group.group, member.node));
        }
    }
    match &collected.compute {
        Some((record, Err(why))) => {
            problems.push(format!("compute at {} does not answer: {why}", record.listen))
        }
        None => problems.push("no compute has opened the volume yet".to_owned()),
        Some((_, Ok(_))) => {}
    }
    problems
}
