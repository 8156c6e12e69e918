//! Two reports in JSON side by side: ours, or fio's own, whose fields have the same names.

use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

/// Percentiles that are compared, where both reports have them.
const PERCENTILES: [&str; 6] = ["50.000000", "95.000000", "99.000000", "99.900000", "99.950000", "99.990000"];

/// Reads a report. What fio writes before and after its JSON is skipped.
pub fn read(path: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let start = text.find('{').unwrap_or(0);
    let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
    let report = match values.next() {
        Some(Ok(report)) => report,
        Some(Err(error)) => return Err(format!("{} is no report in JSON: {error}", path.display())),
        None => return Err(format!("{} is empty", path.display())),
    };
    if report["jobs"].as_array().is_none_or(Vec::is_empty) {
        return Err(format!("{} is no report: it has no jobs", path.display()));
    }
    Ok(report)
}

/// Jobs of two reports, in their order, each with both figures and their ratio.
pub fn text(names: [&str; 2], reports: [&Value; 2]) -> String {
    let mut out = String::new();
    let jobs = reports.map(|report| report["jobs"].as_array().cloned().unwrap_or_default());
    for (a, b) in jobs[0].iter().zip(&jobs[1]) {
        let title = format!("{} : {}", job_name(a), job_name(b));
        writeln!(out, "{title}").expect("writing to a string does not fail");
        writeln!(out, "  {:<24}{:>16}{:>16}{:>9}", "", short_name(names[0]), short_name(names[1]), "b / a")
            .expect("writing to a string does not fail");
        for direction in ["read", "write"] {
            for (name, of_a, of_b) in rows(&a[direction], &b[direction]) {
                let ratio = if of_a == 0.0 { "-".to_owned() } else { format!("{:.3}", of_b / of_a) };
                writeln!(out, "  {:<24}{of_a:>16.1}{of_b:>16.1}{ratio:>9}", format!("{direction} {name}"))
                    .expect("writing to a string does not fail");
            }
        }
    }
    if jobs[0].len() != jobs[1].len() {
        let (a, b) = (jobs[0].len(), jobs[1].len());
        writeln!(out, "the reports have {a} and {b} jobs; the rest was left out")
            .expect("writing to a string does not fail");
    }
    out
}

/// A job's name for people.
pub fn job_name(job: &Value) -> &str {
    job["jobname"].as_str().unwrap_or("job")
}

fn short_name(path: &str) -> &str {
    let name = Path::new(path).file_stem().and_then(|name| name.to_str()).unwrap_or(path);
    name.get(..15).unwrap_or(name)
}

/// Name and both figures of what either report has. Latencies are in microseconds.
fn rows(a: &Value, b: &Value) -> Vec<(String, f64, f64)> {
    let is_empty = |side: &Value| side["total_ios"].as_u64().unwrap_or(0) == 0;
    if is_empty(a) || is_empty(b) {
        return Vec::new();
    }
    let mut rows = Vec::new();
    let mut add = |name: &str, a: &Value, b: &Value, scale: f64| {
        if let (Some(a), Some(b)) = (a.as_f64(), b.as_f64()) {
            rows.push((name.to_owned(), a / scale, b / scale));
        }
    };
    add("iops", &a["iops"], &b["iops"], 1.0);
    add("bw (KiB/s)", &a["bw_bytes"], &b["bw_bytes"], 1024.0);
    for latency in ["slat_ns", "clat_ns", "lat_ns"] {
        let (a, b) = (&a[latency], &b[latency]);
        let name = latency.trim_end_matches("_ns");
        if is_never(a) || is_never(b) {
            continue;
        }
        add(&format!("{name} mean (us)"), &a["mean"], &b["mean"], 1e3);
        for percentile in PERCENTILES {
            let short = percentile.trim_end_matches('0').trim_end_matches('.');
            let (a, b) = (&a["percentile"][percentile], &b["percentile"][percentile]);
            add(&format!("{name} p{short} (us)"), a, b, 1e3);
        }
    }
    rows
}

fn is_never(latency: &Value) -> bool {
    latency["N"].as_u64().unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::super::{example_run, json};
    use super::*;

    #[test]
    fn ratios_are_of_the_second_to_the_first() {
        let a = json::report(&[example_run()], false);
        let mut b = a.clone();
        b["jobs"][0]["write"]["iops"] = serde_json::json!(250.0);
        let text = text(["some/a.json", "b.json"], [&a, &b]);
        let line = text.lines().find(|line| line.contains("write iops")).expect("a line");
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words, ["write", "iops", "500.0", "250.0", "0.500"]);
        assert!(
            text.lines().any(|line| line.contains("read clat p99 (us)") && line.ends_with("1.000")),
            "{text}"
        );
    }

    #[test]
    fn fios_own_output_is_read_past_what_stands_around_it() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), "fio: note\n{\"jobs\": [{\"jobname\": \"x\"}]}\n\nDisk stats")
            .expect("writes");
        assert_eq!(job_name(&read(file.path()).expect("a report")["jobs"][0]), "x");
        std::fs::write(file.path(), "{\"jobs\": []}").expect("writes");
        assert!(read(file.path()).unwrap_err().contains("no jobs"));
        std::fs::write(file.path(), "{\"jobs\": [").expect("writes");
        assert!(read(file.path()).unwrap_err().contains("no report"));
    }
}
