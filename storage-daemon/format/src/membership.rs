//! A group's member list as it stands in log entries and checkpoints.
//!
//! Epoch 8, varint count, then for each member: segment 8, node 4, zone 1, address family 1 (4 or 6), address
//! 4 or 16, port 2.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use hexalog_protocol::codec::{Malformed, Put, Reader};
use hexalog_protocol::message::{Member, Membership};
use hexalog_protocol::{MembershipEpoch, NodeId, SegmentId};

/// Segment, node, zone, family, IPv4 address, port.
const MEMBER_BYTES_MIN: usize = 8 + 4 + 1 + 1 + 4 + 2;

pub(crate) fn encode(membership: &Membership, out: &mut Vec<u8>) {
    out.put_u64(membership.epoch.0);
    out.put_varint(membership.members.len() as u64);
    for member in &membership.members {
        out.put_u64(member.segment.0);
        out.put_u32(member.node.0);
        out.put_u8(member.az);
        match member.address.ip() {
            IpAddr::V4(ip) => {
                out.put_u8(4);
                out.put_bytes(&ip.octets());
            }
            IpAddr::V6(ip) => {
                out.put_u8(6);
                out.put_bytes(&ip.octets());
            }
        }
        out.put_u16(member.address.port());
    }
}

pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Membership, Malformed> {
    let epoch = MembershipEpoch(reader.u64("membership epoch")?);
    let count = reader.count(MEMBER_BYTES_MIN, "member count")?;
    let mut members = Vec::with_capacity(count);
    for _ in 0..count {
        let segment = SegmentId(reader.u64("member segment")?);
        let node = NodeId(reader.u32("member node")?);
        let az = reader.u8("member zone")?;
        let ip = match reader.u8("member address family")? {
            4 => IpAddr::V4(Ipv4Addr::from(reader.array::<4>("member address")?)),
            6 => IpAddr::V6(Ipv6Addr::from(reader.array::<16>("member address")?)),
            _ => return Err(Malformed { what: "member address family" }),
        };
        let address = SocketAddr::new(ip, reader.u16("member port")?);
        members.push(Member { segment, node, az, address });
    }
    Ok(Membership { epoch, members })
}
