//! How ids stand in JSON values: counters as numbers, random 64-bit ids as hexadecimal text.
//!
//! Many JSON readers hold numbers as doubles and would round a random 64-bit id; a counter stays far below
//! 2^53. Used as `#[serde(with = "...")]` by the records.

/// A newtype over an integer as a JSON number.
macro_rules! number {
    ($module:ident, $name:ident, $inner:ty) => {
        pub mod $module {
            use hexalog_protocol::$name;
            use serde::{Deserialize, Deserializer, Serialize, Serializer};

            pub fn serialize<S: Serializer>(value: &$name, serializer: S) -> Result<S::Ok, S::Error> {
                value.0.serialize(serializer)
            }

            pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                <$inner>::deserialize(deserializer).map($name)
            }
        }
    };
}

number!(volume_epoch, VolumeEpoch, u64);
number!(geometry_epoch, GeometryEpoch, u64);
number!(membership_epoch, MembershipEpoch, u64);
number!(group, GroupId, u32);
number!(node, NodeId, u32);
number!(shard, ShardIndex, u16);

/// A newtype over a random `u64` as 16 hexadecimal digits.
macro_rules! hex {
    ($module:ident, $name:ident) => {
        pub mod $module {
            use hexalog_protocol::$name;
            use serde::{Deserialize, Deserializer, Serializer, de::Error};

            pub fn serialize<S: Serializer>(value: &$name, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&format!("{:016x}", value.0))
            }

            pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let text = String::deserialize(deserializer)?;
                u64::from_str_radix(&text, 16).map($name).map_err(|_| Error::custom("not a hexadecimal id"))
            }
        }
    };
}

hex!(incarnation, Incarnation);
hex!(segment, SegmentId);

pub mod volume {
    use hexalog_protocol::VolumeId;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(value: &VolumeId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<VolumeId, D::Error> {
        let text = String::deserialize(deserializer)?;
        VolumeId::parse(&text).ok_or_else(|| Error::custom("not a volume id"))
    }
}

/// A random `u64` that has no type of its own, as 16 hexadecimal digits.
pub mod hex_u64 {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{value:016x}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16).map_err(|_| Error::custom("not a hexadecimal number"))
    }
}
