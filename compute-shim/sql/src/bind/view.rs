//! Views: their queries bound in place of their names, and what is noted of a query that becomes a view.
//!
//! A view's query is bound as nothing but itself: it sees neither the query around it nor the session's search path. Its
//! names mean what they meant when it was made ([`View::names`]): relations by number, and of them the columns that there
//! were then. While a view is being made, [`Noted`] gathers those meanings, and the places of the text that must be
//! written out: `*`, and literals that a session's settings or the clock have a say in.

#![expect(clippy::wrong_self_convention, reason = "`from_…` is about FROM, no conversion")]

use super::from::FromBound;
use super::merged::{Merged, mergeable};
use super::query::Wanted;
use super::scope::{NamedColumn, Names};
use super::{BindContext, Binder, Bound, OutputColumn};
use crate::answer::ColumnDescription;
use crate::catalog::Relation;
use crate::catalog::object::{Oid, View, ViewName};
use crate::expression::{Expr, Kind};
use crate::parse;
use crate::parse::tree::{Alias, Name, Query};
use crate::parse::view::{Edit, Extent};
use crate::plan::{Command, Plan};
use hexalog_engine::RelationLockMode;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::function::{quote_identifier, quote_literal_text};
use hexalog_sql_types::{Datum, EvalEnv, SqlError, SqlState, TypeId, text};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A relation where its name stands in a view's text.
#[derive(Clone, Debug)]
pub(crate) struct NotedPlace {
    pub position: u32,
    pub parts: Vec<String>,
    pub relation: Oid,
    pub has_alias: bool,
}

/// What a view's query rests on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Noted {
    pub names: Vec<ViewName>,
    pub places: Vec<NotedPlace>,
    pub used: BTreeSet<(Oid, usize)>,
    pub keys: BTreeSet<Oid>,
    /// What is to be written out.
    pub edits: Vec<Edit>,
    /// Where types of users are named, and literals of them stand, whose text hangs on what names and labels are now.
    pub types: Vec<(u32, TypeId)>,
    pub values: Vec<(u32, TypeId, Datum)>,
}

/// The plan of a query that shall become a view, or is one whose text is to be shown (`of`), with what it rests on.
pub(crate) fn view_plan(
    context: BindContext<'_>,
    query: &Query,
    of: Option<&Arc<View>>,
) -> Result<(Plan, Noted)> {
    let mut binder = Binder::new(context, None);
    binder.noted = Some(Noted::default());
    binder.inside = of.cloned();
    let bound = binder.query(query, &Wanted::default())?;
    let noted = binder.noted.take().expect("set above");
    Ok((binder.finish(Command::Select, bound)?, noted))
}

/// The columns that a view has of its query's.
pub(crate) fn is_view_of(view: &View, columns: &[ColumnDescription]) -> bool {
    view.columns.len() == columns.len()
        && view.columns.iter().zip(columns).all(|(column, found)| column.type_id == found.type_id)
}

/// A view's query: bound for itself, or taken in by the one around it.
enum Content {
    Bound(Bound),
    Merged(Merged),
}

