//! Views that users made, as `pg_views`, `pg_rewrite` and `information_schema` show them, and their text.
//!
//! A view's text is shown as it was written, with the relations in it as they are called now. Where columns that it reads have
//! got other names, a list behind the relation gives them the names that the text knows.

use super::relation::{PG_CLASS_OID, PG_REWRITE_OID};
use super::sql_text::with_names_only;
use super::value::{NULL, TRUE, int4, oid, text, text_array, yes_or_no};
use crate::bind;
use crate::catalog::object::{Oid, View};
use crate::catalog::{Relation, registry};
use crate::execute::Row;
use crate::parse;
use crate::parse::tree::CheckOption;
use crate::parse::view::{Edit, Extent, edited};
use crate::session::SessionView;
use hexalog_sql_types::Datum;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::function::quote_identifier;
use std::collections::BTreeSet;
use std::sync::Arc;

/// `pg_get_viewdef`. What cannot be bound any more is shown as it is stored.
pub(crate) fn view_definition(session: &SessionView, view: &Arc<View>) -> String {
    let shown = renamed(session, view).unwrap_or_else(|_| view.text.clone());
    format!(" {shown};")
}

/// The text with each relation under the name that this session needs to find it.
fn renamed(session: &SessionView, view: &Arc<View>) -> Result<String> {
    let query = parse::view::query(&view.text)?;
    let (noted, mut edits) = with_names_only(session, |context| {
        let noted = bind::view_plan(context, &query, Some(view))?.1;
        let edits = noted.type_edits(context.env);
        Ok((noted, edits))
    })?;
    for place in &noted.places {
        let Some(relation) = session.catalog().relation(place.relation) else { continue };
        let mut name = registry::relation_name(session, &relation);
        let known = place.parts.last().map_or("", String::as_str);
        let columns = renamed_columns(view, &place.parts, &relation);
        if !place.has_alias && (relation.name() != known || columns.is_some()) {
            // Columns are named by the name that it had.
            let list = columns.map_or_else(String::new, |columns| format!("({})", columns.join(", ")));
            name = format!("{name} {}{list}", quote_identifier(known));
        } else if let Some(columns) = columns {
            let (extent, text) = (Extent::Columns(columns), String::new());
            edits.push(Edit { position: place.position, extent, text });
        }
        edits.push(Edit { position: place.position, extent: Extent::Name, text: name });
    }
    edited(&view.text, &edits)
}

/// The columns of a relation by the names that a view's text knows, if one that it reads is called otherwise now.
fn renamed_columns(view: &View, parts: &[String], relation: &Relation) -> Option<Vec<String>> {
    let known = view.names.iter().find(|known| known.parts == parts)?;
    let current: Vec<(usize, &str)> = match relation {
        Relation::Table(table) => {
            let live = table.columns.iter().enumerate().filter(|(_, column)| !column.dropped);
            live.map(|(at, column)| (at, column.name.as_str())).collect()
        }
        Relation::View(view) => {
            view.columns.iter().enumerate().map(|(at, column)| (at, column.name.as_str())).collect()
        }
        Relation::System(_) | Relation::Index(..) | Relation::Sequence(_) => return None,
    };
    let known_name = |at: usize| known.columns.iter().find(|(place, _)| *place == at).map(|(_, name)| name);
    let is_renamed = |&&(at, name): &&(usize, &str)| {
        view.used.contains(&(known.relation, at)) && known_name(at).is_some_and(|known| known != name)
    };
    let last = current.iter().rposition(|column| is_renamed(&column))?;
    let shown = |&(at, name): &(usize, &str)| quote_identifier(known_name(at).map_or(name, String::as_str));
    Some(current[..=last].iter().map(shown).collect())
}

pub(super) fn pg_views(session: &SessionView) -> Vec<Row> {
    let catalog = session.catalog();
    let row = |view: &Arc<View>| {
        let owner = catalog.role(view.owner).map_or(NULL, |role| text(&role.name));
        let definition = text(view_definition(session, view));
        vec![text(catalog.schema_name(view.schema)), text(&view.name), owner, definition]
    };
    catalog.views().map(row).collect()
}

/// The rule that makes a view, by PostgreSQL's lights.
pub(super) fn pg_rewrite(session: &SessionView) -> Vec<Row> {
    let row = |view: &Arc<View>| {
        vec![
            oid(view.rule),
            text("_RETURN"),
            oid(view.oid),
            Datum::Char(b'1'),
            Datum::Char(b'O'),
            TRUE,
            text("<>"),
            text(&view.text),
        ]
    };
    session.catalog().views().map(row).collect()
}

