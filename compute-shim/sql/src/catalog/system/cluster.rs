//! What belongs to the cluster and the session rather than to a schema: databases, roles, tablespaces, schemas, settings.

use super::relation::GLOBAL_TABLESPACE_OID;
use super::value::{FALSE, NULL, TRUE, oid, text, text_array};
use crate::catalog::object::{
    DATABASE_OWNER_OID, DatabaseObject, FIRST_USER_OID, Oid, PUBLIC_OID, ROLE_OID, Role, Schema, classes,
};
use crate::execute::Row;
use crate::session::{CursorView, SessionView, StatementView};
use hexalog_sql_types::datetime::{Interval, TimeZone, Timestamptz};
use hexalog_sql_types::{Array, Datum, TypeId};
use std::sync::Arc;

/// Tablespace `pg_default`.
pub(super) const DEFAULT_TABLESPACE_OID: Oid = 1663;
/// Oid of `pg_namespace`.
const PG_NAMESPACE_OID: Oid = 2615;
/// `UTF8`, the one encoding.
pub(crate) const ENCODING_UTF8: i32 = 6;

/// A setting's value as SHOW prints it.
fn setting(view: &SessionView, name: &str) -> Datum {
    view.settings.show(name).map_or(NULL, |(_, value)| text(value))
}

pub(super) fn pg_database(view: &SessionView) -> Vec<Row> {
    let mut rows = Vec::new();
    for database in view.catalog().databases() {
        rows.push(vec![
            oid(database.oid),
            text(&database.name),
            oid(database.owner),
            Datum::Int4(ENCODING_UTF8),
            Datum::Char(b'c'),
            Datum::Bool(database.is_template),
            Datum::Bool(database.allows_connections),
            Datum::Int4(database.connection_limit),
            oid(0),
            oid(0),
            oid(DEFAULT_TABLESPACE_OID),
            setting(view, "lc_collate"),
            setting(view, "lc_ctype"),
            NULL,
            NULL,
            NULL,
        ]);
    }
    rows
}

/// What the sessions of each database begin with; roles have no settings of their own.
pub(super) fn pg_db_role_setting(view: &SessionView) -> Vec<Row> {
    let settings = |database: &Arc<DatabaseObject>| {
        text_array(database.settings.iter().map(|(name, value)| format!("{name}={value}")))
    };
    let databases = view.catalog().databases().filter(|database| !database.settings.is_empty());
    databases.map(|database| vec![oid(database.oid), oid(0), settings(database)]).collect()
}

/// What a role may: all, but for the one that stands for whoever owns the database.
fn may(role: &Role) -> Datum {
    Datum::Bool(role.oid != DATABASE_OWNER_OID)
}

/// There is one kind of role that logs in: a superuser that may do all there is. Replication by slots does not exist here, but the
/// attribute says what the role would be allowed.
pub(super) fn pg_roles(view: &SessionView) -> Vec<Row> {
    let row = |role: &Arc<Role>| {
        let mut row = vec![text(&role.name)];
        row.extend([may(role), TRUE]);
        row.extend(std::iter::repeat_n(may(role), 4));
        row.extend([Datum::Int4(-1), text("********"), NULL, may(role), NULL, oid(role.oid)]);
        row
    };
    view.catalog().roles().map(row).collect()
}

/// Passwords do not exist yet.
pub(super) fn pg_authid(view: &SessionView) -> Vec<Row> {
    let row = |role: &Arc<Role>| {
        let mut row = vec![oid(role.oid), text(&role.name)];
        row.extend([may(role), TRUE]);
        row.extend(std::iter::repeat_n(may(role), 5));
        row.extend([Datum::Int4(-1), NULL, NULL]);
        row
    };
    view.catalog().roles().map(row).collect()
}

fn user_row(role: &Role, password: Datum) -> Row {
    let mut row = vec![text(&role.name), oid(role.oid)];
    row.extend(std::iter::repeat_n(TRUE, 4));
    row.extend([password, NULL, NULL]);
    row
}

/// Roles that can log in.
fn users(view: &SessionView) -> impl Iterator<Item = &Arc<Role>> {
    view.catalog().roles().filter(|role| role.oid != DATABASE_OWNER_OID)
}

pub(super) fn pg_user(view: &SessionView) -> Vec<Row> {
    users(view).map(|role| user_row(role, text("********"))).collect()
}

pub(super) fn pg_shadow(view: &SessionView) -> Vec<Row> {
    users(view).map(|role| user_row(role, NULL)).collect()
}

/// The two names that clients expect; there is one place for all pages.
pub(super) fn pg_tablespace(_: &SessionView) -> Vec<Row> {
    let row = |number, name| vec![oid(number), text(name), oid(ROLE_OID), NULL, NULL];
    vec![row(DEFAULT_TABLESPACE_OID, "pg_default"), row(GLOBAL_TABLESPACE_OID, "pg_global")]
}

pub(super) fn pg_namespace(view: &SessionView) -> Vec<Row> {
    let row = |schema: &Arc<Schema>| {
        let acl = if is_first(schema) { schema_acl(view, schema.owner) } else { NULL };
        vec![oid(schema.oid), text(&schema.name), oid(schema.owner), acl]
    };
    view.catalog().schemas().map(row).collect()
}

