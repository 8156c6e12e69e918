//! Text form of a path expression.
//!
//! Owns parentheses and blanks (`printJsonPathItem` of PostgreSQL 15). Read next: `parse.rs`.

use std::fmt;

use super::{Binary, Item, JsonPath, Kind, LAST_LEVEL, Sign};
use crate::json::write_string;

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::from(if self.lax { "" } else { "strict " });
        print(&self.root, false, true, &mut out);
        f.write_str(&out)
    }
}

fn priority(item: &Item) -> u8 {
    match &item.kind {
        Kind::Binary { op: Binary::Or, .. } => 0,
        Kind::Binary { op: Binary::And, .. } => 1,
        Kind::Binary { op: Binary::Add | Binary::Subtract, .. } => 3,
        Kind::Binary { op: Binary::Multiply | Binary::Divide | Binary::Modulo, .. } => 4,
        Kind::Binary { .. } => 2,
        Kind::Unary { .. } => 5,
        _ => 6,
    }
}

/// Prints an operand of `parent`.
fn operand(item: &Item, parent: &Item, out: &mut String) {
    print(item, false, priority(item) <= priority(parent), out);
}

fn print(item: &Item, is_member: bool, brackets: bool, out: &mut String) {
    let bracket = |text: &str, out: &mut String| out.push_str(if brackets { text } else { "" });
    match &item.kind {
        Kind::Binary { op, left, right } => {
            bracket("(", out);
            operand(left, item, out);
            out.push_str(&format!(" {} ", op.symbol()));
            operand(right, item, out);
            bracket(")", out);
        }
        Kind::Unary { op, operand: inner } => {
            bracket("(", out);
            out.push(if *op == Sign::Plus { '+' } else { '-' });
            operand(inner, item, out);
            bracket(")", out);
        }
        Kind::LikeRegex { operand: inner, pattern, flags, regex: _ } => {
            bracket("(", out);
            operand(inner, item, out);
            out.push_str(" like_regex ");
            write_string(pattern, out);
            let letters = [
                (flags.ignore_case, 'i'),
                (flags.dot_all, 's'),
                (flags.anchors_lines, 'm'),
                (flags.expanded, 'x'),
                (flags.literal, 'q'),
            ];
            if letters.iter().any(|(is_set, _)| *is_set) {
                out.push_str(" flag \"");
                out.extend(letters.iter().filter(|(is_set, _)| *is_set).map(|(_, letter)| letter));
                out.push('"');
            }
            bracket(")", out);
        }
        Kind::Number(number) => {
            let (open, close) = if item.next.is_some() { ("(", ")") } else { ("", "") };
            out.push_str(&format!("{open}{number}{close}"));
        }
        other => plain(other, is_member, out),
    }
    if let Some(next) = &item.next {
        print(next, true, true, out);
    }
}

fn nested(open: &str, item: &Item, close: &str, out: &mut String) {
    out.push_str(open);
    print(item, false, false, out);
    out.push_str(close);
}

fn plain(kind: &Kind, is_member: bool, out: &mut String) {
    let point = |out: &mut String| out.push_str(if is_member { "." } else { "" });
    match kind {
        Kind::Null => out.push_str("null"),
        Kind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Kind::String(text) => write_string(text, out),
        Kind::Variable(name) => {
            out.push('$');
            write_string(name, out);
        }
        Kind::Root => out.push('$'),
        Kind::Current => out.push('@'),
        Kind::Last => out.push_str("last"),
        Kind::Key(key) => {
            point(out);
            write_string(key, out);
        }
        Kind::AnyKey => {
            point(out);
            out.push('*');
        }
        Kind::AnyArray => out.push_str("[*]"),
        Kind::Index(subscripts) => print_subscripts(subscripts, out),
        Kind::Any { first, last } => {
            point(out);
            out.push_str("**");
            print_levels(*first, *last, out);
        }
        Kind::Filter(condition) => nested("?(", condition, ")", out),
        Kind::Not(inner) => nested("!(", inner, ")", out),
        Kind::IsUnknown(inner) => nested("(", inner, ") is unknown", out),
        Kind::Exists(inner) => nested("exists (", inner, ")", out),
        Kind::Method(method) => out.push_str(&format!(".{}()", method.name())),
        Kind::Datetime(template) => {
            out.push_str(".datetime(");
            if let Some(template) = template {
                write_string(template, out);
            }
            out.push(')');
        }
        Kind::Number(_) | Kind::Binary { .. } | Kind::Unary { .. } | Kind::LikeRegex { .. } => {
            unreachable!("printed by the caller")
        }
    }
}

fn print_subscripts(subscripts: &[(Item, Option<Item>)], out: &mut String) {
    out.push('[');
    for (at, (from, to)) in subscripts.iter().enumerate() {
        out.push_str(if at > 0 { "," } else { "" });
        print(from, false, false, out);
        if let Some(to) = to {
            out.push_str(" to ");
            print(to, false, false, out);
        }
    }
    out.push(']');
}

fn print_levels(first: u32, last: u32, out: &mut String) {
    let level = |level: u32| if level == LAST_LEVEL { "last".to_owned() } else { level.to_string() };
    match (first, last) {
        (0, LAST_LEVEL) => {}
        (first, last) if first == last => out.push_str(&format!("{{{}}}", level(first))),
        (first, last) => out.push_str(&format!("{{{} to {}}}", level(first), level(last))),
    }
}
