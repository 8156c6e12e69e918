//! Small questions about objects: how a type is written, what a name stands for, what may be done with a relation.

use super::{HostFunction, host, integer_at, oid_at, text_at};
use crate::catalog::object::{FIRST_USER_OID, PG_CATALOG_OID, classes};
use crate::catalog::system::{
    DELETES, INSERTS, UPDATES, changes_of_view, foreign_type_name, is_shared_class,
};
use crate::catalog::type_shown;
use crate::catalog::{Relation, registry};
use crate::execute::Context;
use crate::stop::Step;
use hexalog_sql_types::types::format_type;
use hexalog_sql_types::{Datum, SqlState, TypeId, Typmod};

const OID: &[TypeId] = &[TypeId::OID];
const TEXT: &[TypeId] = &[TypeId::TEXT];
const REGCLASS_BOOL: &[TypeId] = &[TypeId::REGCLASS, TypeId::BOOL];
const REGCLASS_INT2_BOOL: &[TypeId] = &[TypeId::REGCLASS, TypeId::INT2, TypeId::BOOL];

pub(super) static FUNCTIONS: &[HostFunction] = &[
    host(1081, "format_type", &[TypeId::OID, TypeId::INT4], TypeId::TEXT, type_text).called_on_null(),
    host(1619, "pg_typeof", &[TypeId::ANY], TypeId::REGTYPE, type_of).called_on_null(),
    host(3495, "to_regclass", TEXT, TypeId::REGCLASS, |context, arguments| {
        find(context, TypeId::REGCLASS, arguments)
    }),
    host(3493, "to_regtype", TEXT, TypeId::REGTYPE, |context, arguments| {
        find(context, TypeId::REGTYPE, arguments)
    }),
    host(3494, "to_regproc", TEXT, TypeId::REGPROC, |context, arguments| {
        find(context, TypeId::REGPROC, arguments)
    }),
    host(3479, "to_regprocedure", TEXT, TypeId::REGPROCEDURE, |context, arguments| {
        find(context, TypeId::REGPROCEDURE, arguments)
    }),
    host(4086, "to_regnamespace", TEXT, TypeId::REGNAMESPACE, |context, arguments| {
        find(context, TypeId::REGNAMESPACE, arguments)
    }),
    host(4093, "to_regrole", TEXT, TypeId::REGROLE, |context, arguments| {
        find(context, TypeId::REGROLE, arguments)
    }),
    host(1215, "obj_description", &[TypeId::OID, TypeId::NAME], TypeId::TEXT, |context, arguments| {
        comment_in(context, arguments, false)
    }),
    host(1348, "obj_description", OID, TypeId::TEXT, |context, arguments| {
        let oid = oid_at(arguments, 0);
        Ok(comment(context.view.catalog().comment(|class| !is_shared_class(class), oid, 0)))
    }),
    host(1216, "col_description", &[TypeId::OID, TypeId::INT4], TypeId::TEXT, |context, arguments| {
        let Datum::Int4(column) = arguments[1] else { return Ok(Datum::Null) };
        let oid = oid_at(arguments, 0);
        Ok(comment(context.view.catalog().comment(|class| class == classes::PG_CLASS, oid, column)))
    }),
    host(1993, "shobj_description", &[TypeId::OID, TypeId::NAME], TypeId::TEXT, |context, arguments| {
        comment_in(context, arguments, true)
    }),
    host(3778, "pg_tablespace_location", OID, TypeId::TEXT, tablespace_location),
    host(6121, "pg_relation_is_publishable", &[TypeId::REGCLASS], TypeId::BOOL, is_publishable),
    host(3842, "pg_relation_is_updatable", REGCLASS_BOOL, TypeId::INT4, relation_is_updatable),
    host(3843, "pg_column_is_updatable", REGCLASS_INT2_BOOL, TypeId::BOOL, column_is_updatable),
    host(3298, "row_security_active", OID, TypeId::BOOL, row_security_by_oid),
    host(3299, "row_security_active", TEXT, TypeId::BOOL, row_security_by_name),
];