/// The schemas that are there from the start: everybody may look into them.
fn is_first(schema: &Schema) -> bool {
    schema.oid < FIRST_USER_OID
}

fn schema_acl(view: &SessionView, owner: Oid) -> Datum {
    let name = view.catalog().role(owner).map_or("", |role| role.name.as_str());
    let items = [format!("{name}=UC/{name}"), format!("=U/{name}")];
    Array::from_values(TypeId::ACLITEM, items.map(Datum::from).into()).into()
}

/// What the first schemas allowed from the start.
pub(super) fn pg_init_privs(view: &SessionView) -> Vec<Row> {
    let first = view.catalog().schemas().filter(|schema| is_first(schema));
    let row = |schema: &Arc<Schema>| {
        let owner = if schema.oid == PUBLIC_OID { DATABASE_OWNER_OID } else { ROLE_OID };
        let acl = schema_acl(view, owner);
        vec![oid(schema.oid), oid(PG_NAMESPACE_OID), Datum::Int4(0), Datum::Char(b'i'), acl]
    };
    first.map(row).collect()
}

/// The comments on what belongs to the database, or to the cluster: object, catalog, column, text.
fn comments(view: &SessionView, of_cluster: bool) -> Vec<(Oid, Oid, i32, String)> {
    let all = view.catalog().all_comments();
    let all =
        all.flat_map(|kept| kept.texts.into_iter().map(move |(class, at, text)| (kept.oid, class, at, text)));
    all.filter(|(_, class, _, text)| is_shared_class(*class) == of_cluster && !text.is_empty()).collect()
}

/// Whether the objects of a catalog belong to the whole cluster.
pub(crate) fn is_shared_class(class: Oid) -> bool {
    matches!(class, classes::PG_DATABASE | classes::PG_AUTHID)
}

pub(super) fn pg_description(view: &SessionView) -> Vec<Row> {
    let row = |(object, class, at, comment)| vec![oid(object), oid(class), Datum::Int4(at), text(comment)];
    comments(view, false).into_iter().map(row).collect()
}

pub(super) fn pg_shdescription(view: &SessionView) -> Vec<Row> {
    let row = |(object, class, _, comment)| vec![oid(object), oid(class), text(comment)];
    comments(view, true).into_iter().map(row).collect()
}

pub(super) fn pg_settings(view: &SessionView) -> Vec<Row> {
    let optional = |value: Option<String>| value.map_or(NULL, text);
    let mut rows = Vec::new();
    for row in view.settings.rows() {
        let values = row.enumvals.map(|values| text_array(values.into_iter().map(str::to_owned)));
        rows.push(vec![
            text(row.name),
            text(row.setting),
            row.unit.map_or(NULL, text),
            text(row.category),
            text(row.short_desc),
            NULL,
            text(row.context),
            text(row.vartype),
            text(row.source),
            optional(row.min_val),
            optional(row.max_val),
            values.unwrap_or(NULL),
            text(row.boot_val),
            text(row.reset_val),
            NULL,
            NULL,
            FALSE,
        ]);
    }
    rows
}

/// All plans are generic here; how often each was taken is not counted.
pub(super) fn pg_prepared_statements(view: &SessionView) -> Vec<Row> {
    let row = |statement: StatementView| {
        let types = statement.parameters.iter().map(|id| Datum::Oid(id.0)).collect();
        vec![
            text(statement.name),
            text(&*statement.statement),
            Datum::Timestamptz(Timestamptz(statement.prepared_us)),
            Array::from_values(TypeId::REGTYPE, types).into(),
            Datum::Bool(statement.from_sql),
            NULL,
            NULL,
        ]
    };
    view.statements.shown().into_iter().map(row).collect()
}

/// Seconds east of UTC.
fn offset(seconds: i32) -> Datum {
    Datum::Interval(Interval { us: i64::from(seconds) * 1_000_000, days: 0, months: 0 })
}

/// The zones of the database that this program brings along, as they are when the transaction began.
pub(super) fn pg_timezone_names(now: Timestamptz) -> Vec<Row> {
    let zones = TimeZone::all().into_iter();
    zones
        .map(|zone| {
            let (abbreviation, seconds, is_dst) = zone.state_at(now);
            vec![text(zone.name()), text(abbreviation), offset(seconds), Datum::Bool(is_dst)]
        })
        .collect()
}

pub(super) fn pg_timezone_abbrevs(_: &SessionView) -> Vec<Row> {
    let row =
        |(name, seconds, is_dst): (String, i32, bool)| vec![text(name), offset(seconds), Datum::Bool(is_dst)];
    TimeZone::abbreviations().map(row).collect()
}

pub(super) fn pg_cursors(view: &SessionView) -> Vec<Row> {
    let row = |cursor: &CursorView| {
        vec![
            text(&cursor.name),
            text(&*cursor.statement),
            Datum::Bool(cursor.is_holdable),
            Datum::Bool(cursor.is_binary),
            Datum::Bool(cursor.is_scrollable),
            Datum::Timestamptz(Timestamptz(cursor.created_us)),
        ]
    };
    view.cursors.iter().map(row).collect()
}
