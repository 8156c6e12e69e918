//! The end of a run as a space-time diagram: processes are lines, time goes down, messages are arrows, faults and other
//! events stand beside them. A pointer held over an arrow or event shows what it says.

use crate::network::End;
use crate::trace::{Drawn, Trace, name_of};
use crate::world::cluster::MEMBERS;
use std::io::{self, Write};

const COLUMN: usize = 150;
const ROW: usize = 16;
const TOP: usize = 70;
const LEFT: usize = 110;
/// Characters of an event that are shown beside the lines.
const TEXT_MAX: usize = 120;

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Shards keep their places; writers stand right of them in the order in which they appear.
fn columns(trace: &Trace) -> Vec<String> {
    let mut names: Vec<String> = (0..MEMBERS).map(|shard| format!("shard {shard}")).collect();
    for (_, drawn) in trace.drawn() {
        if let Drawn::Frame { from, to, .. } = drawn {
            for name in [name_of(*from), name_of(*to)] {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
    }
    names
}

/// Writes the diagram of what a trace has kept.
pub fn draw(trace: &Trace, title: &str, out: &mut impl Write) -> io::Result<()> {
    let names = columns(trace);
    let x = |end: End| {
        let name = name_of(end);
        LEFT + COLUMN * names.iter().position(|other| *other == name).unwrap_or(0)
    };
    let width = LEFT + COLUMN * names.len() + 8 * TEXT_MAX;
    let height = TOP + ROW * (trace.drawn().len() + 2);
    writeln!(
        out,
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="monospace" font-size="11">
<style>line {{ stroke: #bbb }} .m {{ stroke: #27c; marker-end: url(#a) }} .f {{ fill: #c22; font-weight: bold }} .t {{ fill: #888 }}</style>
<defs><marker id="a" markerWidth="8" markerHeight="8" refX="7" refY="3" orient="auto"><path d="M0 0 L8 3 L0 6 z" fill="#27c"/></marker></defs>
<rect width="{width}" height="{height}" fill="#fff"/><text x="8" y="20" class="f">{}</text>"##,
        escape(&title.chars().take(2 * TEXT_MAX).collect::<String>())
    )?;
    for (column, name) in names.iter().enumerate() {
        let at = LEFT + COLUMN * column;
        writeln!(out, r#"<text x="{at}" y="45" text-anchor="middle">{name}</text>"#)?;
        writeln!(out, r#"<line x1="{at}" y1="55" x2="{at}" y2="{height}"/>"#)?;
    }
    for (row, (at_us, drawn)) in trace.drawn().iter().enumerate() {
        let y = TOP + ROW * row;
        writeln!(out, r#"<text x="4" y="{y}" class="t">{at_us}</text>"#)?;
        match drawn {
            Drawn::Frame { from, to, text } => {
                // Arrows slope, so that two in a row are told apart.
                let (from, to, start) = (x(*from), x(*to), y - ROW / 2);
                let text = escape(text);
                writeln!(
                    out,
                    r#"<g><title>{text}</title><line class="m" x1="{from}" y1="{start}" x2="{to}" y2="{y}"/></g>"#
                )?;
            }
            Drawn::Note(text) => {
                let at = LEFT + COLUMN * names.len();
                let class = if text.starts_with("fault") { "f" } else { "n" };
                let shown = escape(&text.chars().take(TEXT_MAX).collect::<String>());
                let whole = escape(text);
                writeln!(
                    out,
                    r#"<g><title>{whole}</title><text x="{at}" y="{y}" class="{class}">{shown}</text></g>"#
                )?;
            }
        }
    }
    writeln!(out, "</svg>")
}
