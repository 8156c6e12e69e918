//! Expressions as SQL text, as `pg_get_expr` shows defaults and constraints.
//!
//! Owns PostgreSQL's two layouts of them (`ruleutils.c`): the plain one, with every operator in parentheses, which can be
//! parsed and bound again with the same meaning and is what the catalog stores; and the pretty one, with only the
//! parentheses that a reader needs.

use super::{Expr, Kind};
use crate::catalog::system::collation_name;
use crate::execute::is_looked_up;
use hexalog_sql_types::function::{ARRAY_SLICE, quote_identifier};
use hexalog_sql_types::{Datum, EvalEnv, TypeId, Typmod, text};

/// The text of an expression over a table whose column names are given.
pub(crate) fn deparse(expr: &Expr, columns: &[&str], env: &EvalEnv<'_>) -> String {
    print(expr, columns, env, false)
}

/// The same for readers.
pub(crate) fn deparse_pretty(expr: &Expr, columns: &[&str], env: &EvalEnv<'_>) -> String {
    print(expr, columns, env, true)
}

fn print(expr: &Expr, columns: &[&str], env: &EvalEnv<'_>, pretty: bool) -> String {
    let mut printer = Printer { columns, env, pretty, out: String::new(), indent: 0 };
    printer.expr(expr, false);
    printer.out
}

/// By how much the parts of a CASE are indented.
const CASE_INDENT: usize = 4;

struct Printer<'a> {
    columns: &'a [&'a str],
    env: &'a EvalEnv<'a>,
    pretty: bool,
    out: String,
    indent: usize,
}