/// NULL for no type; without a modifier the bare name.
fn type_text(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let Datum::Oid(oid) = arguments[0] else { return Ok(Datum::Null) };
    let typmod = match arguments[1] {
        Datum::Int4(typmod) => Some(Typmod(typmod)),
        _ => None,
    };
    let id = TypeId(oid);
    if id.is_enum() || id.is_enum_array() {
        return Ok(Datum::from(type_shown(context.view, id).unwrap_or_else(|| "???".to_owned())));
    }
    Ok(match foreign_type_name(oid) {
        Some(name) => Datum::text(name),
        None => Datum::from(format_type(TypeId(oid), typmod)),
    })
}

fn type_of(_: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    match arguments {
        [Datum::Record(record)] => Ok(Datum::Oid(record.types[0].0)),
        _ => unreachable!("arguments of any type come as one record"),
    }
}

/// `to_reg…`: what the name stands for, NULL if nothing. A text that is no name at all is an error here too.
fn find(context: &mut Context<'_>, id: TypeId, arguments: &[Datum]) -> Step<Datum> {
    match registry::registry_oid(context.view, id, text_at(arguments, 0)) {
        Ok(oid) => Ok(Datum::Oid(oid)),
        Err(error) => match error.sqlstate() {
            SqlState::UNDEFINED_TABLE
            | SqlState::UNDEFINED_OBJECT
            | SqlState::UNDEFINED_FUNCTION
            | SqlState::AMBIGUOUS_FUNCTION
            | SqlState::INVALID_SCHEMA_NAME => Ok(Datum::Null),
            _ => Err(error.into()),
        },
    }
}

fn comment(text: Option<String>) -> Datum {
    text.map_or(Datum::Null, Datum::from)
}

/// The comment on an object of the catalog that is named.
fn comment_in(context: &mut Context<'_>, arguments: &[Datum], of_cluster: bool) -> Step<Datum> {
    let catalog = context.view.catalog();
    let named = match catalog.relation_in(PG_CATALOG_OID, text_at(arguments, 1)) {
        Some(relation) => relation.oid(),
        None => return Ok(Datum::Null),
    };
    let is_wanted = |class| class == named && is_shared_class(class) == of_cluster;
    Ok(comment(catalog.comment(is_wanted, oid_at(arguments, 0), 0)))
}

/// Empty for the two built-in tablespaces, as in PostgreSQL; there are no others.
fn tablespace_location(_: &mut Context<'_>, _: &[Datum]) -> Step<Datum> {
    Ok(Datum::text(""))
}

/// What PostgreSQL would say of the relation; publications do not exist here.
fn is_publishable(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    Ok(match context.view.catalog().relation(oid_at(arguments, 0)) {
        Some(Relation::Table(table)) => Datum::Bool(table.oid >= FIRST_USER_OID),
        Some(_) => Datum::Bool(false),
        None => Datum::Null,
    })
}

/// Bits of the commands that change a relation.
fn relation_is_updatable(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    Ok(Datum::Int4(match context.view.catalog().relation(oid_at(arguments, 0)) {
        Some(Relation::Table(_)) => INSERTS | UPDATES | DELETES,
        Some(Relation::View(view)) => changes_of_view(context.view, &view).0,
        _ => 0,
    }))
}

fn column_is_updatable(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let at = usize::try_from(integer_at(arguments, 1) - 1).ok();
    Ok(Datum::Bool(match context.view.catalog().relation(oid_at(arguments, 0)) {
        Some(Relation::Table(_)) => at.is_some(),
        Some(Relation::View(view)) => {
            let (commands, columns) = changes_of_view(context.view, &view);
            let both = UPDATES | DELETES;
            commands & both == both && at.and_then(|at| columns.get(at)).copied().unwrap_or(false)
        }
        _ => false,
    }))
}

/// Row security does not exist: it is never active.
fn row_security_by_oid(_: &mut Context<'_>, _: &[Datum]) -> Step<Datum> {
    Ok(Datum::Bool(false))
}

fn row_security_by_name(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    registry::relation_by_name(context.view, text_at(arguments, 0))?;
    Ok(Datum::Bool(false))
}
