//! A group's member list as it stands in log entries and checkpoints.
//!
//! Epoch 8, varint count of members and candidates together, then for each: segment 8, node 4, zone 1, kind 1, address 4 or 16,
//! port 2, and of a candidate the slot 1 of the member that it is to replace. Kind: 4 and 6 a member with an address of that
//! family, 20 and 22 a candidate. Members stand before candidates.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use hexalog_protocol::codec::{Malformed, Put, Reader};
use hexalog_protocol::message::{Candidate, Member, Membership};
use hexalog_protocol::{MembershipEpoch, NodeId, SegmentId};

/// Segment, node, zone, kind, IPv4 address, port.
const MEMBER_BYTES_MIN: usize = 8 + 4 + 1 + 1 + 4 + 2;
/// What the kind of a candidate is above that of a member.
const CANDIDATE: u8 = 16;

pub(crate) fn encode(membership: &Membership, out: &mut Vec<u8>) {
    out.put_u64(membership.epoch.0);
    out.put_varint((membership.members.len() + membership.candidates.len()) as u64);
    membership.members.iter().for_each(|member| encode_member(member, 0, out));
    for Candidate { slot, member } in &membership.candidates {
        encode_member(member, CANDIDATE, out);
        out.put_u8(*slot);
    }
}

fn encode_member(member: &Member, kind: u8, out: &mut Vec<u8>) {
    out.put_u64(member.segment.0);
    out.put_u32(member.node.0);
    out.put_u8(member.az);
    match member.address.ip() {
        IpAddr::V4(ip) => {
            out.put_u8(kind + 4);
            out.put_bytes(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out.put_u8(kind + 6);
            out.put_bytes(&ip.octets());
        }
    }
    out.put_u16(member.address.port());
}

pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Membership, Malformed> {
    let epoch = MembershipEpoch(reader.u64("membership epoch")?);
    let count = reader.count(MEMBER_BYTES_MIN, "member count")?;
    let (mut members, mut candidates) = (Vec::with_capacity(count), Vec::new());
    for _ in 0..count {
        let segment = SegmentId(reader.u64("member segment")?);
        let node = NodeId(reader.u32("member node")?);
        let az = reader.u8("member zone")?;
        let kind = reader.u8("member kind")?;
        let ip = match kind % CANDIDATE {
            4 => IpAddr::V4(Ipv4Addr::from(reader.array::<4>("member address")?)),
            6 => IpAddr::V6(Ipv6Addr::from(reader.array::<16>("member address")?)),
            _ => return Err(Malformed { what: "member kind" }),
        };
        let address = SocketAddr::new(ip, reader.u16("member port")?);
        let member = Member { segment, node, az, address };
        match kind / CANDIDATE {
            0 if candidates.is_empty() => members.push(member),
            1 => candidates.push(Candidate { slot: reader.u8("candidate slot")?, member }),
            _ => return Err(Malformed { what: "member kind" }),
        }
    }
    Ok(Membership { epoch, members, candidates })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn member(number: u8, address: &str) -> Member {
        Member {
            segment: SegmentId(number.into()),
            node: NodeId(number.into()),
            az: 2,
            address: address.parse().expect("an address"),
        }
    }

    #[test]
    fn golden_bytes_and_round_trip_with_a_candidate() {
        let membership = Membership {
            epoch: MembershipEpoch(3),
            members: vec![member(1, "10.0.0.1:7000"), member(2, "10.0.0.2:7000")],
            candidates: vec![Candidate { slot: 1, member: member(3, "[::1]:7001") }],
        };
        let mut bytes = Vec::new();
        encode(&membership, &mut bytes);
        let expected = [
            &[3, 0, 0, 0, 0, 0, 0, 0, 3][..], // epoch, count
            &[1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 4, 10, 0, 0, 1, 0x58, 0x1b], // a member
            &[2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 2, 4, 10, 0, 0, 2, 0x58, 0x1b],
            &[3, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 2, 22], // a candidate
            &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x59, 0x1b, 1],
        ]
        .concat();
        assert_eq!(bytes, expected);
        assert_eq!(decode(&mut Reader::new(&bytes)), Ok(membership));
        // A member behind a candidate, or a kind that there is not.
        bytes[9 + 13] = 20;
        assert!(decode(&mut Reader::new(&bytes)).is_err());
        bytes[9 + 13] = 36;
        assert!(decode(&mut Reader::new(&bytes)).is_err());
    }
}
