//! Making a local cluster at its first start: nodes, segments, volume.
//!
//! The order is what makes it safe to die anywhere: ports and nodes are in metadata before a device is made and its daemon starts,
//! segments are durable on their daemons before the volume's record names them, and the volume's name comes last.
//! A start that finds no name makes new segments; orphans of an attempt that died hold no data.

use crate::cli::LocalArgs;
use crate::cluster::metadata_failure;
use crate::exit::{Code, Failure};
use crate::local::VOLUME;
use crate::local::data_dir::DataDir;
use crate::storage_client::ShardConnection;
use hexalog_cluster::catalog::{Catalog, ChangeError, membership};
use hexalog_cluster::{GroupMembers, NodeRecord, SqliteMetadata, VolumeRecord};
use hexalog_protocol::message::CreateSegment;
use hexalog_protocol::{
    GeometryEpoch, GroupId, Incarnation, Lsn, NodeId, PAGE_SIZE, ShardIndex, VolumeEpoch, VolumeId,
};
use hexalogd::options::{DeviceOptions, FormatOptions};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Two daemons in each of three zones.
pub const ZONES: [&str; 3] = ["a", "b", "c"];
/// Daemons.
pub const NODES: u16 = 6;

/// Defaults of the options that are fixed when a cluster is made; their reasons stand at the options.
const SHARDS: u16 = 1;
const GROUPS: u32 = 8;
const LAL_RECORDS: u64 = 65_536;
/// Default and bound: half of what a shard keeps in memory of records that are in no page version. What is beyond VDL can be in
/// none, at whatever member: three members full of it, each of another part, would refuse each other's for ever.
const LAL_BYTES: u64 = 32 << 20;
/// The LAL takes at most this part of a shard's log. What is beyond VDL cannot be freed: a log that could fill with it would refuse
/// the very records that VDL waits for, for ever. A quarter leaves room for what was sent twice and for appends filled up to blocks.
const LAL_LOG_SHARE: u64 = 4;
/// Default of `--device-bytes`.
const DEVICE_BYTES: u64 = 16 << 30;

/// Ports are looked for here: above the well-known ones, below the range from which the kernel deals out ports to
/// outgoing connections, where a port that is free now may be taken at the next start.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Creating segments is a few small durable writes each.
const STORAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens metadata, making it at the first start.
pub fn open_metadata(path: &Path) -> Result<Catalog, Failure> {
    let store = SqliteMetadata::open_or_create(path).map_err(metadata_failure)?;
    let catalog = Catalog::new(Arc::new(store));
    catalog.upgrade().map_err(metadata_failure)?;
    Ok(catalog)
}

fn change_failure(error: ChangeError) -> Failure {
    match error {
        ChangeError::Store(error) => metadata_failure(error),
        other => Failure::new(Code::Metadata, other.to_string()),
    }
}

/// Least pages of a group.
const PAGES_PER_GROUP_MIN: u64 = 1024;

/// Checks the sizes of a cluster that is to be made against each other, before anything of it is there.
pub fn check_sizes(arguments: &LocalArgs) -> Result<(), Failure> {
    let (shards, groups) = (arguments.shards.unwrap_or(SHARDS), arguments.groups.unwrap_or(GROUPS));
    if shards == 0 || shards > 64 {
        return Err(Failure::new(Code::Usage, "--shards must be between 1 and 64"));
    }
    if groups == 0 {
        return Err(Failure::new(Code::Usage, "--groups must be at least 1"));
    }
    let device_bytes = arguments.device_bytes.unwrap_or(DEVICE_BYTES);
    let group_bytes = 2 * PAGES_PER_GROUP_MIN * PAGE_SIZE as u64;
    let groups_max = device_bytes / group_bytes;
    if u64::from(groups) > groups_max {
        let message = format!(
            "--device-bytes {device_bytes} is too small for --groups {groups}: each takes at least {group_bytes} bytes \
             of it; give --device-bytes {} or more, or --groups {} or fewer",
            u64::from(groups) * group_bytes,
            groups_max.max(1)
        );
        return Err(Failure::new(Code::Usage, message));
    }
    let (lal_bytes, lal_bytes_max) = (lal_bytes(arguments), log_bytes(arguments) / LAL_LOG_SHARE);
    if lal_bytes > lal_bytes_max {
        let message = format!(
            "--lal-bytes {lal_bytes} is too large for a log of {} bytes: give {lal_bytes_max} or less, or --log-bytes {} or more",
            log_bytes(arguments),
            lal_bytes * LAL_LOG_SHARE
        );
        return Err(Failure::new(Code::Usage, message));
    }
    if lal_bytes > LAL_BYTES {
        let message = format!(
            "--lal-bytes {lal_bytes} is too large: give {LAL_BYTES} or less; a shard holds that much in memory twice over, \
             and must be able to hold all that is not yet durable"
        );
        return Err(Failure::new(Code::Usage, message));
    }
    hexalogd::geometry::check_sizes(Some(shards), Some(device_bytes), arguments.log_bytes)
        .map(|_| ())
        .map_err(|failure| Failure::new(Code::Usage, failure.message))
}