impl Printer<'_> {
    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// A parenthesis that the plain layout has around every operator.
    fn plain(&mut self, parenthesis: &str) {
        if !self.pretty {
            self.push(parenthesis);
        }
    }

    /// A part of another expression, in parentheses where the pretty layout needs them.
    fn operand(&mut self, expr: &Expr, show_implicit: bool, parent: &Expr) {
        let needs_parentheses = self.pretty && !is_simple(expr, parent);
        if needs_parentheses {
            self.push("(");
        }
        self.expr(expr, show_implicit);
        if needs_parentheses {
            self.push(")");
        }
    }

    fn list(&mut self, items: &[Expr]) {
        for (at, item) in items.iter().enumerate() {
            self.push(if at > 0 { ", " } else { "" });
            self.expr(item, true);
        }
    }

    fn joined(&mut self, items: &[Expr], word: &str, parent: &Expr) {
        self.plain("(");
        for (at, item) in items.iter().enumerate() {
            self.push(if at > 0 { word } else { "" });
            self.operand(item, false, parent);
        }
        self.plain(")");
    }

    fn constant(&mut self, value: &Datum, expr: &Expr) {
        let type_name = self.env.type_name(expr.type_id, Some(expr.typmod));
        if value.is_null() {
            return self.push(&format!("NULL::{type_name}"));
        }
        let form = text::output_string(self.env, expr.type_id, value);
        let shown = match expr.type_id {
            TypeId::BOOL => if form == "t" { "true" } else { "false" }.to_owned(),
            TypeId::INT4 if form.starts_with('-') => format!("'{form}'::integer"),
            TypeId::INT4 => form,
            TypeId::NUMERIC if form.starts_with(|c: char| c.is_ascii_digit()) && form.contains('.') => form,
            TypeId::UNKNOWN => simple_literal(&form),
            _ => format!("{}::{type_name}", simple_literal(&form)),
        };
        self.push(&shown);
    }

    /// `show_implicit`: whether a conversion that nobody wrote is shown, as it is everywhere but at the top.
    fn expr(&mut self, expr: &Expr, show_implicit: bool) {
        match &expr.kind {
            Kind::Constant(value) => self.constant(value, expr),
            Kind::Column(index) => {
                let name = quote_identifier(self.columns.get(*index).copied().unwrap_or("?"));
                self.push(&name);
            }
            Kind::Parameter(index) => self.push(&format!("${}", index + 1)),
            Kind::Slot(slot) => self.push(&format!("$slot{slot}")),
            Kind::Operator { operator, operands } => self.operator(operator.name, operands, expr),
            Kind::Function { function, arguments } if std::ptr::eq(*function, &ARRAY_SLICE) => {
                self.slice(arguments);
            }
            Kind::Function { function, arguments } => self.call(function.name, arguments, expr),
            Kind::Host { function, arguments, .. } => self.call(function.name, arguments, expr),
            Kind::Coerce { operand, is_written, .. } if *is_written || show_implicit => {
                self.conversion(operand, expr);
            }
            Kind::Coerce { operand, .. } => self.operand(operand, false, expr),
            Kind::WithoutCollation { call, .. } => self.expr(call, show_implicit),
            Kind::Collate { operand, oid } => {
                self.plain("(");
                self.operand(operand, show_implicit, expr);
                self.push(&format!(" COLLATE {}", quote_identifier(collation_name(*oid))));
                self.plain(")");
            }
            Kind::And(items) => self.joined(items, " AND ", expr),
            Kind::Or(items) => self.joined(items, " OR ", expr),
            Kind::Not(operand) => {
                self.plain("(");
                self.push("NOT ");
                self.operand(operand, false, expr);
                self.plain(")");
            }
            Kind::IsNull { operand, negated } => {
                let test = if *negated { " IS NOT NULL" } else { " IS NULL" };
                self.test(operand, test, expr);
            }
            Kind::IsBool { operand, value, negated } => {
                let word = match value {
                    Some(true) => "TRUE",
                    Some(false) => "FALSE",
                    None => "UNKNOWN",
                };
                let test = format!(" IS {}{word}", if *negated { "NOT " } else { "" });
                self.test(operand, &test, expr);
            }
            Kind::IsDistinct { sides, negated, .. } => {
                let words = if *negated { "IS NOT DISTINCT FROM" } else { "IS DISTINCT FROM" };
                match &sides[1].kind {
                    Kind::Constant(Datum::Null) if sides[1].type_id == TypeId::RECORD => {
                        self.test(&sides[0], &format!(" {words} NULL"), expr);
                    }
                    _ => self.operator(words, &sides[..], expr),
                }
            }
            _ => self.compound(expr),
        }
    }

    fn operator(&mut self, name: &str, operands: &[Expr], expr: &Expr) {
        self.plain("(");
        if let [left, _] = operands {
            self.operand(left, true, expr);
            self.push(" ");
        }
        self.push(name);
        self.push(" ");
        self.operand(operands.last().expect("operators have operands"), true, expr);
        self.plain(")");
    }

    /// `array[l:u]…`.
    fn slice(&mut self, arguments: &[Expr]) {
        let [operand, given, bounds @ ..] = arguments else { unreachable!("made by the binder") };
        let is_column = matches!(operand.kind, Kind::Column(_));
        self.push(if is_column { "" } else { "(" });
        self.expr(operand, true);
        self.push(if is_column { "" } else { ")" });
        let Some(Datum::Int4(given)) = given.as_constant() else { unreachable!("made by the binder") };
        for (at, bound) in bounds.iter().enumerate() {
            self.push(if at % 2 == 0 { "[" } else { ":" });
            if given >> at & 1 == 1 {
                self.expr(bound, false);
            }
            self.push(if at % 2 == 0 { "" } else { "]" });
        }
    }

    fn test(&mut self, operand: &Expr, test: &str, expr: &Expr) {
        self.plain("(");
        self.operand(operand, true, expr);
        self.push(test);
        self.plain(")");
    }

    fn conversion(&mut self, operand: &Expr, expr: &Expr) {
        let is_own_constant = operand.type_id == expr.type_id
            && operand.typmod == Typmod::NONE
            && operand.as_constant().is_some();
        match operand.as_constant() {
            // A literal of the very type: only the modifier is to be added.
            Some(value) if is_own_constant && !value.is_null() => {
                let form = text::output_string(self.env, operand.type_id, value);
                self.push(&simple_literal(&form));
            }
            _ => {
                self.plain("(");
                self.operand(operand, false, expr);
                self.plain(")");
            }
        }
        self.push("::");
        self.push(&self.env.type_name(expr.type_id, Some(expr.typmod)));
    }

    fn call(&mut self, name: &str, arguments: &[Expr], expr: &Expr) {
        match (name, arguments) {
            ("timezone", [zone, value]) => {
                self.push("(");
                self.operand(value, false, expr);
                self.push(" AT TIME ZONE ");
                self.operand(zone, false, expr);
                self.push(")");
            }
            ("extract", [field, value]) if let Some(Datum::Text(field)) = field.as_constant() => {
                self.push(&format!("EXTRACT({field} FROM "));
                self.expr(value, true);
                self.push(")");
            }
            ("current_user" | "session_user" | "current_role", []) => self.push(&name.to_uppercase()),
            _ => self.listed(&quote_identifier(name), "(", arguments, ")"),
        }
    }

    fn listed(&mut self, name: &str, open: &str, items: &[Expr], close: &str) {
        self.push(name);
        self.push(open);
        self.list(items);
        self.push(close);
    }

    fn compound(&mut self, expr: &Expr) {
        match &expr.kind {
            Kind::Case { operand, branches, otherwise } => self.case(operand.as_deref(), branches, otherwise),
            Kind::CaseValue => self.push("CASE_VALUE"),
            Kind::Coalesce(items) => self.listed("COALESCE", "(", items, ")"),
            Kind::Extreme { items, greatest } => {
                self.listed(if *greatest { "GREATEST" } else { "LEAST" }, "(", items, ")");
            }
            Kind::NullIf { first, comparison, .. } => {
                self.push("NULLIF(");
                self.expr(first, true);
                self.push(", ");
                self.expr(&comparison[1], true);
                self.push(")");
            }
            Kind::AnyAll { operator, left, array, all } => {
                self.plain("(");
                self.operand(left, true, expr);
                self.push(&format!(" {} {} (", operator.name, if *all { "ALL" } else { "ANY" }));
                self.operand(array, true, expr);
                self.push(")");
                self.plain(")");
            }
            Kind::Array { items, .. } => self.listed("ARRAY", "[", items, "]"),
            Kind::Subscript { operand, subscripts } => {
                let is_column = matches!(operand.kind, Kind::Column(_));
                self.push(if is_column { "" } else { "(" });
                self.expr(operand, true);
                self.push(if is_column { "" } else { ")" });
                for subscript in subscripts {
                    self.push("[");
                    self.expr(subscript, false);
                    self.push("]");
                }
            }
            Kind::Field { operand, name, .. } => {
                self.push("(");
                self.expr(operand, true);
                self.push(&format!(").{}", quote_identifier(name)));
            }
            Kind::Row(items, _) => self.listed("ROW", "(", items, ")"),
            Kind::Subplan(subplan) if subplan.correlation.is_empty() && is_looked_up(&subplan.form) => {
                self.push("(hashed SubPlan)");
            }
            Kind::Subplan(_) => self.push("(SubPlan)"),
            _ => self.push("?"),
        }
    }

    /// A word at the beginning of a line.
    fn line(&mut self, word: &str) {
        let kept = self.out.trim_end_matches(' ').len();
        self.out.truncate(kept);
        self.push("\n");
        self.push(&" ".repeat(self.indent));
        self.push(word);
    }

    fn case(&mut self, operand: Option<&Expr>, branches: &[(Expr, Expr)], otherwise: &Expr) {
        self.line("CASE");
        self.indent += CASE_INDENT;
        if let Some(operand) = operand {
            self.push(" ");
            self.expr(operand, true);
        }
        for (condition, result) in branches {
            self.line("WHEN ");
            match &condition.unmarked().kind {
                // The operand compared with a value: only the value was written.
                Kind::Operator { operands, .. } if operand.is_some() && operands.len() == 2 => {
                    self.expr(&operands[1], false);
                }
                _ => self.expr(condition, false),
            }
            self.push(" THEN ");
            self.expr(result, true);
        }
        self.line("ELSE ");
        self.expr(otherwise, true);
        self.indent -= CASE_INDENT;
        self.line("END");
    }
}

