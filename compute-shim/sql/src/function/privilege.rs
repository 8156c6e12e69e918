//! `has_…_privilege`: whether a role may do something with an object.
//!
//! Every role is a superuser, so that the answer is yes for every object that there is. What is left are the checks: a
//! role, an object or a privilege that does not exist is an error where it is named, and NULL or no where it is
//! numbered, as in PostgreSQL.

use super::{HostFunction, host, oid_at, role, text_at};
use crate::catalog::object::Oid;
use crate::catalog::system::{routine_name, routines};
use crate::catalog::{Relation, registry};
use crate::execute::Context;
use crate::session::SessionView;
use crate::stop::Step;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Array, Datum, SqlError, SqlState, TypeId};

const NAME: TypeId = TypeId::NAME;
const OID: TypeId = TypeId::OID;
const TEXT: TypeId = TypeId::TEXT;
const INT2: TypeId = TypeId::INT2;

/// The six forms of each function in order of their oids: the role by name, by number, or the current one; the object by
/// name or by number.
macro_rules! six_forms {
    ($($first:literal $name:literal $call:ident;)*) => {
        &[$(
            host($first, $name, &[NAME, TEXT, TEXT], TypeId::BOOL, $call),
            host($first + 1, $name, &[NAME, OID, TEXT], TypeId::BOOL, $call),
            host($first + 2, $name, &[OID, TEXT, TEXT], TypeId::BOOL, $call),
            host($first + 3, $name, &[OID, OID, TEXT], TypeId::BOOL, $call),
            host($first + 4, $name, &[TEXT, TEXT], TypeId::BOOL, $call),
            host($first + 5, $name, &[OID, TEXT], TypeId::BOOL, $call),
        )*]
    };
}

pub(super) static FUNCTIONS: &[HostFunction] = six_forms! {
    1922 "has_table_privilege" table;
    2181 "has_sequence_privilege" sequence;
    2250 "has_database_privilege" database;
    2256 "has_function_privilege" function;
    2262 "has_language_privilege" language;
    2268 "has_schema_privilege" schema;
    2390 "has_tablespace_privilege" tablespace;
    3024 "has_any_column_privilege" any_column;
    3138 "has_type_privilege" type_;
};

pub(super) static COLUMN_FUNCTIONS: &[HostFunction] = &[
    host(3943, "acldefault", &[TypeId::CHAR, OID], TypeId::ACLITEM_ARRAY, default_acl),
    host(3012, "has_column_privilege", &[NAME, TEXT, TEXT, TEXT], TypeId::BOOL, column),
    host(3013, "has_column_privilege", &[NAME, TEXT, INT2, TEXT], TypeId::BOOL, column),
    host(3014, "has_column_privilege", &[NAME, OID, TEXT, TEXT], TypeId::BOOL, column),
    host(3015, "has_column_privilege", &[NAME, OID, INT2, TEXT], TypeId::BOOL, column),
    host(3016, "has_column_privilege", &[OID, TEXT, TEXT, TEXT], TypeId::BOOL, column),
    host(3017, "has_column_privilege", &[OID, TEXT, INT2, TEXT], TypeId::BOOL, column),
    host(3018, "has_column_privilege", &[OID, OID, TEXT, TEXT], TypeId::BOOL, column),
    host(3019, "has_column_privilege", &[OID, OID, INT2, TEXT], TypeId::BOOL, column),
    host(3020, "has_column_privilege", &[TEXT, TEXT, TEXT], TypeId::BOOL, column),
    host(3021, "has_column_privilege", &[TEXT, INT2, TEXT], TypeId::BOOL, column),
    host(3022, "has_column_privilege", &[OID, TEXT, TEXT], TypeId::BOOL, column),
    host(3023, "has_column_privilege", &[OID, INT2, TEXT], TypeId::BOOL, column),
];

/// What everybody and the owner may do with an object that nothing was granted on.
fn default_acl(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let Datum::Char(kind) = arguments[0] else { unreachable!("a \"char\"") };
    // What PUBLIC may do, and what the owner.
    let (public, owner) = match kind {
        b'c' => ("", ""),
        b'r' => ("", "arwdDxt"),
        b's' => ("", "rwU"),
        b'd' => ("Tc", "CTc"),
        b'f' => ("X", "X"),
        b'l' | b'T' => ("U", "U"),
        b'L' => ("", "rw"),
        b'n' => ("", "UC"),
        b't' => ("", "C"),
        b'F' | b'S' => ("", "U"),
        b'p' => ("", "sA"),
        other => {
            let message = format!("unrecognized objtype abbreviation: {}", char::from(other));
            return Err(SqlError::internal(message).into());
        }
    };
    let role = oid_at(arguments, 1);
    let name = context.view.catalog().roles().find(|known| known.oid == role);
    let name = name.map_or_else(|| role.to_string(), |known| known.name.clone());
    let items = [("", public), (name.as_str(), owner)].into_iter().filter(|(_, rights)| !rights.is_empty());
    let items = items.map(|(who, rights)| Datum::text(format!("{who}={rights}/{name}"))).collect();
    Ok(Array::from_values(TypeId::ACLITEM, items).into())
}

