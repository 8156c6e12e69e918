//! Results as psql prints them: aligned, with a header and a row count.

use hexalog_sql_client::Column;
use std::fmt::Write;

/// Types whose columns are set to the right: oid, the integers, floats and numeric.
const RIGHT_ALIGNED: [u32; 7] = [20, 21, 23, 26, 700, 701, 1700];

/// An aligned table. Control characters are printed as they come; only newlines get care, with psql's `+` at the
/// line's end.
pub fn aligned(columns: &[Column], rows: &[Vec<Option<String>>]) -> String {
    let cells: Vec<Vec<Vec<&str>>> = rows
        .iter()
        .map(|row| row.iter().map(|value| value.as_deref().unwrap_or("").split('\n').collect()).collect())
        .collect();
    let widths: Vec<usize> = (0..columns.len())
        .map(|index| {
            let cell_width =
                |row: &Vec<Vec<&str>>| row[index].iter().map(|line| width(line)).max().unwrap_or(0);
            cells.iter().map(cell_width).chain([width(&columns[index].name)]).max().unwrap_or(0)
        })
        .collect();
    let mut out = String::new();
    header(&mut out, columns, &widths);
    for row in &cells {
        table_row(&mut out, columns, &widths, row);
    }
    let _ = writeln!(out, "({} row{})", rows.len(), if rows.len() == 1 { "" } else { "s" });
    out
}

fn header(out: &mut String, columns: &[Column], widths: &[usize]) {
    for (index, (column, &column_width)) in columns.iter().zip(widths).enumerate() {
        let room = column_width - width(&column.name);
        let (left, right) = (room / 2, room - room / 2);
        let separator = if index > 0 { "|" } else { "" };
        let _ = write!(out, "{separator} {:left$}{}{:right$} ", "", column.name, "");
    }
    out.push('\n');
    let dashes: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
    let _ = writeln!(out, "{}", dashes.join("+"));
}

fn table_row(out: &mut String, columns: &[Column], widths: &[usize], row: &[Vec<&str>]) {
    let height = row.iter().map(Vec::len).max().unwrap_or(1);
    for line in 0..height {
        let mut text = String::new();
        for (index, cell) in row.iter().enumerate() {
            let content = cell.get(line).copied().unwrap_or("");
            let room = widths[index] - width(content);
            let mark = if line + 1 < cell.len() { '+' } else { ' ' };
            let separator = if index > 0 { "|" } else { "" };
            let is_right = RIGHT_ALIGNED.contains(&columns[index].type_oid);
            let _ = if is_right {
                write!(text, "{separator} {:room$}{content}{mark}", "")
            } else {
                write!(text, "{separator} {content}{:room$}{mark}", "")
            };
        }
        let _ = writeln!(out, "{}", text.trim_end());
    }
}

/// Rows only, columns separated by `|`.
pub fn plain(rows: &[Vec<Option<String>>]) -> String {
    let line = |row: &Vec<Option<String>>| {
        row.iter().map(|value| value.as_deref().unwrap_or("")).collect::<Vec<_>>().join("|") + "\n"
    };
    rows.iter().map(line).collect()
}

/// Characters, which is what a terminal shows for most scripts.
fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_looks_like_psqls() {
        let columns =
            [("id", 23), ("name", 25)].map(|(name, type_oid)| Column { name: name.to_owned(), type_oid });
        let value = |text: &str| Some(text.to_owned());
        let rows =
            [vec![value("1"), value("one")], vec![value("20"), None], vec![value("3"), value("a\nlong")]];
        let expected =
            [" id | name ", "----+------", "  1 | one", " 20 |", "  3 | a   +", "    | long", "(3 rows)", ""]
                .join("\n");
        assert_eq!(aligned(&columns, &rows), expected);
        assert_eq!(plain(&rows[..2]), "1|one\n20|\n");
    }
}