/// Finds out early, and in plain words, that a port is taken.
pub fn check_port_is_free(address: SocketAddr) -> Result<(), Failure> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            let message =
                format!("{address} is in use by another process; choose another address with --listen");
            Err(Failure::new(Code::AddressInUse, message))
        }
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Err(Failure::new(Code::PermissionDenied, format!("no permission to listen on {address}")))
        }
        Err(error) => Err(Failure::new(Code::Failed, format!("cannot listen on {address}: {error}"))),
    }
}

/// The cluster's daemons: as metadata has them, or newly laid out.
pub fn ensure_nodes(catalog: &Catalog, arguments: &LocalArgs) -> Result<Vec<NodeRecord>, Failure> {
    let cluster = format!("{:016x}{:016x}", random_u64(), random_u64());
    catalog.create_cluster(&cluster).map_err(metadata_failure)?;
    let known = catalog.nodes().map_err(metadata_failure)?;
    if known.len() == usize::from(NODES) {
        check_fixed("--shards", arguments.shards.map(u64::from), u64::from(known[0].shards))?;
        return Ok(known);
    }
    check_sizes(arguments)?;
    let shards = arguments.shards.unwrap_or(SHARDS);
    let first_port = free_ports(NODES * shards)?;
    for index in 0..NODES {
        let node = NodeRecord {
            node: NodeId(u32::from(index) + 1),
            az: ZONES[usize::from(index) / 2].to_owned(),
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: first_port + index * shards,
            shards,
            capacity_bytes: arguments.device_bytes.unwrap_or(DEVICE_BYTES),
        };
        catalog.put_node(&node).map_err(metadata_failure)?;
    }
    catalog.nodes().map_err(metadata_failure)
}

/// Whether the cluster has been made to its end.
pub fn has_volume(catalog: &Catalog) -> Result<bool, Failure> {
    Ok(catalog.volume_names().map_err(metadata_failure)?.contains_key(VOLUME))
}

/// Makes the devices of a cluster that has no volume yet, all at the same time. Later one that is missing is not made anew: it
/// may only not be mounted, and an empty one has forgotten what it acknowledged. Its daemon refuses to start and says how.
pub fn ensure_devices(
    catalog: &Catalog,
    nodes: &[NodeRecord],
    arguments: &LocalArgs,
    data_dir: &DataDir,
) -> Result<(), Failure> {
    if has_volume(catalog)? {
        return Ok(());
    }
    let format = |node: &NodeRecord| {
        let directory = data_dir.node(node.node.0);
        if directory.join(hexalogd::directory::GEOMETRY_FILE).exists() {
            return Ok(());
        }
        let device = DeviceOptions {
            data_dir: Some(directory),
            device: None,
            node: node.node.0,
            shards: Some(node.shards),
            device_bytes: Some(arguments.device_bytes.unwrap_or(DEVICE_BYTES)),
            log_bytes: arguments.log_bytes,
            buffered: arguments.buffered,
        };
        let formatted = hexalogd::formatting::format(&FormatOptions { device, force: false });
        formatted.map(drop).map_err(|failure| Failure { code: failure.code as u8, message: failure.message })
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = nodes.iter().map(|node| scope.spawn(move || format(node))).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("formatting does not panic"))
    })
}

fn log_bytes(arguments: &LocalArgs) -> u64 {
    arguments.log_bytes.unwrap_or(hexalogd::geometry::LOG_BYTES_DEFAULT)
}

fn lal_bytes(arguments: &LocalArgs) -> u64 {
    arguments.lal_bytes.unwrap_or_else(|| LAL_BYTES.min(log_bytes(arguments) / LAL_LOG_SHARE))
}