impl Binder<'_> {
    /// A view in FROM.
    pub(super) fn from_view(
        &mut self,
        view: &Arc<View>,
        name: &Name,
        alias: Option<&Alias>,
        offset: usize,
    ) -> Result<FromBound> {
        self.lock(view.oid, RelationLockMode::AccessShare);
        let shown = alias.map_or(name.last(), |alias| alias.name.as_str());
        let query = parse::view::query(&view.text)?;
        let locked = self.lock_subquery(&query, shown);
        let query = locked.as_ref().unwrap_or(&query);
        let select = locked.as_ref().and_then(mergeable);
        let bound = self.within_view(view, |binder| match select {
            Some(select) => binder.merged(select, query).map(Content::Merged),
            None => binder.query(query, &Wanted::default()).map(Content::Bound),
        });
        // Places in a view's text are nowhere in the statement's.
        let content = bound.map_err(|mut error| {
            error.fields_mut().position = None;
            error
        })?;
        let found = match &content {
            Content::Bound(bound) => &bound.columns,
            Content::Merged(merged) => &merged.columns,
        };
        let fits = found.len() == view.columns.len()
            && found.iter().zip(&view.columns).all(|(found, column)| found.type_id == column.type_id);
        if !fits {
            return Err(SqlError::internal(format!(
                "view \"{}\" has come to mean something else",
                view.name
            )));
        }
        let number = |at: usize| i16::try_from(at + 1).expect("views have at most 1,664 columns");
        let columns = view.columns.iter().enumerate().map(|(at, column)| OutputColumn {
            name: column.name.clone(),
            type_id: column.type_id,
            typmod: column.typmod,
            origin: (view.oid, number(at)),
            position: 0,
            collation: found[at].collation,
        });
        let width = view.columns.len();
        let mut names = match &content {
            Content::Bound(_) => Names::of_columns(shown, columns, offset),
            Content::Merged(merged) => merged.names(shown, columns, offset),
        };
        names.tables[0].oid = view.oid;
        self.as_meant(name, &mut names);
        self.name_relation(&mut names, alias, view.schema)?;
        Ok(match content {
            Content::Bound(Bound { node, .. }) => FromBound { node, names, width },
            Content::Merged(merged) => self.take_in(merged, names, offset),
        })
    }

    /// Binds what stands in a view's text. Nothing around a view is seen in it.
    pub(super) fn within_view<T>(
        &mut self,
        view: &Arc<View>,
        bind: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        if self.view_depth >= VIEW_DEPTH_MAX {
            let message = format!("infinite recursion detected in rules for relation \"{}\"", view.name);
            return Err(SqlError::new(SqlState::INVALID_OBJECT_DEFINITION, message));
        }
        let frames = std::mem::take(&mut self.frames);
        let common_names = std::mem::take(&mut self.common_names);
        let common_ahead = std::mem::take(&mut self.common_ahead);
        let enclosing = std::mem::take(&mut self.enclosing);
        let literals = std::mem::take(&mut self.literals);
        let noted = self.noted.take();
        let inside = self.inside.replace(view.clone());
        self.view_depth += 1;
        let bound = bind(self);
        self.view_depth -= 1;
        self.inside = inside;
        self.noted = noted;
        self.literals = literals;
        self.enclosing = enclosing;
        self.common_ahead = common_ahead;
        self.common_names = common_names;
        self.frames = frames;
        bound
    }

    /// The relation that a name means in the view that is being bound, if one is.
    pub(super) fn meant(&self, name: &Name) -> Option<Result<Relation>> {
        let view = self.inside.as_ref()?;
        let known = view.names.iter().find(|known| known.parts == name.parts);
        let found = known.and_then(|known| self.context.view.catalog().relation(known.relation));
        let lost = || SqlError::internal(format!("view \"{}\" has lost \"{name}\"", view.name));
        Some(found.ok_or_else(lost))
    }

    /// Leaves of a relation's names those that the view that is being bound has known, as it knew them.
    pub(super) fn as_meant(&self, name: &Name, names: &mut Names) {
        let Some(view) = &self.inside else { return };
        let Some(known) = view.names.iter().find(|known| known.parts == name.parts) else { return };
        let keep = |columns: &mut Vec<NamedColumn>| {
            columns.retain_mut(|column| {
                let at = usize::try_from(column.origin.1).ok().and_then(|number| number.checked_sub(1));
                match known.columns.iter().find(|(place, _)| Some(*place) == at) {
                    Some((_, name)) => {
                        column.name.clone_from(name);
                        true
                    }
                    None => false,
                }
            });
        };
        keep(&mut names.columns);
        keep(&mut names.tables[0].columns);
    }

    /// Notes a relation of FROM.
    pub(super) fn note_relation(&mut self, name: &Name, relation: &Relation, has_alias: bool) {
        let Some(noted) = &mut self.noted else { return };
        let columns: Vec<(usize, String)> = match relation {
            Relation::Table(table) => {
                let live = table.columns.iter().enumerate().filter(|(_, column)| !column.dropped);
                live.map(|(at, column)| (at, column.name.clone())).collect()
            }
            Relation::View(view) => {
                view.columns.iter().enumerate().map(|(at, column)| (at, column.name.clone())).collect()
            }
            Relation::Index(..) | Relation::Sequence(_) | Relation::System(_) => Vec::new(),
        };
        let (parts, relation) = (name.parts.clone(), relation.oid());
        noted.places.push(NotedPlace { position: name.position, parts: parts.clone(), relation, has_alias });
        if !noted.names.iter().any(|known| known.parts == parts) {
            noted.names.push(ViewName { parts, relation, columns });
        }
    }

    /// Notes a column that is named.
    pub(super) fn note_column(&mut self, (relation, number): (Oid, i16)) {
        let Some(noted) = &mut self.noted else { return };
        if let Some(at) = usize::try_from(number).ok().and_then(|number| number.checked_sub(1))
            && relation != 0
        {
            noted.used.insert((relation, at));
        }
    }

    /// Notes all columns of a row that is named as a whole.
    pub(super) fn note_row(&mut self, expr: &Expr) {
        let (Some(_), Kind::Row(..)) = (&self.noted, &expr.kind) else { return };
        let frames = self.frames.iter().filter_map(|frame| match frame {
            super::Frame::Select(frame) => Some(frame),
            super::Frame::Crossing(_) => None,
        });
        let names = frames.flat_map(|frame| &frame.visible).flat_map(|names| &names.columns);
        let origins: Vec<_> = names.map(|column| column.origin).collect();
        origins.into_iter().for_each(|origin| self.note_column(origin));
    }

    /// Notes a primary key that grouping rests on.
    pub(super) fn note_key(&mut self, table: Oid) {
        if let Some(noted) = &mut self.noted {
            noted.keys.insert(table);
        }
    }

    /// Notes `*` or `t.*` with the columns that it stands for, which are the whole row of one table or of all.
    pub(super) fn note_star(&mut self, position: u32, qualifier: Option<&str>) {
        if self.noted.is_none() {
            return;
        }
        let visible = &self.select_frame().visible;
        let mut items = Vec::new();
        match qualifier {
            Some(alias) => {
                let tables = visible.iter().flat_map(|names| &names.tables);
                let table = tables.into_iter().find(|table| table.alias == alias);
                for column in table.iter().flat_map(|table| &table.columns) {
                    items.push((Some(alias.to_owned()), column.clone()));
                }
            }
            None => {
                for names in visible.iter() {
                    for column in &names.columns {
                        let same = |other: &NamedColumn| {
                            other.name == column.name && crate::expression::same(&other.expr, &column.expr)
                        };
                        let owner = names.tables.iter().find(|table| table.columns.iter().any(same));
                        items.push((owner.map(|table| table.alias.clone()), column.clone()));
                    }
                }
            }
        }
        let written = |(alias, column): &(Option<String>, NamedColumn)| match alias {
            Some(alias) => format!("{}.{}", quote_identifier(alias), quote_identifier(&column.name)),
            None => quote_identifier(&column.name),
        };
        let written: Vec<String> = items.iter().map(written).collect();
        items.iter().for_each(|(_, column)| self.note_column(column.origin));
        let noted = self.noted.as_mut().expect("asked above");
        noted.edits.push(Edit { position, extent: Extent::Star, text: written.join(", ") });
    }

    /// Notes `(row).*`, whose row begins there, with the columns that it stands for. 0A000 if two have one name: a text could name
    /// the first alone.
    pub(super) fn note_fields<'c>(
        &mut self,
        position: u32,
        columns: impl Iterator<Item = &'c str>,
    ) -> Result<()> {
        let Some(noted) = &mut self.noted else { return Ok(()) };
        let columns: Vec<&str> = columns.collect();
        if (1..columns.len()).any(|at| columns[..at].contains(&columns[at])) {
            return Err(SqlError::unsupported("* of a row with two columns of one name in a view"));
        }
        let extent = Extent::Fields(columns.into_iter().map(quote_identifier).collect());
        noted.edits.push(Edit { position, extent, text: String::new() });
        Ok(())
    }

    /// Notes a literal whose value hangs on the clock or on the session's settings: the value is written out. 0A000 for
    /// names of objects, which a text cannot hold on to.
    pub(super) fn note_literal(&mut self, position: u32, type_id: TypeId, value: &Datum) -> Result<()> {
        let Some(noted) = &mut self.noted else { return Ok(()) };
        let names =
            [TypeId::REGCLASS, TypeId::REGNAMESPACE, TypeId::REGPROC, TypeId::REGPROCEDURE, TypeId::REGROLE];
        if names.contains(&type_id) {
            let what = format!("a constant of type {} in a view", type_id.display_name());
            return Err(SqlError::unsupported(what));
        }
        let element = type_id.array_element().unwrap_or(type_id);
        if element.is_enum() && !value.is_null() {
            if position == 0 {
                return Err(SqlError::unsupported("this form of an enum's value in a view"));
            }
            noted.values.push((position, type_id, value.clone()));
            return Ok(());
        }
        if ![TypeId::DATE, TypeId::TIMESTAMP, TypeId::TIMESTAMPTZ].contains(&element) || value.is_null() {
            return Ok(());
        }
        if position == 0 {
            return Err(SqlError::unsupported("this form of a date or time in a view"));
        }
        let shown = text::output_string(self.context.env, type_id, value);
        let edit = Edit { position, extent: Extent::Literal, text: quote_literal_text(&shown) };
        noted.edits.push(edit);
        Ok(())
    }
}

