//! The benchmark's own volume: made if there is none, claimed and opened for writing as compute does it.

use super::cluster::Cluster;
use super::listener::{ListenerHandle, LoadListener};
use crate::options::Job;
use crate::shard::{Caller, random};
use hexalog_cluster::catalog::membership;
use hexalog_cluster::{GroupMembers, VolumeRecord};
use hexalog_protocol::message::{CreateSegment, Membership, Message, Role};
use hexalog_protocol::quorum::QuorumModel;
use hexalog_protocol::{GeometryEpoch, GroupId, Incarnation, Lsn, VolumeEpoch, VolumeId};
use hexalog_volume::Client;
use hexalog_volume::SharedClient;
use hexalog_volume::config::{Lal, VolumeConfig};
use hexalog_volume_driver::{Handle, State, drive};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Opening is a few round trips; longer means that members are missing.
const OPEN_MAX: Duration = Duration::from_secs(30);

/// A volume that is open for writing.
pub struct OpenVolume {
    /// Append, want, read.
    pub handle: Handle,
    /// Answers.
    pub listener: Arc<LoadListener>,
    /// Protection groups.
    pub groups: u32,
    /// Members of each.
    pub members: usize,
}

impl OpenVolume {
    /// Waits until the driver has told something, at most until `deadline`.
    pub async fn wait_until(&self, deadline: Instant) {
        let _ = tokio::time::timeout_at(deadline.into(), self.listener.changed.notified()).await;
    }
}

/// Makes or finds the volume and opens it.
pub async fn open(job: &Job, cluster: &Cluster) -> Result<OpenVolume, String> {
    let record = find_or_make(job, cluster)?;
    let incarnation = Incarnation(u64::from_le_bytes(random()?) | 1);
    let record =
        cluster.catalog.claim_volume(record.volume, incarnation).map_err(|error| error.to_string())?;
    let config = config(cluster, &record)?;
    let members = config.groups[0].members.len();
    let handle = Handle::new(Client::open(config, record.writer()));
    let listener = Arc::new(LoadListener::default());
    tokio::spawn(drive(handle.clone(), ListenerHandle(Arc::clone(&listener))));
    match tokio::time::timeout(OPEN_MAX, handle.opened()).await {
        Ok(State::Open) => Ok(OpenVolume { handle, listener, groups: record.groups, members }),
        Ok(state) => Err(format!("the volume is {state:?} before it was open")),
        Err(_) => {
            let why = handle.client().quorum_lost().unwrap_or_else(|| "storage does not answer".to_owned());
            Err(format!("the volume cannot be opened: {why}"))
        }
    }
}

fn find_or_make(job: &Job, cluster: &Cluster) -> Result<VolumeRecord, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let name = &job.volume;
    let names = cluster.catalog.volume_names().map_err(|error| text(&error))?;
    let Some(id) = names.get(name) else { return make(job, cluster) };
    // Opening it would fence that compute, and records of pages that mean something would be overwritten.
    if cluster.catalog.compute(*id).map_err(|error| text(&error))?.is_some() {
        return Err(format!("volume \"{name}\" holds a database; choose another name with volume"));
    }
    let found = cluster.catalog.volume(*id).map_err(|error| text(&error))?;
    let (_, record) = found.ok_or_else(|| format!("the record of volume \"{name}\" is missing"))?;
    if job.groups.is_some_and(|groups| groups != record.groups) {
        return Err(format!("volume \"{name}\" was made with groups={}, which is fixed", record.groups));
    }
    if record.geometry().pages() < job.units() {
        return Err(format!("volume \"{name}\" has {} pages, which is fixed", record.geometry().pages()));
    }
    Ok(record)
}

fn make(job: &Job, cluster: &Cluster) -> Result<VolumeRecord, String> {
    let groups = job.groups.unwrap_or(1);
    let record = VolumeRecord {
        volume: VolumeId(random()?),
        epoch: VolumeEpoch(0),
        incarnation: Incarnation(0),
        geometry_epoch: GeometryEpoch(1),
        pages_per_group: job.units().div_ceil(u64::from(groups)),
        groups,
        lal_records: Lal::DEFAULT.records,
        lal_bytes: Lal::DEFAULT.bytes,
        member_pages: Vec::new(),
    };
    let segment_id =
        || getrandom::u64().expect("the kernel's random source works once the system has booted");
    let members: Vec<GroupMembers> =
        (0..groups).map(|group| GroupMembers::on_nodes(GroupId(group), &cluster.nodes, segment_id)).collect();
    let memberships = members.iter().map(|group| membership(group, &cluster.nodes));
    let memberships = memberships.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    create_segments(cluster, &record, &memberships)?;
    let made = cluster.catalog.create_volume(&job.volume, record, &members, segment_id());
    made.map_err(|error| error.to_string())
}

/// Durable on every member before metadata names them.
fn create_segments(
    cluster: &Cluster,
    record: &VolumeRecord,
    memberships: &[Membership],
) -> Result<(), String> {
    for (_, address) in cluster.shard_addresses() {
        let mut caller = Caller::connect(address, Role::Tool)?;
        for (group, membership) in memberships.iter().enumerate() {
            let Some(own) = membership.members.iter().find(|member| member.address == address) else {
                continue;
            };
            caller.expect_done(&Message::CreateSegment(CreateSegment {
                volume: record.volume,
                group: GroupId(group as u32),
                segment: own.segment,
                pages_per_group: record.pages_per_group,
                geometry_epoch: record.geometry_epoch,
                base_lsn: Lsn::ZERO,
                membership: membership.clone(),
            }))?;
        }
    }
    Ok(())
}

fn config(cluster: &Cluster, record: &VolumeRecord) -> Result<VolumeConfig, String> {
    let members = cluster.catalog.members(record).map_err(|error| error.to_string())?;
    let groups = members.iter().map(|group| membership(group, &cluster.nodes));
    Ok(VolumeConfig {
        volume: record.volume,
        geometry: record.geometry(),
        geometry_epoch: record.geometry_epoch,
        quorum: QuorumModel::FOUR_OF_SIX,
        groups: groups.collect::<Result<_, _>>().map_err(|error| error.to_string())?,
        lal: Lal { records: record.lal_records, bytes: record.lal_bytes },
    })
}