/// Makes the volume if there is none; all daemons must be up.
pub fn ensure_volume(
    catalog: &Catalog,
    nodes: &[NodeRecord],
    arguments: &LocalArgs,
) -> Result<VolumeRecord, Failure> {
    let names = catalog.volume_names().map_err(metadata_failure)?;
    if let Some(id) = names.get(VOLUME) {
        let found = catalog.volume(*id).map_err(metadata_failure)?;
        let (_, record) =
            found.ok_or_else(|| Failure::new(Code::Metadata, "the volume's record is missing"))?;
        check_fixed("--groups", arguments.groups.map(u64::from), u64::from(record.groups))?;
        check_fixed("--lal-records", arguments.lal_records, record.lal_records)?;
        check_fixed("--lal-bytes", arguments.lal_bytes, record.lal_bytes)?;
        return Ok(record);
    }
    check_sizes(arguments)?;
    let record = new_volume(arguments);
    let groups: Vec<GroupMembers> =
        (0..record.groups).map(|group| GroupMembers::on_nodes(GroupId(group), nodes, random_u64)).collect();
    create_segments(&record, &groups, nodes)?;
    catalog.create_volume(VOLUME, record, &groups, random_u64()).map_err(change_failure)
}

fn new_volume(arguments: &LocalArgs) -> VolumeRecord {
    let groups = arguments.groups.unwrap_or(GROUPS);
    let device_bytes = arguments.device_bytes.unwrap_or(DEVICE_BYTES);
    let pages_per_group = device_bytes / 2 / PAGE_SIZE as u64 / u64::from(groups);
    assert!(pages_per_group >= PAGES_PER_GROUP_MIN, "the sizes were checked");
    let mut id = [0; 16];
    id[..8].copy_from_slice(&random_u64().to_be_bytes());
    id[8..].copy_from_slice(&random_u64().to_be_bytes());
    VolumeRecord {
        volume: VolumeId(id),
        epoch: VolumeEpoch(0),
        incarnation: Incarnation(0),
        geometry_epoch: GeometryEpoch(1),
        pages_per_group,
        groups,
        lal_records: arguments.lal_records.unwrap_or(LAL_RECORDS),
        lal_bytes: lal_bytes(arguments),
        member_pages: Vec::new(),
    }
}

/// Makes every segment on its shard. The six daemons work at the same time.
fn create_segments(
    record: &VolumeRecord,
    groups: &[GroupMembers],
    nodes: &[NodeRecord],
) -> Result<(), Failure> {
    let memberships = groups.iter().map(|group| membership(group, nodes)).collect::<Result<Vec<_>, _>>();
    let memberships = memberships.map_err(metadata_failure)?;
    std::thread::scope(|scope| {
        let workers: Vec<_> = nodes
            .iter()
            .map(|node| {
                let memberships = &memberships;
                scope.spawn(move || create_segments_of_node(record, node, memberships))
            })
            .collect();
        workers.into_iter().try_for_each(|worker| {
            worker.join().unwrap_or_else(|_| Err(Failure::new(Code::Failed, "creating segments failed")))
        })
    })
}

fn create_segments_of_node(
    record: &VolumeRecord,
    node: &NodeRecord,
    memberships: &[hexalog_protocol::message::Membership],
) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(Code::Failed, format!("cannot make segments on daemon {}: {error}", node.node))
    };
    for shard in 0..node.shards {
        let address = node.address(ShardIndex(shard)).expect("within the node's shards");
        let mut connection =
            ShardConnection::connect(address, STORAGE_TIMEOUT).map_err(|error| failed(&error))?;
        for (group, membership) in memberships.iter().enumerate() {
            let own = membership.members.iter().find(|member| member.address == address);
            let Some(own) = own else { continue };
            let segment = CreateSegment {
                volume: record.volume,
                group: GroupId(group as u32),
                segment: own.segment,
                pages_per_group: record.pages_per_group,
                geometry_epoch: record.geometry_epoch,
                base_lsn: Lsn::ZERO,
                membership: membership.clone(),
            };
            connection.create_segment(segment).map_err(|error| failed(&error))?;
        }
    }
    Ok(())
}

fn check_fixed(option: &str, wanted: Option<u64>, found: u64) -> Result<(), Failure> {
    match wanted {
        Some(wanted) if wanted != found => {
            let message = format!(
                "this cluster was made with {option} {found}, which is fixed; {wanted} was asked for"
            );
            Err(Failure::new(Code::Usage, message))
        }
        _ => Ok(()),
    }
}

/// The first of `count` consecutive ports that can be listened on now. Begins at a random place, so that two
/// clusters that are made at the same time rarely meet.
fn free_ports(count: u16) -> Result<u16, Failure> {
    let span = PORTS.end - PORTS.start - count;
    let start = (random_u64() % u64::from(span)) as u16;
    let candidates = (0..span).step_by(usize::from(count)).map(|step| PORTS.start + (start + step) % span);
    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let found = candidates.into_iter().find(|first| (*first..first + count).all(is_free));
    found.ok_or_else(|| {
        Failure::new(Code::AddressInUse, format!("no {count} free ports in a row in {PORTS:?}"))
    })
}

fn random_u64() -> u64 {
    getrandom::u64().expect("the kernel's random source works once the system has booted")
}