/// The operator of one character between two operands.
fn short_operator(expr: &Expr) -> Option<u8> {
    match &expr.kind {
        Kind::Operator { operator, operands } if operands.len() == 2 => match operator.name.as_bytes() {
            [symbol] => Some(*symbol),
            _ => None,
        },
        _ => None,
    }
}

/// Whether parts are separated by more than an operator: commas, key words, brackets.
fn delimits(parent: &Expr) -> bool {
    matches!(
        parent.kind,
        Kind::And(_)
            | Kind::Or(_)
            | Kind::Not(_)
            | Kind::Subscript { .. }
            | Kind::Array { .. }
            | Kind::Row(..)
            | Kind::Coalesce(_)
            | Kind::Extreme { .. }
            | Kind::NullIf { .. }
            | Kind::Case { .. }
    )
}

/// Whether a part needs no parentheses within its parent: `isSimpleNode` of `ruleutils.c`.
fn is_simple(expr: &Expr, parent: &Expr) -> bool {
    let expr = expr.unmarked();
    match &expr.kind {
        Kind::Operator { .. } if matches!(parent.kind, Kind::Operator { .. }) => {
            arithmetic_is_simple(expr, parent)
        }
        Kind::Operator { .. } | Kind::IsNull { .. } | Kind::IsBool { .. } | Kind::IsDistinct { .. } => {
            delimits(parent)
        }
        Kind::And(_) | Kind::Not(_) if matches!(parent.kind, Kind::And(_) | Kind::Or(_)) => true,
        Kind::Or(_) if matches!(parent.kind, Kind::Or(_)) => true,
        Kind::And(_) | Kind::Or(_) | Kind::Not(_) => {
            delimits(parent) && !matches!(parent.kind, Kind::And(_) | Kind::Or(_) | Kind::Not(_))
        }
        Kind::Coerce { operand, .. } => is_simple(operand, expr),
        Kind::AnyAll { .. } | Kind::Collate { .. } => false,
        _ => true,
    }
}

/// `a * b + c` and `a + b - c` can do without.
fn arithmetic_is_simple(expr: &Expr, parent: &Expr) -> bool {
    let is_low = |symbol: u8| b"+-".contains(&symbol);
    let is_high = |symbol: u8| b"*/%".contains(&symbol);
    let (Some(inner), Some(outer)) = (short_operator(expr), short_operator(parent)) else { return false };
    if !(is_low(inner) || is_high(inner)) || !(is_low(outer) || is_high(outer)) {
        return false;
    }
    if is_high(inner) != is_high(outer) {
        return is_high(inner);
    }
    // Of one rank: the left one needs none.
    matches!(&parent.kind, Kind::Operator { operands, .. } if std::ptr::eq(&operands[0], expr))
}

/// A string as SQL has it: never with E, which standard-conforming strings do not need.
fn simple_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
