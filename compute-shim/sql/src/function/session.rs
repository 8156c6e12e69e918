//! The session: who, where, which settings, which server.

use super::{HostFunction, bool_at, host, integer_at, oid_at, text_at};
use crate::catalog::object::{Oid, PG_CATALOG_OID, TEMPORARY_ALIAS};
use crate::catalog::system::ENCODING_UTF8;
use crate::execute::Context;
use crate::session::{SERVER_VERSION, SessionView};
use crate::stop::Step;
use hexalog_sql_types::{Array, Datum, SqlError, SqlState, TypeId};

pub(super) static FUNCTIONS: &[HostFunction] = &[
    host(861, "current_database", &[], TypeId::NAME, current_database),
    host(1402, "current_schema", &[], TypeId::NAME, current_schema),
    host(1403, "current_schemas", &[TypeId::BOOL], TypeId::NAME_ARRAY, current_schemas),
    host(745, "current_user", &[], TypeId::NAME, current_user),
    host(746, "session_user", &[], TypeId::NAME, current_user),
    host(89, "version", &[], TypeId::TEXT, version),
    host(2026, "pg_backend_pid", &[], TypeId::INT4, backend_pid),
    host(2561, "pg_blocking_pids", &[TypeId::INT4], TypeId::INT4_ARRAY, blocking_pids).volatile(),
    host(2077, "current_setting", &[TypeId::TEXT], TypeId::TEXT, current_setting),
    host(3294, "current_setting", &[TypeId::TEXT, TypeId::BOOL], TypeId::TEXT, current_setting),
    host(2078, "set_config", &[TypeId::TEXT, TypeId::TEXT, TypeId::BOOL], TypeId::TEXT, set_config)
        .once()
        .called_on_null(),
    host(1039, "getdatabaseencoding", &[], TypeId::NAME, database_encoding),
    host(810, "pg_client_encoding", &[], TypeId::NAME, client_encoding),
    host(1597, "pg_encoding_to_char", &[TypeId::INT4], TypeId::NAME, encoding_to_char),
    host(1264, "pg_char_to_encoding", &[TypeId::NAME], TypeId::INT4, char_to_encoding),
    host(3810, "pg_is_in_recovery", &[], TypeId::BOOL, no).volatile(),
    host(315, "pg_jit_available", &[], TypeId::BOOL, no).volatile(),
    host(2854, "pg_my_temp_schema", &[], TypeId::OID, own_temporary_schema),
    host(2855, "pg_is_other_temp_schema", &[TypeId::OID], TypeId::BOOL, is_other_temporary_schema),
    host(3163, "pg_trigger_depth", &[], TypeId::INT4, trigger_depth),
];

/// PostgreSQL's encodings by number.
#[rustfmt::skip]
const ENCODINGS: &[&str] = &[
    "SQL_ASCII", "EUC_JP", "EUC_CN", "EUC_KR", "EUC_TW", "EUC_JIS_2004", "UTF8", "MULE_INTERNAL", "LATIN1", "LATIN2",
    "LATIN3", "LATIN4", "LATIN5", "LATIN6", "LATIN7", "LATIN8", "LATIN9", "LATIN10", "WIN1256", "WIN1258", "WIN866",
    "WIN874", "KOI8R", "WIN1251", "WIN1252", "ISO_8859_5", "ISO_8859_6", "ISO_8859_7", "ISO_8859_8", "WIN1250",
    "WIN1253", "WIN1254", "WIN1255", "WIN1257", "KOI8U", "SJIS", "BIG5", "GBK", "UHC", "GB18030", "JOHAB",
    "SHIFT_JIS_2004",
];

fn current_database(context: &mut Context<'_>, _: &[Datum]) -> Step<Datum> {
    Ok(Datum::text(&*context.view.database))
}

/// Which sessions the one of this number waits for.
fn blocking_pids(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let blocking =
        i32::try_from(integer_at(arguments, 0)).map(|pid| context.stores.engine.blocking_processes(pid));
    context.stores.engine.note_locks_seen(context.stores.transaction);
    let blocking = blocking.unwrap_or_default().into_iter().map(Datum::Int4).collect();
    Ok(Array::from_values(TypeId::INT4, blocking).into())
}

fn current_user(context: &mut Context<'_>, _: &[Datum]) -> Step<Datum> {
    Ok(Datum::text(&*context.view.user))
}

/// The search path without what is in it unasked: `pg_catalog` and the schema of temporary objects.
fn written_path(view: &SessionView) -> impl Iterator<Item = Oid> {
    let is_unasked = |name: &str, schema: Option<Oid>| {
        schema.filter(|_| view.settings.search_path().iter().all(|written| written != name))
    };
    let unasked = [
        is_unasked("pg_catalog", Some(PG_CATALOG_OID)),
        is_unasked(TEMPORARY_ALIAS, view.temporary_schema()),
    ];
    view.search_path().iter().copied().filter(move |&schema| !unasked.contains(&Some(schema)))
}

