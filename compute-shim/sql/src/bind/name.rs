//! The name of a result column without an alias, as PostgreSQL derives it (`FigureColname`).

use super::type_of;
use crate::parse::tree::{Expr, Query, QueryBody, SelectItem};
use crate::session::SessionView;

/// How much a name says: a type's name or `case` gives way to a better one.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    Weak,
    Strong,
}

/// The name that an expression of an index gets.
pub(crate) fn expression_name(view: &SessionView, expr: &Expr) -> Option<String> {
    figure(view, expr).map(|(name, _)| name)
}

/// The name that a select item gets.
pub(super) fn column_name(view: &SessionView, expr: &Expr) -> String {
    figure(view, expr).map_or_else(|| "?column?".to_owned(), |(name, _)| name)
}

fn figure(view: &SessionView, expr: &Expr) -> Option<(String, Strength)> {
    let strong = |name: &str| Some((name.to_owned(), Strength::Strong));
    match expr {
        Expr::Column(name) => strong(name.last()),
        Expr::Function(call) => strong(call.name.last()),
        Expr::Field { name, .. } => strong(name),
        Expr::Keyword { name, .. } => strong(if name == "user" { "user" } else { name }),
        Expr::Cast { operand, target, .. } => match figure(view, operand) {
            Some((name, Strength::Strong)) => Some((name, Strength::Strong)),
            _ => {
                let id = type_of(view, target).ok()?.0;
                let id = if target.array { id.array_element().unwrap_or(id) } else { id };
                let name = id.info().map(|info| info.name).or_else(|| view.catalog().type_name(id));
                Some((name?.to_owned(), Strength::Weak))
            }
        },
        Expr::Case { otherwise, .. } => {
            match otherwise.as_deref().and_then(|otherwise| figure(view, otherwise)) {
                Some((name, Strength::Strong)) => Some((name, Strength::Strong)),
                _ => Some(("case".to_owned(), Strength::Weak)),
            }
        }
        Expr::Array { .. } | Expr::ArrayQuery { .. } => strong("array"),
        Expr::Row { .. } => strong("row"),
        Expr::Exists(_) => strong("exists"),
        Expr::AtTimeZone { .. } => strong("timezone"),
        Expr::Collate { operand, .. } | Expr::Subscript { operand, .. } | Expr::Slice { operand, .. } => {
            figure(view, operand)
        }
        Expr::Subquery { query, .. } => first_name(view, query),
        _ => None,
    }
}

/// A scalar subquery is named like its column.
fn first_name(view: &SessionView, query: &Query) -> Option<(String, Strength)> {
    match &query.body {
        QueryBody::Select(select) => match select.items.first()? {
            SelectItem::Expr { alias: Some(alias), .. } => Some((alias.clone(), Strength::Strong)),
            // Even no name is the subquery's own: neither a cast nor CASE gives it another.
            SelectItem::Expr { expr, alias: None } => Some((column_name(view, expr), Strength::Strong)),
            _ => None,
        },
        QueryBody::Nested(query) => first_name(view, query),
        QueryBody::SetOperation { left, .. } => first_name(view, left),
        QueryBody::Values(_) => Some(("column1".to_owned(), Strength::Strong)),
        QueryBody::Change(_) => None,
    }
}
