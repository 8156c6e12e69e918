//! Expressions as SQL text, as `pg_get_expr` shows defaults and constraints.
//!
//! Owns PostgreSQL's layout of them: every operator in parentheses, casts as `::`. What is printed can be parsed and
//! bound again with the same meaning; the catalog stores it.

use super::{Expr, Kind};
use hexalog_sql_types::function::{quote_identifier, quote_literal_text};
use hexalog_sql_types::types::format_type;
use hexalog_sql_types::{Datum, EvalEnv, TypeId, text};

/// The text of an expression over a table whose column names are given.
pub(crate) fn deparse(expr: &Expr, columns: &[&str], env: &EvalEnv<'_>) -> String {
    let printer = Printer { columns, env };
    printer.expr(expr)
}

struct Printer<'a> {
    columns: &'a [&'a str],
    env: &'a EvalEnv<'a>,
}

impl Printer<'_> {
    fn list(&self, items: &[Expr]) -> String {
        items.iter().map(|item| self.expr(item)).collect::<Vec<_>>().join(", ")
    }

    fn joined(&self, items: &[Expr], word: &str) -> String {
        let items: Vec<String> = items.iter().map(|item| self.expr(item)).collect();
        format!("({})", items.join(word))
    }

    fn constant(&self, value: &Datum, expr: &Expr) -> String {
        let type_name = format_type(expr.type_id, Some(expr.typmod));
        if value.is_null() {
            return format!("NULL::{type_name}");
        }
        let form = text::output_string(self.env, expr.type_id, value);
        match expr.type_id {
            TypeId::BOOL => if form == "t" { "true" } else { "false" }.to_owned(),
            TypeId::INT4 if form.starts_with('-') => format!("'{form}'::integer"),
            TypeId::INT4 => form,
            TypeId::NUMERIC if form.starts_with(|c: char| c.is_ascii_digit()) && form.contains('.') => form,
            TypeId::UNKNOWN => quote_literal_text(&form),
            _ => format!("{}::{type_name}", quote_literal_text(&form)),
        }
    }

    fn expr(&self, expr: &Expr) -> String {
        match &expr.kind {
            Kind::Constant(value) => self.constant(value, expr),
            Kind::Column(index) => quote_identifier(self.columns.get(*index).copied().unwrap_or("?")),
            Kind::Parameter(index) => format!("${}", index + 1),
            Kind::Slot(slot) => format!("$slot{slot}"),
            Kind::Operator { operator, operands } => match &**operands {
                [operand] => format!("({} {})", operator.name, self.expr(operand)),
                [left, right] => format!("({} {} {})", self.expr(left), operator.name, self.expr(right)),
                _ => String::new(),
            },
            Kind::Function { function, arguments } => self.call(function.name, arguments),
            Kind::Host { function, arguments, .. } => self.call(function.name, arguments),
            Kind::Coerce { coercion, operand, is_written } => {
                let operand = match &operand.kind {
                    Kind::Column(_) | Kind::Constant(_) if *is_written => format!("({})", self.expr(operand)),
                    _ => self.expr(operand),
                };
                let visible = *is_written
                    || coercion.target().category() == hexalog_sql_types::types::TypeCategory::String;
                match visible {
                    true => format!("{operand}::{}", format_type(expr.type_id, Some(expr.typmod))),
                    false => operand,
                }
            }
            Kind::And(items) => self.joined(items, " AND "),
            Kind::Or(items) => self.joined(items, " OR "),
            Kind::Not(operand) => format!("(NOT {})", self.expr(operand)),
            Kind::IsNull { operand, negated } => {
                format!("({} IS {}NULL)", self.expr(operand), if *negated { "NOT " } else { "" })
            }
            Kind::IsBool { operand, value, negated } => {
                let word = match value {
                    Some(true) => "TRUE",
                    Some(false) => "FALSE",
                    None => "UNKNOWN",
                };
                format!("({} IS {}{word})", self.expr(operand), if *negated { "NOT " } else { "" })
            }
            Kind::IsDistinct { sides, negated } => {
                let words = if *negated { "IS NOT DISTINCT FROM" } else { "IS DISTINCT FROM" };
                format!("({} {words} {})", self.expr(&sides[0]), self.expr(&sides[1]))
            }
            _ => self.compound(expr),
        }
    }

    fn call(&self, name: &str, arguments: &[Expr]) -> String {
        match (name, arguments) {
            ("timezone", [zone, value]) => format!("({} AT TIME ZONE {})", self.expr(value), self.expr(zone)),
            ("now", []) => "now()".to_owned(),
            ("current_user" | "session_user" | "current_role", []) => name.to_uppercase(),
            _ => format!("{}({})", quote_identifier(name), self.list(arguments)),
        }
    }

    fn compound(&self, expr: &Expr) -> String {
        match &expr.kind {
            Kind::Case { operand, branches, otherwise } => {
                let mut out = "CASE".to_owned();
                if let Some(operand) = operand {
                    out.push_str(&format!(" {}", self.expr(operand)));
                }
                for (condition, result) in branches {
                    let condition = match (&condition.kind, operand.is_some()) {
                        (Kind::Operator { operands, .. }, true) if operands.len() == 2 => {
                            self.expr(&operands[1])
                        }
                        _ => self.expr(condition),
                    };
                    out.push_str(&format!(" WHEN {condition} THEN {}", self.expr(result)));
                }
                out.push_str(&format!(" ELSE {} END", self.expr(otherwise)));
                out
            }
            Kind::CaseValue => "CASE_VALUE".to_owned(),
            Kind::Coalesce(items) => format!("COALESCE({})", self.list(items)),
            Kind::Extreme { items, greatest } => {
                format!("{}({})", if *greatest { "GREATEST" } else { "LEAST" }, self.list(items))
            }
            Kind::NullIf { first, comparison, .. } => {
                format!("NULLIF({}, {})", self.expr(first), self.expr(&comparison[1]))
            }
            Kind::AnyAll { operator, left, array, all } => {
                let word = if *all { "ALL" } else { "ANY" };
                format!("({} {} {word} ({}))", self.expr(left), operator.name, self.expr(array))
            }
            Kind::Array { items, .. } => format!("ARRAY[{}]", self.list(items)),
            Kind::Subscript { operand, subscripts } => {
                let subscripts: String =
                    subscripts.iter().map(|item| format!("[{}]", self.expr(item))).collect();
                format!("({}){subscripts}", self.expr(operand))
            }
            Kind::Row(items) => format!("ROW({})", self.list(items)),
            Kind::Subplan(_) => "(SubPlan)".to_owned(),
            _ => "?".to_owned(),
        }
    }
}