impl Binder<'_> {
    /// Notes a type that is named.
    pub(super) fn note_type(&mut self, position: u32, type_id: TypeId) -> Result<()> {
        let Some(noted) = &mut self.noted else { return Ok(()) };
        let element = type_id.array_element().unwrap_or(type_id);
        if !element.is_enum() {
            return Ok(());
        }
        if position == 0 {
            return Err(SqlError::unsupported("this form of a type's name in a view"));
        }
        noted.types.push((position, type_id));
        Ok(())
    }
}

impl Noted {
    /// The edits that write types of users and their values as a host has them.
    pub(crate) fn type_edits(&self, env: &EvalEnv<'_>) -> Vec<Edit> {
        let types = self.types.iter().map(|&(position, id)| {
            // Brackets stand behind the name.
            let text = env.type_name(id.array_element().unwrap_or(id), None);
            Edit { position, extent: Extent::Name, text }
        });
        let values = self.values.iter().map(|(position, id, value)| {
            let text = quote_literal_text(&text::output_string(env, *id, value));
            Edit { position: *position, extent: Extent::Literal, text }
        });
        types.chain(values).collect()
    }
}

/// Views of views, one in the other. Each costs what a nested query costs; none can be made that holds itself.
const VIEW_DEPTH_MAX: usize = 100;
