//! The forms of EXPLAIN's answer: text, JSON, YAML and XML, laid out as PostgreSQL lays them out.
//!
//! Owns [`Shown`], a plan as a tree of labelled values, and its printing. What stands in it: `explain.rs`.

use super::explain::Shown;
use crate::parse::tree::ExplainFormat;
use std::fmt::Write;

/// A value behind a label.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    List(Vec<String>),
    Integer(u64),
    /// Milliseconds.
    Time(u64),
    Bool(bool),
}

/// A label with its value.
#[derive(Clone, Debug)]
pub(super) struct Property {
    pub label: &'static str,
    pub value: Value,
    /// Text has a line of it; else it stands in the title, or text says it in other words.
    pub in_text: bool,
    /// The other formats have it.
    pub in_data: bool,
}

/// A whole answer.
pub(super) struct Answer {
    pub plan: Shown,
    /// Behind the plan: planning and execution time.
    pub summary: Vec<Property>,
    pub is_analyzed: bool,
}

/// Milliseconds with three decimals.
pub(super) fn milliseconds(us: u64) -> String {
    format!("{}.{:03}", us / 1_000, us % 1_000)
}

impl Value {
    fn plain(&self) -> String {
        match self {
            Value::Text(text) => text.clone(),
            Value::List(items) => items.join(", "),
            Value::Integer(number) => number.to_string(),
            Value::Time(us) => milliseconds(*us),
            Value::Bool(value) => value.to_string(),
        }
    }

    fn json(&self) -> String {
        match self {
            Value::Text(text) => quoted(text),
            Value::List(items) => {
                let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
                format!("[{}]", items.join(", "))
            }
            other => other.plain(),
        }
    }
}

/// A JSON string; YAML takes it as well.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 => write!(out, "\\u{:04x}", u32::from(c)).expect("a String takes all"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn escaped_xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

impl Answer {
    pub(super) fn print(&self, format: ExplainFormat) -> Vec<String> {
        match format {
            ExplainFormat::Text => {
                let mut lines = Vec::new();
                text_node(&self.plan, 0, &mut lines);
                lines.extend(
                    self.summary
                        .iter()
                        .map(|property| format!("{}: {} ms", property.label, property.value.plain())),
                );
                lines
            }
            ExplainFormat::Json => vec![self.json()],
            ExplainFormat::Yaml => vec![self.yaml()],
            ExplainFormat::Xml => vec![self.xml()],
        }
    }

    fn json(&self) -> String {
        let mut out = String::from("[\n  {\n    \"Plan\": ");
        json_node(&self.plan, 4, &mut out);
        for (at, property) in self.summary.iter().enumerate() {
            // PostgreSQL lists triggers between the two times.
            if at == 1 && self.is_analyzed {
                out.push_str(",\n    \"Triggers\": [\n    ]");
            }
            write!(out, ",\n    {}: {}", quoted(property.label), property.value.json())
                .expect("a String takes all");
        }
        if self.summary.is_empty() && self.is_analyzed {
            out.push_str(",\n    \"Triggers\": [\n    ]");
        }
        out.push_str("\n  }\n]");
        out
    }

    fn yaml(&self) -> String {
        let mut out = String::from("- Plan: ");
        yaml_node(&self.plan, 4, &mut out, true);
        for (at, property) in self.summary.iter().enumerate() {
            if at == 1 && self.is_analyzed {
                out.push_str("\n  Triggers: ");
            }
            write!(out, "\n  {}: {}", property.label, property.value.json()).expect("a String takes all");
        }
        if self.summary.is_empty() && self.is_analyzed {
            out.push_str("\n  Triggers: ");
        }
        out
    }

    fn xml(&self) -> String {
        let mut out = String::from("<explain xmlns=\"http://www.postgresql.org/2009/explain\">\n  <Query>\n");
        xml_node(&self.plan, 4, &mut out);
        for (at, property) in self.summary.iter().enumerate() {
            if at == 1 && self.is_analyzed {
                out.push_str("    <Triggers>\n    </Triggers>\n");
            }
            xml_property(property, 4, &mut out);
        }
        if self.summary.is_empty() && self.is_analyzed {
            out.push_str("    <Triggers>\n    </Triggers>\n");
        }
        out.push_str("  </Query>\n</explain>");
        out
    }
}

