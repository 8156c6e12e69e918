//! `pg_…_is_visible`: whether an object's name alone leads to it. NULL for a number without an object.

use super::{HostFunction, host, oid_at};
use crate::catalog::is_type_visible;
use crate::catalog::object::PG_CATALOG_OID;
use crate::catalog::system::{COLLATIONS, OPERATOR_CLASSES, OPERATOR_FAMILIES, routines};
use crate::execute::Context;
use crate::stop::Step;
use hexalog_sql_types::{Datum, TypeId, operator};

const OID: &[TypeId] = &[TypeId::OID];

pub(super) static FUNCTIONS: &[HostFunction] = &[
    host(2079, "pg_table_is_visible", OID, TypeId::BOOL, relation),
    host(2080, "pg_type_is_visible", OID, TypeId::BOOL, |context, arguments| {
        let id = TypeId(oid_at(arguments, 0));
        if let Some(object) = context.view.catalog().enum_of(id) {
            return Ok(Datum::Bool(is_type_visible(context.view, object)));
        }
        built_in(context, id.info().is_some())
    }),
    host(2081, "pg_function_is_visible", OID, TypeId::BOOL, |context, arguments| {
        let oid = oid_at(arguments, 0);
        built_in(context, routines().any(|routine| routine.oid == oid))
    }),
    host(2082, "pg_operator_is_visible", OID, TypeId::BOOL, |context, arguments| {
        built_in(context, operator::by_oid(oid_at(arguments, 0)).is_some())
    }),
    host(2083, "pg_opclass_is_visible", OID, TypeId::BOOL, |context, arguments| {
        let oid = oid_at(arguments, 0);
        built_in(context, OPERATOR_CLASSES.iter().any(|class| class.oid == oid))
    }),
    host(3829, "pg_opfamily_is_visible", OID, TypeId::BOOL, |context, arguments| {
        let oid = oid_at(arguments, 0);
        built_in(context, OPERATOR_FAMILIES.iter().any(|family| family.0 == oid))
    }),
    host(3815, "pg_collation_is_visible", OID, TypeId::BOOL, |context, arguments| {
        let oid = oid_at(arguments, 0);
        built_in(context, COLLATIONS.iter().any(|collation| collation.0 == oid))
    }),
    host(2093, "pg_conversion_is_visible", OID, TypeId::BOOL, no_such_object),
    host(3403, "pg_statistics_obj_is_visible", OID, TypeId::BOOL, no_such_object),
    host(3756, "pg_ts_parser_is_visible", OID, TypeId::BOOL, no_such_object),
    host(3757, "pg_ts_dict_is_visible", OID, TypeId::BOOL, no_such_object),
    host(3758, "pg_ts_config_is_visible", OID, TypeId::BOOL, no_such_object),
    host(3768, "pg_ts_template_is_visible", OID, TypeId::BOOL, no_such_object),
];

fn relation(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let catalog = context.view.catalog();
    let found = catalog.relation(oid_at(arguments, 0));
    Ok(found.map_or(Datum::Null, |relation| {
        Datum::Bool(catalog.is_visible(context.view.search_path(), &relation))
    }))
}

/// Of these kinds, users cannot make their own: all are in `pg_catalog`, which every search path holds, and nothing
/// stands in front of them.
fn built_in(context: &Context<'_>, exists: bool) -> Step<Datum> {
    assert!(context.view.search_path().contains(&PG_CATALOG_OID), "every path holds pg_catalog");
    Ok(if exists { Datum::Bool(true) } else { Datum::Null })
}

/// For kinds of which there are no objects here.
fn no_such_object(_: &mut Context<'_>, _: &[Datum]) -> Step<Datum> {
    Ok(Datum::Null)
}