/// 22023 unless every item of the list is one of these words.
pub(super) fn check(list: &str, known: &[&str]) -> Result<()> {
    for item in list.split(',') {
        let item = item.trim();
        if !known.iter().any(|word| word.eq_ignore_ascii_case(item)) {
            return Err(SqlError::invalid_parameter(format!("unrecognized privilege type: \"{item}\"")));
        }
    }
    Ok(())
}

/// The same for privileges that can be granted on.
fn check_grantable(list: &str, known: &[&str]) -> Result<()> {
    const GRANT_OPTION: &str = " WITH GRANT OPTION";
    for item in list.split(',') {
        let item = item.trim();
        let cut = item.len().checked_sub(GRANT_OPTION.len()).filter(|&cut| item.is_char_boundary(cut));
        let plain = match cut.map(|cut| item.split_at(cut)) {
            Some((plain, option)) if option.eq_ignore_ascii_case(GRANT_OPTION) => plain,
            _ => item,
        };
        if !known.iter().any(|word| word.eq_ignore_ascii_case(plain)) {
            return Err(SqlError::invalid_parameter(format!("unrecognized privilege type: \"{item}\"")));
        }
    }
    Ok(())
}

/// How an object is found. By name: its number, or the error that it does not exist. By number: whether it exists.
struct Kind {
    privileges: &'static [&'static str],
    by_name: fn(&SessionView, &str) -> Result<Oid>,
    exists: fn(&SessionView, Oid) -> Result<bool>,
}

/// The answer for one of the six forms.
fn answer(context: &Context<'_>, arguments: &[Datum], kind: &Kind) -> Step<Datum> {
    let view = context.view;
    let (rest, privileges) = arguments.split_at(arguments.len() - 1);
    let (role, object) = rest.split_at(rest.len() - 1);
    let role_exists = role.first().map_or(Ok(true), |role| named_role(view, role))?;
    let object = match &object[0] {
        Datum::Text(name) => (kind.by_name)(view, name)?,
        _ => oid_at(object, 0),
    };
    check_grantable(text_at(privileges, 0), kind.privileges)?;
    Ok(if (kind.exists)(view, object)? { Datum::Bool(role_exists) } else { Datum::Null })
}

/// `public` stands for all roles, present and future; what they may do hangs on grants, which do not exist yet.
fn named_role(view: &SessionView, role: &Datum) -> Result<bool> {
    if role.as_str() == Some("public") {
        return Err(SqlError::unsupported("asking for the privileges of public"));
    }
    role::is_role(view, role)
}

fn relation_by_name(view: &SessionView, name: &str) -> Result<Oid> {
    registry::relation_by_name(view, name).map(|relation| relation.oid())
}

fn relation_exists(view: &SessionView, oid: Oid) -> Result<bool> {
    Ok(view.catalog().relation(oid).is_some())
}

fn table(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let kind = Kind {
        privileges: &["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"],
        by_name: relation_by_name,
        exists: relation_exists,
    };
    answer(context, arguments, &kind)
}

const COLUMN_PRIVILEGES: &[&str] = &["SELECT", "INSERT", "UPDATE", "REFERENCES"];

fn any_column(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let kind = Kind { privileges: COLUMN_PRIVILEGES, by_name: relation_by_name, exists: relation_exists };
    answer(context, arguments, &kind)
}

fn sequence(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let kind = Kind {
        privileges: &["USAGE", "SELECT", "UPDATE"],
        by_name: relation_by_name,
        exists: |view, oid| match view.catalog().relation(oid) {
            Some(Relation::Sequence(_)) => Ok(true),
            Some(relation) => {
                let message = format!("\"{}\" is not a sequence", relation.name());
                Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message))
            }
            None => Ok(false),
        },
    };
    answer(context, arguments, &kind)
}