/// `pg_depend` of the rules: each is part of its view, and rests on columns, or on a whole relation if it names none.
pub(super) fn dependencies(session: &SessionView) -> Vec<Row> {
    let mut rows = Vec::new();
    for view in session.catalog().views() {
        let mut add = |referenced: Oid, column: usize, kind: u8| {
            rows.push(vec![
                oid(PG_REWRITE_OID),
                oid(view.rule),
                int4(0),
                oid(PG_CLASS_OID),
                oid(referenced),
                int4(column),
                Datum::Char(kind),
            ]);
        };
        add(view.oid, 0, b'i');
        add(view.oid, 0, b'n');
        let mut relations = BTreeSet::new();
        for name in view.names.iter().filter(|name| relations.insert(name.relation)) {
            let mut columns = view.used.iter().filter(|(relation, _)| *relation == name.relation).peekable();
            if columns.peek().is_none() {
                add(name.relation, 0, b'n');
            }
            columns.for_each(|(_, column)| add(name.relation, column + 1, b'n'));
        }
    }
    rows
}

fn names(session: &SessionView, schema: Oid, name: &str) -> [Datum; 3] {
    [text(&session.database), text(session.catalog().schema_name(schema)), text(name)]
}

/// Bits of the commands that change a relation.
pub(crate) const INSERTS: i32 = 8;
pub(crate) const UPDATES: i32 = 4;
pub(crate) const DELETES: i32 = 16;

/// The commands that change a view, and which of its columns they reach.
pub(crate) fn changes_of_view(session: &SessionView, view: &Arc<View>) -> (i32, Vec<bool>) {
    match with_names_only(session, |context| bind::updatability(context, view)) {
        Ok(found) if found.reason.is_none() => (INSERTS | UPDATES | DELETES, found.columns),
        Ok(found) if found.deletes => (DELETES, found.columns),
        // What cannot be bound any more cannot be changed.
        Ok(_) | Err(_) => (0, vec![false; view.columns.len()]),
    }
}

/// `pg_class.reloptions` of a view.
pub(super) fn options_of_view(view: &View) -> Datum {
    match view.check_option {
        CheckOption::None => NULL,
        CheckOption::Local => text_array(["check_option=local".to_owned()]),
        CheckOption::Cascaded => text_array(["check_option=cascaded".to_owned()]),
    }
}

pub(super) fn views(session: &SessionView) -> Vec<Row> {
    let row = |view: &Arc<View>| {
        let (commands, _) = changes_of_view(session, view);
        let has = |wanted: i32| yes_or_no(commands & wanted == wanted);
        let mut row = Vec::from(names(session, view.schema, &view.name));
        let option = match view.check_option {
            CheckOption::None => "NONE",
            CheckOption::Local => "LOCAL",
            CheckOption::Cascaded => "CASCADED",
        };
        row.extend([text(view_definition(session, view)), text(option)]);
        row.extend([has(UPDATES | DELETES), has(INSERTS)]);
        // No triggers stand in.
        row.extend(std::iter::repeat_n(yes_or_no(false), 3));
        row
    };
    session.catalog().views().map(row).collect()
}

pub(super) fn view_table_usage(session: &SessionView) -> Vec<Row> {
    let catalog = session.catalog();
    let mut rows = Vec::new();
    for view in catalog.views() {
        let relations: BTreeSet<Oid> = view.names.iter().map(|name| name.relation).collect();
        for relation in relations.into_iter().filter_map(|oid| catalog.relation(oid)) {
            let mut row = Vec::from(names(session, view.schema, &view.name));
            row.extend(names(session, relation.schema(), relation.name()));
            rows.push(row);
        }
    }
    rows
}

pub(super) fn view_column_usage(session: &SessionView) -> Vec<Row> {
    let catalog = session.catalog();
    let mut rows = Vec::new();
    for view in catalog.views() {
        for &(relation, column) in &view.used {
            let Some(relation) = catalog.relation(relation) else { continue };
            let name = match &relation {
                Relation::Table(table) => table.columns.get(column).map(|column| column.name.clone()),
                Relation::View(view) => view.columns.get(column).map(|column| column.name.clone()),
                Relation::System(table) => table.columns.get(column).map(|column| column.name.to_owned()),
                Relation::Index(..) | Relation::Sequence(_) => None,
            };
            let Some(name) = name else { continue };
            let mut row = Vec::from(names(session, view.schema, &view.name));
            row.extend(names(session, relation.schema(), relation.name()));
            row.push(text(name));
            rows.push(row);
        }
    }
    rows
}
