//! Functions that PostgreSQL has and this product has not: a call resolves as it would there and is refused by name, so
//! that it is neither called unknown nor answered wrongly.

use super::{HostFunction, host};
use crate::stop::Step;
use hexalog_sql_types::{Datum, SqlError, TypeId};

const INT8: TypeId = TypeId::INT8;
const INT4: TypeId = TypeId::INT4;
const TEXT: TypeId = TypeId::TEXT;

/// Rows of functions whose code is the refusal.
macro_rules! refused {
    ($($oid:literal $name:literal ($($argument:expr),*) $result:ident $(with $defaults:literal default)?;)*) => {
        const REFUSED: &[u32] = &[$($oid,)*];

        pub(super) static FUNCTIONS: &[HostFunction] = &[$(
            HostFunction {
                defaults: 0 $(+ $defaults)?,
                ..host($oid, $name, &[$($argument),*], TypeId::$result, |_, _| refuse($name)).volatile().called_on_null()
            },
        )*];
    };
}

refused! {
    2560 "pg_postmaster_start_time" () TIMESTAMPTZ;
    2034 "pg_conf_load_time" () TIMESTAMPTZ;
    2621 "pg_reload_conf" () BOOL;
    3036 "pg_notify" (TEXT, TEXT) VOID;
    3809 "pg_export_snapshot" () TEXT;
    2943 "txid_current" () INT8;
    3348 "txid_current_if_assigned" () INT8;
    3360 "txid_status" (INT8) TEXT;
    3334 "pg_size_bytes" (TEXT) INT8;
    2999 "pg_relation_filenode" (TypeId::REGCLASS) OID;
    3537 "pg_describe_object" (TypeId::OID, TypeId::OID, INT4) TEXT;
}

/// Whether a function stands in a table only to be refused.
pub(super) fn refuses(oid: u32) -> bool {
    REFUSED.contains(&oid)
}

fn refuse(name: &str) -> Step<Datum> {
    Err(SqlError::unsupported(format!("function {name}")).into())
}