fn database(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let kind = Kind {
        privileges: &["CREATE", "TEMPORARY", "TEMP", "CONNECT"],
        by_name: |view, name| {
            let found = view.catalog().database_by_name(name).map(|database| database.oid);
            found.ok_or_else(|| {
                let message = format!("database \"{name}\" does not exist");
                SqlError::new(SqlState::INVALID_CATALOG_NAME, message)
            })
        },
        exists: |view, oid| Ok(view.catalog().databases().any(|database| database.oid == oid)),
    };
    answer(context, arguments, &kind)
}

fn schema(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let kind = Kind {
        privileges: &["CREATE", "USAGE"],
        by_name: registry::schema_by_name,
        exists: |view, oid| Ok(view.catalog().schema(oid).is_some()),
    };
    answer(context, arguments, &kind)
}

fn function(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let kind = Kind {
        privileges: &["EXECUTE"],
        by_name: |view, name| registry::registry_oid(view, TypeId::REGPROCEDURE, name),
        exists: |_, oid| Ok(routine_name(oid).is_some() || routines().any(|routine| routine.oid == oid)),
    };
    answer(context, arguments, &kind)
}

fn type_(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let kind = Kind {
        privileges: &["USAGE"],
        by_name: |view, name| registry::registry_oid(view, TypeId::REGTYPE, name),
        exists: |view, oid| Ok(TypeId(oid).info().is_some() || view.catalog().enum_of(TypeId(oid)).is_some()),
    };
    answer(context, arguments, &kind)
}

/// The one language and the two tablespaces, as `pg_language` and `pg_tablespace` list them.
fn fixed(list: &[(Oid, &str)], kind: &str, name: &str) -> Result<Oid> {
    let found = list.iter().find(|object| object.1 == name).map(|object| object.0);
    found.ok_or_else(|| SqlError::undefined_object(kind, name))
}

const LANGUAGES: &[(Oid, &str)] = &[(12, "internal")];
const TABLESPACES: &[(Oid, &str)] = &[(1663, "pg_default"), (1664, "pg_global")];

fn language(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let kind = Kind {
        privileges: &["USAGE"],
        by_name: |_, name| fixed(LANGUAGES, "language", name),
        exists: |_, oid| Ok(LANGUAGES.iter().any(|language| language.0 == oid)),
    };
    answer(context, arguments, &kind)
}

fn tablespace(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let kind = Kind {
        privileges: &["CREATE"],
        by_name: |_, name| fixed(TABLESPACES, "tablespace", name),
        exists: |_, oid| Ok(TABLESPACES.iter().any(|tablespace| tablespace.0 == oid)),
    };
    answer(context, arguments, &kind)
}

fn column(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let view = context.view;
    let at = arguments.len() - 3;
    let role_exists = arguments[..at].first().map_or(Ok(true), |role| named_role(view, role))?;
    let relation = match &arguments[at] {
        Datum::Text(name) => Some(registry::relation_by_name(view, name)?),
        _ => view.catalog().relation(oid_at(arguments, at)),
    };
    let Some(relation) = relation else {
        check_grantable(text_at(arguments, at + 2), COLUMN_PRIVILEGES)?;
        return Ok(Datum::Null);
    };
    let exists = has_column(&relation, &arguments[at + 1])?;
    check_grantable(text_at(arguments, at + 2), COLUMN_PRIVILEGES)?;
    Ok(if exists { Datum::Bool(role_exists) } else { Datum::Null })
}

/// 42703 for a name that is no column's; false for a number that is none's.
fn has_column(relation: &Relation, column: &Datum) -> Result<bool> {
    let names: Vec<Option<&str>> = match relation {
        Relation::Table(table) => {
            table.columns.iter().map(|column| (!column.dropped).then_some(&*column.name)).collect()
        }
        Relation::View(view) => view.columns.iter().map(|column| Some(&*column.name)).collect(),
        Relation::System(table) => table.columns.iter().map(|column| Some(column.name)).collect(),
        Relation::Index(..) | Relation::Sequence(_) => Vec::new(),
    };
    if let Some(name) = column.as_str() {
        return match names.contains(&Some(name)) {
            true => Ok(true),
            false => {
                let message = format!("column \"{name}\" of relation \"{}\" does not exist", relation.name());
                Err(SqlError::new(SqlState::UNDEFINED_COLUMN, message))
            }
        };
    }
    let at = column.as_i64().and_then(|number| usize::try_from(number - 1).ok());
    Ok(at.and_then(|at| names.get(at)).is_some_and(Option::is_some))
}