fn current_schema(context: &mut Context<'_>, _: &[Datum]) -> Step<Datum> {
    let first = written_path(context.view).next();
    Ok(first.map_or(Datum::Null, |schema| Datum::text(context.view.catalog().schema_name(schema))))
}

fn current_schemas(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let view = context.view;
    let schemas: Vec<Oid> = match bool_at(arguments, 0) {
        true => view.search_path().to_vec(),
        false => written_path(view).collect(),
    };
    let names = schemas.into_iter().map(|schema| Datum::text(view.catalog().schema_name(schema)));
    Ok(Array::from_values(TypeId::NAME, names.collect()).into())
}

/// Clients read the number behind the first word and take their ways by it.
fn version(_: &mut Context<'_>, _: &[Datum]) -> Step<Datum> {
    Ok(Datum::from(format!("PostgreSQL {SERVER_VERSION} (Hexalog {})", env!("CARGO_PKG_VERSION"))))
}

fn backend_pid(context: &mut Context<'_>, _: &[Datum]) -> Step<Datum> {
    Ok(Datum::Int4(context.view.process_id))
}

fn current_setting(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let name = text_at(arguments, 0);
    // What `set_config` has set in this statement holds for what is evaluated behind it.
    let pending = context.effects.settings.iter().rev().find(|setting| setting.0.eq_ignore_ascii_case(name));
    if let Some((name, value, _)) = pending {
        return Ok(Datum::from(context.view.settings.check(name, value)?));
    }
    match context.view.settings.show(name) {
        Ok((_, value)) => Ok(Datum::from(value)),
        Err(error) => {
            let missing_ok = arguments.len() > 1 && bool_at(arguments, 1);
            let is_missing = error.sqlstate() == SqlState::UNDEFINED_OBJECT;
            if missing_ok && is_missing { Ok(Datum::Null) } else { Err(error.into()) }
        }
    }
}

fn set_config(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let Some(name) = arguments[0].as_str() else {
        return Err(SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, "SET requires parameter name").into());
    };
    let Some(value) = arguments[1].as_str() else {
        return Err(SqlError::unsupported("set_config with a null value").into());
    };
    let is_local = arguments[2].as_bool() == Some(true);
    let shown = context.view.settings.check(name, value)?;
    context.effects.settings.push((name.to_owned(), value.to_owned(), is_local));
    Ok(Datum::from(shown))
}

fn database_encoding(_: &mut Context<'_>, _: &[Datum]) -> Step<Datum> {
    Ok(encoding_name(i64::from(ENCODING_UTF8)))
}

fn client_encoding(context: &mut Context<'_>, _: &[Datum]) -> Step<Datum> {
    let (_, value) = context.view.settings.show("client_encoding")?;
    Ok(Datum::from(value))
}

/// The empty name for a number without an encoding.
fn encoding_name(number: i64) -> Datum {
    let name = usize::try_from(number).ok().and_then(|number| ENCODINGS.get(number));
    Datum::text(name.copied().unwrap_or(""))
}

fn encoding_to_char(_: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    Ok(encoding_name(integer_at(arguments, 0)))
}

/// Case and punctuation do not count. -1 for a name that is none.
fn char_to_encoding(_: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let plain = |name: &str| -> String {
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
    };
    let wanted = plain(text_at(arguments, 0));
    let wanted = match wanted.as_str() {
        "unicode" => "utf8",
        "iso88591" => "latin1",
        "iso885915" => "latin9",
        other => other,
    };
    let found = ENCODINGS.iter().position(|name| plain(name) == wanted);
    Ok(Datum::Int4(found.and_then(|at| i32::try_from(at).ok()).unwrap_or(-1)))
}

/// For questions whose answer here is always no.
fn no(_: &mut Context<'_>, _: &[Datum]) -> Step<Datum> {
    Ok(Datum::Bool(false))
}

fn own_temporary_schema(context: &mut Context<'_>, _: &[Datum]) -> Step<Datum> {
    Ok(Datum::Oid(context.view.temporary_schema().unwrap_or(0)))
}

fn is_other_temporary_schema(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let view = context.view;
    Ok(Datum::Bool(view.is_of_other_session(view.catalog(), oid_at(arguments, 0))))
}

fn trigger_depth(_: &mut Context<'_>, _: &[Datum]) -> Step<Datum> {
    Ok(Datum::Int4(0))
}
