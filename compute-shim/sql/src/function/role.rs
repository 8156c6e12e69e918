//! Roles: `pg_get_userbyid` and `pg_has_role`.

use super::{HostFunction, host, oid_at, privilege, text_at};
use crate::catalog::registry;
use crate::execute::Context;
use crate::session::SessionView;
use crate::stop::Step;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, TypeId};

const ROLE_PRIVILEGES: &[&str] = &[
    "USAGE",
    "MEMBER",
    "USAGE WITH GRANT OPTION",
    "USAGE WITH ADMIN OPTION",
    "MEMBER WITH GRANT OPTION",
    "MEMBER WITH ADMIN OPTION",
];

pub(super) static FUNCTIONS: &[HostFunction] = &[
    host(1642, "pg_get_userbyid", &[TypeId::OID], TypeId::NAME, user_by_id),
    host(2705, "pg_has_role", &[TypeId::NAME, TypeId::NAME, TypeId::TEXT], TypeId::BOOL, has_role),
    host(2706, "pg_has_role", &[TypeId::NAME, TypeId::OID, TypeId::TEXT], TypeId::BOOL, has_role),
    host(2707, "pg_has_role", &[TypeId::OID, TypeId::NAME, TypeId::TEXT], TypeId::BOOL, has_role),
    host(2708, "pg_has_role", &[TypeId::OID, TypeId::OID, TypeId::TEXT], TypeId::BOOL, has_role),
    host(2709, "pg_has_role", &[TypeId::NAME, TypeId::TEXT], TypeId::BOOL, has_role),
    host(2710, "pg_has_role", &[TypeId::OID, TypeId::TEXT], TypeId::BOOL, has_role),
];

fn user_by_id(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let oid = oid_at(arguments, 0);
    Ok(match context.view.catalog().role(oid) {
        Some(role) => Datum::text(&*role.name),
        None => Datum::from(format!("unknown (OID={oid})")),
    })
}

/// Whether an argument names a role by number or, with 42704 if there is none, by name.
pub(super) fn is_role(view: &SessionView, argument: &Datum) -> Result<bool> {
    match argument {
        Datum::Text(name) => registry::role_by_name(view, name).map(|_| true),
        Datum::Oid(oid) => Ok(view.catalog().role(*oid).is_some()),
        other => unreachable!("roles are named by name or number: {other:?}"),
    }
}

/// Every role is a superuser, which has all roles.
fn has_role(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let (privilege, roles) = arguments.split_last().expect("two or three arguments");
    privilege::check(text_at(std::slice::from_ref(privilege), 0), ROLE_PRIVILEGES)?;
    let mut all = true;
    for role in roles {
        all &= is_role(context.view, role)?;
    }
    Ok(Datum::Bool(all))
}
