//! The built-in types as data: one row each, with PostgreSQL's oids, widths and categories.
//!
//! Owns [`TypeInfo`] and the table from which `pg_type` can be built. Never converts a value.
//! The facts are those of `pg_type` in PostgreSQL 15. Read next: `name.rs` for spelling, `mod.rs` for the ids.

use super::TypeId;

/// What PostgreSQL's `pg_type` says of a type (the columns of the same name without their prefix).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeInfo {
    /// The type's oid.
    pub id: TypeId,
    /// `typname`: the internal name, e.g. `int4`, `_text`.
    pub name: &'static str,
    /// `typlen`: bytes of a fixed-width value, -1 for varlena, -2 for a C string.
    pub len: i16,
    /// `typbyval`.
    pub by_value: bool,
    /// `typalign`: `c`, `s`, `i` or `d`.
    pub align: u8,
    /// `typcategory`.
    pub category: TypeCategory,
    /// `typispreferred`: the preferred type of its category.
    pub preferred: bool,
    /// `typtype`: `b` base or `p` pseudo.
    pub kind: u8,
    /// `typarray`: the type of arrays of this type, oid 0 if there is none.
    pub array: TypeId,
    /// `typelem`: element type of an array (also of vectors and of `name`), oid 0 if there is none.
    pub element: TypeId,
}

/// `typcategory`: groups types for the resolution of operators and functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TypeCategory {
    /// `A`: arrays.
    Array,
    /// `B`: boolean.
    Boolean,
    /// `D`: date and time.
    DateTime,
    /// `E`: enums.
    Enum,
    /// `N`: numeric.
    Numeric,
    /// `P`: pseudo-types.
    Pseudo,
    /// `S`: strings.
    String,
    /// `T`: time spans.
    Timespan,
    /// `U`: user-defined, and built-in types that stand alone.
    User,
    /// `X`: `unknown`.
    Unknown,
    /// `Z`: internal-use types.
    Internal,
}

impl TypeCategory {
    /// The letter that `pg_type.typcategory` holds.
    pub const fn letter(self) -> u8 {
        match self {
            TypeCategory::Array => b'A',
            TypeCategory::Boolean => b'B',
            TypeCategory::DateTime => b'D',
            TypeCategory::Enum => b'E',
            TypeCategory::Numeric => b'N',
            TypeCategory::Pseudo => b'P',
            TypeCategory::String => b'S',
            TypeCategory::Timespan => b'T',
            TypeCategory::User => b'U',
            TypeCategory::Unknown => b'X',
            TypeCategory::Internal => b'Z',
        }
    }

    const fn from_letter(letter: u8) -> Self {
        match letter {
            b'A' => TypeCategory::Array,
            b'B' => TypeCategory::Boolean,
            b'D' => TypeCategory::DateTime,
            b'E' => TypeCategory::Enum,
            b'N' => TypeCategory::Numeric,
            b'P' => TypeCategory::Pseudo,
            b'S' => TypeCategory::String,
            b'T' => TypeCategory::Timespan,
            b'U' => TypeCategory::User,
            b'X' => TypeCategory::Unknown,
            b'Z' => TypeCategory::Internal,
            _ => panic!("no such type category"),
        }
    }
}

macro_rules! types {
    ($($constant:ident $oid:literal $name:literal $len:literal $byval:literal $align:literal $category:literal $preferred:literal $kind:literal $array:literal $element:literal;)*) => {
        impl TypeId {
            $(
                #[doc = concat!("`", $name, "`, oid ", stringify!($oid), ".")]
                pub const $constant: TypeId = TypeId($oid);
            )*
        }

        /// Every built-in type, in order of oid.
        pub static TYPES: &[TypeInfo] = &[
            $(TypeInfo {
                id: TypeId::$constant,
                name: $name,
                len: $len,
                by_value: $byval,
                align: $align,
                category: TypeCategory::from_letter($category),
                preferred: $preferred,
                kind: $kind,
                array: TypeId($array),
                element: TypeId($element),
            },)*
        ];
    };
}

