//! How fields of a message become bytes: one trait, implemented for ids, lists and nested structs.

use crate::codec::{Malformed, Put, Reader};
use crate::history::EpochHistory;
use crate::ids::{
    DeviceId, GeometryEpoch, GroupId, Incarnation, Lsn, MembershipEpoch, NodeId, PageId, SegmentId,
    ShardIndex, VolumeEpoch, VolumeId, WriterId,
};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A field that can be written and read back.
pub(super) trait Wire<'a>: Sized {
    /// Least bytes it takes: bounds how many a hostile count can make the decoder reserve.
    const SIZE_MIN: usize;
    fn put(&self, out: &mut Vec<u8>);
    fn get(reader: &mut Reader<'a>) -> Result<Self, Malformed>;
}

macro_rules! integers {
    ($($type:ident $put:ident $size:literal),+) => {$(
        impl<'a> Wire<'a> for $type {
            const SIZE_MIN: usize = $size;
            fn put(&self, out: &mut Vec<u8>) {
                out.$put(*self);
            }
            fn get(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
                reader.$type(stringify!($type))
            }
        }
    )+};
}
integers!(u8 put_u8 1, u16 put_u16 2, u32 put_u32 4, u64 put_u64 8);

macro_rules! ids {
    ($($type:ident $inner:ty),+) => {$(
        impl<'a> Wire<'a> for $type {
            const SIZE_MIN: usize = size_of::<$inner>();
            fn put(&self, out: &mut Vec<u8>) {
                Wire::put(&self.0, out);
            }
            fn get(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
                Ok($type(Wire::get(reader)?))
            }
        }
    )+};
}
ids!(Lsn u64, PageId u64, GroupId u32, SegmentId u64, NodeId u32, ShardIndex u16, DeviceId u64, VolumeEpoch u64,
    Incarnation u64, MembershipEpoch u64, GeometryEpoch u64);

impl<'a> Wire<'a> for VolumeId {
    const SIZE_MIN: usize = 16;
    fn put(&self, out: &mut Vec<u8>) {
        out.put_bytes(&self.0);
    }
    fn get(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(VolumeId(reader.array("volume id")?))
    }
}

impl<'a> Wire<'a> for bool {
    const SIZE_MIN: usize = 1;
    fn put(&self, out: &mut Vec<u8>) {
        out.put_u8(u8::from(*self));
    }
    fn get(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        match reader.u8("boolean")? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed { what: "boolean" }),
        }
    }
}

impl<'a> Wire<'a> for WriterId {
    const SIZE_MIN: usize = 16;
    fn put(&self, out: &mut Vec<u8>) {
        Wire::put(&self.epoch, out);
        Wire::put(&self.incarnation, out);
    }
    fn get(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(WriterId { epoch: Wire::get(reader)?, incarnation: Wire::get(reader)? })
    }
}

impl<'a> Wire<'a> for EpochHistory {
    const SIZE_MIN: usize = 1;
    fn put(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }
    fn get(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        EpochHistory::decode(reader)
    }
}

impl<'a> Wire<'a> for SocketAddr {
    const SIZE_MIN: usize = 7;
    fn put(&self, out: &mut Vec<u8>) {
        match self.ip() {
            IpAddr::V4(ip) => {
                out.put_u8(4);
                out.put_bytes(&ip.octets());
            }
            IpAddr::V6(ip) => {
                out.put_u8(6);
                out.put_bytes(&ip.octets());
            }
        }
        out.put_u16(self.port());
    }
    fn get(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let ip = match reader.u8("address family")? {
            4 => IpAddr::V4(Ipv4Addr::from(reader.array::<4>("address")?)),
            6 => IpAddr::V6(Ipv6Addr::from(reader.array::<16>("address")?)),
            _ => return Err(Malformed { what: "address family" }),
        };
        Ok(SocketAddr::new(ip, reader.u16("port")?))
    }
}

/// The rest of the message.
impl<'a> Wire<'a> for &'a [u8] {
    const SIZE_MIN: usize = 0;
    fn put(&self, out: &mut Vec<u8>) {
        out.put_bytes(self);
    }
    fn get(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(reader.rest())
    }
}

impl<'a> Wire<'a> for String {
    const SIZE_MIN: usize = 1;
    fn put(&self, out: &mut Vec<u8>) {
        out.put_varint(self.len() as u64);
        out.put_bytes(self.as_bytes());
    }
    fn get(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let length = reader.count(1, "text length")?;
        let bytes = reader.bytes(length, "text")?;
        core::str::from_utf8(bytes).map(String::from).map_err(|_| Malformed { what: "text" })
    }
}

impl<'a, T: Wire<'a>> Wire<'a> for Vec<T> {
    const SIZE_MIN: usize = 1;
    fn put(&self, out: &mut Vec<u8>) {
        out.put_varint(self.len() as u64);
        self.iter().for_each(|item| item.put(out));
    }
    fn get(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let count = reader.count(T::SIZE_MIN, "list length")?;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(T::get(reader)?);
        }
        Ok(items)
    }
}

impl<'a, T: Wire<'a>> Wire<'a> for Option<T> {
    const SIZE_MIN: usize = 1;
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }
    fn get(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(if bool::get(reader)? { Some(T::get(reader)?) } else { None })
    }
}

impl<'a, A: Wire<'a>, B: Wire<'a>> Wire<'a> for (A, B) {
    const SIZE_MIN: usize = A::SIZE_MIN + B::SIZE_MIN;
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }
    fn get(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok((A::get(reader)?, B::get(reader)?))
    }
}
