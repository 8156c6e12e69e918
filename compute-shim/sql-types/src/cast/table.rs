//! The table of casts between built-in types.
//!
//! Owns the facts (`pg_cast` of PostgreSQL 15, for the types of this crate) and which code serves each. Read next:
//! `convert.rs` for that code, `mod.rs` for casts that exist by rule instead.

use std::sync::OnceLock;

use super::CastContext::{Assignment, Explicit, Implicit};
use super::{Cast, CastContext, CastFn, convert};
use crate::types::TypeId;

/// Source, target, context, `castfunc` (0: binary-coercible), code. In order of source and target.
type Row = (TypeId, TypeId, CastContext, u32, CastFn);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    (TypeId::BOOL, TypeId::INT4, Explicit, 2558, convert::bool_to_int4),
    (TypeId::BOOL, TypeId::TEXT, Assignment, 2971, convert::bool_to_text),
    (TypeId::BOOL, TypeId::BPCHAR, Assignment, 2971, convert::bool_to_text),
    (TypeId::BOOL, TypeId::VARCHAR, Assignment, 2971, convert::bool_to_text),
    (TypeId::CHAR, TypeId::INT4, Explicit, 77, convert::char_to_int4),
    (TypeId::CHAR, TypeId::TEXT, Implicit, 946, convert::char_to_text),
    (TypeId::CHAR, TypeId::BPCHAR, Assignment, 860, convert::char_to_text),
    (TypeId::CHAR, TypeId::VARCHAR, Assignment, 946, convert::char_to_text),
    (TypeId::NAME, TypeId::TEXT, Implicit, 406, convert::retype_text),
    (TypeId::NAME, TypeId::BPCHAR, Assignment, 408, convert::retype_text),
    (TypeId::NAME, TypeId::VARCHAR, Assignment, 1401, convert::retype_text),
    (TypeId::INT8, TypeId::INT2, Assignment, 714, convert::to_int2),
    (TypeId::INT8, TypeId::INT4, Assignment, 480, convert::to_int4),
    (TypeId::INT8, TypeId::REGPROC, Implicit, 1287, convert::to_oid),
    (TypeId::INT8, TypeId::OID, Implicit, 1287, convert::to_oid),
    (TypeId::INT8, TypeId::FLOAT4, Implicit, 652, convert::to_float4),
    (TypeId::INT8, TypeId::FLOAT8, Implicit, 482, convert::to_float8),
    (TypeId::INT8, TypeId::NUMERIC, Implicit, 1781, convert::to_numeric),
    (TypeId::INT8, TypeId::REGPROCEDURE, Implicit, 1287, convert::to_oid),
    (TypeId::INT8, TypeId::REGCLASS, Implicit, 1287, convert::to_oid),
    (TypeId::INT8, TypeId::REGTYPE, Implicit, 1287, convert::to_oid),
    (TypeId::INT8, TypeId::REGNAMESPACE, Implicit, 1287, convert::to_oid),
    (TypeId::INT8, TypeId::REGROLE, Implicit, 1287, convert::to_oid),
    (TypeId::INT2, TypeId::INT8, Implicit, 754, convert::to_int8),
    (TypeId::INT2, TypeId::INT4, Implicit, 313, convert::to_int4),
    (TypeId::INT2, TypeId::REGPROC, Implicit, 313, convert::to_oid),
    (TypeId::INT2, TypeId::OID, Implicit, 313, convert::to_oid),
    (TypeId::INT2, TypeId::FLOAT4, Implicit, 236, convert::to_float4),
    (TypeId::INT2, TypeId::FLOAT8, Implicit, 235, convert::to_float8),
    (TypeId::INT2, TypeId::NUMERIC, Implicit, 1782, convert::to_numeric),
    (TypeId::INT2, TypeId::REGPROCEDURE, Implicit, 313, convert::to_oid),
    (TypeId::INT2, TypeId::REGCLASS, Implicit, 313, convert::to_oid),
    (TypeId::INT2, TypeId::REGTYPE, Implicit, 313, convert::to_oid),
    (TypeId::INT2, TypeId::REGNAMESPACE, Implicit, 313, convert::to_oid),
    (TypeId::INT2, TypeId::REGROLE, Implicit, 313, convert::to_oid),
    (TypeId::INT4, TypeId::BOOL, Explicit, 2557, convert::int4_to_bool),
    (TypeId::INT4, TypeId::CHAR, Explicit, 78, convert::int4_to_char),
    (TypeId::INT4, TypeId::INT8, Implicit, 481, convert::to_int8),
    (TypeId::INT4, TypeId::INT2, Assignment, 314, convert::to_int2),
    (TypeId::INT4, TypeId::REGPROC, Implicit, 0, convert::to_oid),
    (TypeId::INT4, TypeId::OID, Implicit, 0, convert::to_oid),
    (TypeId::INT4, TypeId::FLOAT4, Implicit, 318, convert::to_float4),
    (TypeId::INT4, TypeId::FLOAT8, Implicit, 316, convert::to_float8),
    (TypeId::INT4, TypeId::NUMERIC, Implicit, 1740, convert::to_numeric),
    (TypeId::INT4, TypeId::REGPROCEDURE, Implicit, 0, convert::to_oid),
    (TypeId::INT4, TypeId::REGCLASS, Implicit, 0, convert::to_oid),
    (TypeId::INT4, TypeId::REGTYPE, Implicit, 0, convert::to_oid),
    (TypeId::INT4, TypeId::REGNAMESPACE, Implicit, 0, convert::to_oid),
    (TypeId::INT4, TypeId::REGROLE, Implicit, 0, convert::to_oid),
    (TypeId::REGPROC, TypeId::INT8, Assignment, 1288, convert::to_int8),
    (TypeId::REGPROC, TypeId::INT4, Assignment, 0, convert::to_int4),
    (TypeId::REGPROC, TypeId::OID, Implicit, 0, convert::keep),
    (TypeId::REGPROC, TypeId::REGPROCEDURE, Implicit, 0, convert::keep),
    (TypeId::TEXT, TypeId::CHAR, Assignment, 944, convert::text_to_char),
    (TypeId::TEXT, TypeId::NAME, Implicit, 407, convert::text_to_name),
    (TypeId::TEXT, TypeId::BPCHAR, Implicit, 0, convert::keep),
    (TypeId::TEXT, TypeId::VARCHAR, Implicit, 0, convert::keep),
    (TypeId::TEXT, TypeId::REGCLASS, Implicit, 1079, convert::text_to_regclass),
    (TypeId::OID, TypeId::INT8, Assignment, 1288, convert::to_int8),
    (TypeId::OID, TypeId::INT4, Assignment, 0, convert::to_int4),
    (TypeId::OID, TypeId::REGPROC, Implicit, 0, convert::keep),
    (TypeId::OID, TypeId::REGPROCEDURE, Implicit, 0, convert::keep),
    (TypeId::OID, TypeId::REGCLASS, Implicit, 0, convert::keep),
    (TypeId::OID, TypeId::REGTYPE, Implicit, 0, convert::keep),
    (TypeId::OID, TypeId::REGNAMESPACE, Implicit, 0, convert::keep),
    (TypeId::OID, TypeId::REGROLE, Implicit, 0, convert::keep),
    (TypeId::PG_NODE_TREE, TypeId::TEXT, Implicit, 0, convert::keep),
    (TypeId::FLOAT4, TypeId::INT8, Assignment, 653, convert::to_int8),
    (TypeId::FLOAT4, TypeId::INT2, Assignment, 238, convert::to_int2),
    (TypeId::FLOAT4, TypeId::INT4, Assignment, 319, convert::to_int4),
    (TypeId::FLOAT4, TypeId::FLOAT8, Implicit, 311, convert::to_float8),
    (TypeId::FLOAT4, TypeId::NUMERIC, Assignment, 1742, convert::to_numeric),
    (TypeId::FLOAT8, TypeId::INT8, Assignment, 483, convert::to_int8),
    (TypeId::FLOAT8, TypeId::INT2, Assignment, 237, convert::to_int2),
    (TypeId::FLOAT8, TypeId::INT4, Assignment, 317, convert::to_int4),
    (TypeId::FLOAT8, TypeId::FLOAT4, Assignment, 312, convert::to_float4),
    (TypeId::FLOAT8, TypeId::NUMERIC, Assignment, 1743, convert::to_numeric),
    (TypeId::BPCHAR, TypeId::CHAR, Assignment, 944, convert::text_to_char),
    (TypeId::BPCHAR, TypeId::NAME, Implicit, 409, convert::bpchar_to_name),
    (TypeId::BPCHAR, TypeId::TEXT, Implicit, 401, convert::trim_blanks),
    (TypeId::BPCHAR, TypeId::BPCHAR, Implicit, 668, convert::keep),
    (TypeId::BPCHAR, TypeId::VARCHAR, Implicit, 401, convert::trim_blanks),
    (TypeId::VARCHAR, TypeId::CHAR, Assignment, 944, convert::text_to_char),
    (TypeId::VARCHAR, TypeId::NAME, Implicit, 1400, convert::text_to_name),
    (TypeId::VARCHAR, TypeId::TEXT, Implicit, 0, convert::keep),
    (TypeId::VARCHAR, TypeId::BPCHAR, Implicit, 0, convert::keep),
    (TypeId::VARCHAR, TypeId::VARCHAR, Implicit, 669, convert::keep),
    (TypeId::VARCHAR, TypeId::REGCLASS, Implicit, 1079, convert::text_to_regclass),
    (TypeId::DATE, TypeId::TIMESTAMP, Implicit, 2024, convert::date_to_timestamp),
    (TypeId::DATE, TypeId::TIMESTAMPTZ, Implicit, 1174, convert::date_to_timestamptz),
    (TypeId::TIMESTAMP, TypeId::DATE, Assignment, 2029, convert::timestamp_to_date),
    (TypeId::TIMESTAMP, TypeId::TIMESTAMP, Implicit, 1961, convert::keep),
    (TypeId::TIMESTAMP, TypeId::TIMESTAMPTZ, Implicit, 2028, convert::timestamp_to_timestamptz),
    (TypeId::TIMESTAMPTZ, TypeId::DATE, Assignment, 1178, convert::timestamptz_to_date),
    (TypeId::TIMESTAMPTZ, TypeId::TIMESTAMP, Assignment, 2027, convert::timestamptz_to_timestamp),
    (TypeId::TIMESTAMPTZ, TypeId::TIMESTAMPTZ, Implicit, 1967, convert::keep),
    (TypeId::INTERVAL, TypeId::INTERVAL, Implicit, 1200, convert::keep),
    (TypeId::NUMERIC, TypeId::INT8, Assignment, 1779, convert::to_int8),
    (TypeId::NUMERIC, TypeId::INT2, Assignment, 1783, convert::to_int2),
    (TypeId::NUMERIC, TypeId::INT4, Assignment, 1744, convert::to_int4),
    (TypeId::NUMERIC, TypeId::FLOAT4, Implicit, 1745, convert::to_float4),
    (TypeId::NUMERIC, TypeId::FLOAT8, Implicit, 1746, convert::to_float8),
    (TypeId::NUMERIC, TypeId::NUMERIC, Implicit, 1703, convert::keep),
    (TypeId::REGPROCEDURE, TypeId::INT8, Assignment, 1288, convert::to_int8),
    (TypeId::REGPROCEDURE, TypeId::INT4, Assignment, 0, convert::to_int4),
    (TypeId::REGPROCEDURE, TypeId::REGPROC, Implicit, 0, convert::keep),
    (TypeId::REGPROCEDURE, TypeId::OID, Implicit, 0, convert::keep),
    (TypeId::REGCLASS, TypeId::INT8, Assignment, 1288, convert::to_int8),
    (TypeId::REGCLASS, TypeId::INT4, Assignment, 0, convert::to_int4),
    (TypeId::REGCLASS, TypeId::OID, Implicit, 0, convert::keep),
    (TypeId::REGTYPE, TypeId::INT8, Assignment, 1288, convert::to_int8),
    (TypeId::REGTYPE, TypeId::INT4, Assignment, 0, convert::to_int4),
    (TypeId::REGTYPE, TypeId::OID, Implicit, 0, convert::keep),
    (TypeId::REGNAMESPACE, TypeId::INT8, Assignment, 1288, convert::to_int8),
    (TypeId::REGNAMESPACE, TypeId::INT4, Assignment, 0, convert::to_int4),
    (TypeId::REGNAMESPACE, TypeId::OID, Implicit, 0, convert::keep),
    (TypeId::REGROLE, TypeId::INT8, Assignment, 1288, convert::to_int8),
    (TypeId::REGROLE, TypeId::INT4, Assignment, 0, convert::to_int4),
    (TypeId::REGROLE, TypeId::OID, Implicit, 0, convert::keep),
];

/// The rows, sorted by source and target.
pub(super) fn casts() -> &'static [Cast] {
    static CASTS: OnceLock<Vec<Cast>> = OnceLock::new();
    CASTS.get_or_init(|| {
        let mut casts: Vec<Cast> = ROWS
            .iter()
            .map(|&(source, target, context, function, call)| Cast {
                source,
                target,
                context,
                function,
                call,
            })
            .collect();
        casts.sort_by_key(|cast| (cast.source, cast.target));
        casts
    })
}