types! {
    BOOL 16 "bool" 1 true b'c' b'B' true b'b' 1000 0;
    BYTEA 17 "bytea" -1 false b'i' b'U' false b'b' 1001 0;
    CHAR 18 "char" 1 true b'c' b'Z' false b'b' 1002 0;
    NAME 19 "name" 64 false b'c' b'S' false b'b' 1003 18;
    INT8 20 "int8" 8 true b'd' b'N' false b'b' 1016 0;
    INT2 21 "int2" 2 true b's' b'N' false b'b' 1005 0;
    INT2VECTOR 22 "int2vector" -1 false b'i' b'A' false b'b' 1006 21;
    INT4 23 "int4" 4 true b'i' b'N' false b'b' 1007 0;
    REGPROC 24 "regproc" 4 true b'i' b'N' false b'b' 1008 0;
    TEXT 25 "text" -1 false b'i' b'S' true b'b' 1009 0;
    OID 26 "oid" 4 true b'i' b'N' true b'b' 1028 0;
    TID 27 "tid" 6 false b's' b'U' false b'b' 1010 0;
    XID 28 "xid" 4 true b'i' b'U' false b'b' 1011 0;
    CID 29 "cid" 4 true b'i' b'U' false b'b' 1012 0;
    OIDVECTOR 30 "oidvector" -1 false b'i' b'A' false b'b' 1013 26;
    JSON 114 "json" -1 false b'i' b'U' false b'b' 199 0;
    PG_NODE_TREE 194 "pg_node_tree" -1 false b'i' b'Z' false b'b' 0 0;
    JSON_ARRAY 199 "_json" -1 false b'i' b'A' false b'b' 0 114;
    FLOAT4 700 "float4" 4 true b'i' b'N' false b'b' 1021 0;
    FLOAT8 701 "float8" 8 true b'd' b'N' true b'b' 1022 0;
    UNKNOWN 705 "unknown" -2 false b'c' b'X' false b'p' 0 0;
    BOOL_ARRAY 1000 "_bool" -1 false b'i' b'A' false b'b' 0 16;
    BYTEA_ARRAY 1001 "_bytea" -1 false b'i' b'A' false b'b' 0 17;
    CHAR_ARRAY 1002 "_char" -1 false b'i' b'A' false b'b' 0 18;
    NAME_ARRAY 1003 "_name" -1 false b'i' b'A' false b'b' 0 19;
    INT2_ARRAY 1005 "_int2" -1 false b'i' b'A' false b'b' 0 21;
    INT2VECTOR_ARRAY 1006 "_int2vector" -1 false b'i' b'A' false b'b' 0 22;
    INT4_ARRAY 1007 "_int4" -1 false b'i' b'A' false b'b' 0 23;
    REGPROC_ARRAY 1008 "_regproc" -1 false b'i' b'A' false b'b' 0 24;
    TEXT_ARRAY 1009 "_text" -1 false b'i' b'A' false b'b' 0 25;
    TID_ARRAY 1010 "_tid" -1 false b'i' b'A' false b'b' 0 27;
    XID_ARRAY 1011 "_xid" -1 false b'i' b'A' false b'b' 0 28;
    CID_ARRAY 1012 "_cid" -1 false b'i' b'A' false b'b' 0 29;
    OIDVECTOR_ARRAY 1013 "_oidvector" -1 false b'i' b'A' false b'b' 0 30;
    BPCHAR_ARRAY 1014 "_bpchar" -1 false b'i' b'A' false b'b' 0 1042;
    VARCHAR_ARRAY 1015 "_varchar" -1 false b'i' b'A' false b'b' 0 1043;
    INT8_ARRAY 1016 "_int8" -1 false b'd' b'A' false b'b' 0 20;
    FLOAT4_ARRAY 1021 "_float4" -1 false b'i' b'A' false b'b' 0 700;
    FLOAT8_ARRAY 1022 "_float8" -1 false b'd' b'A' false b'b' 0 701;
    OID_ARRAY 1028 "_oid" -1 false b'i' b'A' false b'b' 0 26;
    ACLITEM 1033 "aclitem" 12 false b'i' b'U' false b'b' 1034 0;
    ACLITEM_ARRAY 1034 "_aclitem" -1 false b'i' b'A' false b'b' 0 1033;
    BPCHAR 1042 "bpchar" -1 false b'i' b'S' false b'b' 1014 0;
    VARCHAR 1043 "varchar" -1 false b'i' b'S' false b'b' 1015 0;
    DATE 1082 "date" 4 true b'i' b'D' false b'b' 1182 0;
    TIME 1083 "time" 8 true b'd' b'D' false b'b' 1183 0;
    TIMESTAMP 1114 "timestamp" 8 true b'd' b'D' false b'b' 1115 0;
    TIMESTAMP_ARRAY 1115 "_timestamp" -1 false b'd' b'A' false b'b' 0 1114;
    DATE_ARRAY 1182 "_date" -1 false b'i' b'A' false b'b' 0 1082;
    TIME_ARRAY 1183 "_time" -1 false b'd' b'A' false b'b' 0 1083;
    TIMESTAMPTZ 1184 "timestamptz" 8 true b'd' b'D' true b'b' 1185 0;
    TIMESTAMPTZ_ARRAY 1185 "_timestamptz" -1 false b'd' b'A' false b'b' 0 1184;
    INTERVAL 1186 "interval" 16 false b'd' b'T' true b'b' 1187 0;
    INTERVAL_ARRAY 1187 "_interval" -1 false b'd' b'A' false b'b' 0 1186;
    NUMERIC_ARRAY 1231 "_numeric" -1 false b'i' b'A' false b'b' 0 1700;
    CSTRING_ARRAY 1263 "_cstring" -1 false b'i' b'A' false b'b' 0 2275;
    TIMETZ 1266 "timetz" 12 false b'd' b'D' false b'b' 1270 0;
    TIMETZ_ARRAY 1270 "_timetz" -1 false b'd' b'A' false b'b' 0 1266;
    NUMERIC 1700 "numeric" -1 false b'i' b'N' false b'b' 1231 0;
    REGPROCEDURE 2202 "regprocedure" 4 true b'i' b'N' false b'b' 2207 0;
    REGCLASS 2205 "regclass" 4 true b'i' b'N' false b'b' 2210 0;
    REGTYPE 2206 "regtype" 4 true b'i' b'N' false b'b' 2211 0;
    REGPROCEDURE_ARRAY 2207 "_regprocedure" -1 false b'i' b'A' false b'b' 0 2202;
    REGCLASS_ARRAY 2210 "_regclass" -1 false b'i' b'A' false b'b' 0 2205;
    REGTYPE_ARRAY 2211 "_regtype" -1 false b'i' b'A' false b'b' 0 2206;
    RECORD 2249 "record" -1 false b'd' b'P' false b'p' 2287 0;
    CSTRING 2275 "cstring" -2 false b'c' b'P' false b'p' 1263 0;
    ANY 2276 "any" 4 true b'i' b'P' false b'p' 0 0;
    ANYARRAY 2277 "anyarray" -1 false b'd' b'P' false b'p' 0 0;
    VOID 2278 "void" 4 true b'i' b'P' false b'p' 0 0;
    TRIGGER 2279 "trigger" 4 true b'i' b'P' false b'p' 0 0;
    INTERNAL 2281 "internal" 8 true b'd' b'P' false b'p' 0 0;
    ANYELEMENT 2283 "anyelement" 4 true b'i' b'P' false b'p' 0 0;
    RECORD_ARRAY 2287 "_record" -1 false b'd' b'P' false b'p' 0 2249;
    ANYNONARRAY 2776 "anynonarray" 4 true b'i' b'P' false b'p' 0 0;
    UUID 2950 "uuid" 16 false b'c' b'U' false b'b' 2951 0;
    UUID_ARRAY 2951 "_uuid" -1 false b'i' b'A' false b'b' 0 2950;
    ANYENUM 3500 "anyenum" 4 true b'i' b'P' false b'p' 0 0;
    JSONB 3802 "jsonb" -1 false b'i' b'U' false b'b' 3807 0;
    JSONB_ARRAY 3807 "_jsonb" -1 false b'i' b'A' false b'b' 0 3802;
    JSONPATH 4072 "jsonpath" -1 false b'i' b'U' false b'b' 4073 0;
    JSONPATH_ARRAY 4073 "_jsonpath" -1 false b'i' b'A' false b'b' 0 4072;
    REGNAMESPACE 4089 "regnamespace" 4 true b'i' b'N' false b'b' 4090 0;
    REGNAMESPACE_ARRAY 4090 "_regnamespace" -1 false b'i' b'A' false b'b' 0 4089;
    REGROLE 4096 "regrole" 4 true b'i' b'N' false b'b' 4097 0;
    REGROLE_ARRAY 4097 "_regrole" -1 false b'i' b'A' false b'b' 0 4096;
    ANYCOMPATIBLE 5077 "anycompatible" 4 true b'i' b'P' false b'p' 0 0;
    ANYCOMPATIBLEARRAY 5078 "anycompatiblearray" -1 false b'd' b'P' false b'p' 0 0;
    ANYCOMPATIBLENONARRAY 5079 "anycompatiblenonarray" 4 true b'i' b'P' false b'p' 0 0;
}

/// The row of a built-in type, or `None` for an oid that is none.
pub fn type_info(id: TypeId) -> Option<&'static TypeInfo> {
    TYPES.binary_search_by_key(&id, |info| info.id).ok().map(|at| &TYPES[at])
}