/// PostgreSQL's indentation: an arrow before each node but the first.
fn text_node(node: &Shown, indent: usize, lines: &mut Vec<String>) {
    let mut indent = indent;
    if let Some(name) = &node.subplan {
        lines.push(format!("{}{name}", " ".repeat(indent)));
        indent += 2;
    }
    let (prefix, inner) = match indent {
        0 => (String::new(), 2),
        indent => (format!("{}->  ", " ".repeat(indent)), indent + 6),
    };
    lines.push(format!("{prefix}{}", node.title));
    for property in node.properties.iter().filter(|property| property.in_text) {
        lines.push(format!("{}{}: {}", " ".repeat(inner), property.label, property.value.plain()));
    }
    for (_, input) in &node.inputs {
        text_node(input, inner, lines);
    }
}

fn json_node(node: &Shown, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    out.push('{');
    for (at, property) in node.properties.iter().filter(|property| property.in_data).enumerate() {
        let comma = if at == 0 { "" } else { "," };
        write!(out, "{comma}\n{pad}  {}: {}", quoted(property.label), property.value.json())
            .expect("a String takes all");
    }
    if !node.inputs.is_empty() {
        write!(out, ",\n{pad}  \"Plans\": [").expect("a String takes all");
        for (at, (_, input)) in node.inputs.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(out, "{comma}\n{pad}    ").expect("a String takes all");
            json_node(input, indent + 4, out);
        }
        write!(out, "\n{pad}  ]").expect("a String takes all");
    }
    write!(out, "\n{pad}}}").expect("a String takes all");
}

fn yaml_node(node: &Shown, indent: usize, out: &mut String, is_first: bool) {
    let pad = " ".repeat(indent);
    for (at, property) in node.properties.iter().filter(|property| property.in_data).enumerate() {
        if at > 0 || is_first {
            write!(out, "\n{pad}").expect("a String takes all");
        }
        match &property.value {
            Value::List(items) => {
                write!(out, "{}: ", property.label).expect("a String takes all");
                for item in items {
                    write!(out, "\n{pad}  - {}", quoted(item)).expect("a String takes all");
                }
            }
            value => write!(out, "{}: {}", property.label, value.json()).expect("a String takes all"),
        }
    }
    if !node.inputs.is_empty() {
        write!(out, "\n{pad}Plans: ").expect("a String takes all");
        for (_, input) in &node.inputs {
            write!(out, "\n{pad}  - ").expect("a String takes all");
            yaml_node(input, indent + 4, out, false);
        }
    }
}

fn xml_property(property: &Property, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    let tag = property.label.replace(' ', "-");
    match &property.value {
        Value::List(items) => {
            writeln!(out, "{pad}<{tag}>").expect("a String takes all");
            for item in items {
                writeln!(out, "{pad}  <Item>{}</Item>", escaped_xml(item)).expect("a String takes all");
            }
            writeln!(out, "{pad}</{tag}>").expect("a String takes all");
        }
        value => {
            let value = escaped_xml(&value.plain());
            writeln!(out, "{pad}<{tag}>{value}</{tag}>").expect("a String takes all");
        }
    }
}

fn xml_node(node: &Shown, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    writeln!(out, "{pad}<Plan>").expect("a String takes all");
    for property in node.properties.iter().filter(|property| property.in_data) {
        xml_property(property, indent + 2, out);
    }
    if !node.inputs.is_empty() {
        writeln!(out, "{pad}  <Plans>").expect("a String takes all");
        for (_, input) in &node.inputs {
            xml_node(input, indent + 4, out);
        }
        writeln!(out, "{pad}  </Plans>").expect("a String takes all");
    }
    writeln!(out, "{pad}</Plan>").expect("a String takes all");
}
