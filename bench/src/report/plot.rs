//! A page of plots, all in one file: latency by percentile, histograms, a time line of throughput and latency. It needs
//! no network and is readable in light and dark. It is made from reports in JSON, so that those of earlier runs, and
//! fio's own, can be drawn too: with histograms if they were written as json+.

use super::chart::{Axis, Chart, Scale, Series, escape};
use super::compare::job_name;
use serde_json::Value;

/// Buckets of a histogram in each power of ten.
const BUCKETS_PER_DECADE: f64 = 20.0;

const STYLE: &str = "\
:root{color-scheme:light dark;--fg:#1b1f24;--bg:#fff;--grid:#d8dee4;--mark:#b35900;\
--c0:#0969da;--c1:#cf222e;--c2:#1a7f37;--c3:#8250df;--c4:#bf8700;--c5:#57606a}\
@media(prefers-color-scheme:dark){:root{--fg:#e6edf3;--bg:#0d1117;--grid:#30363d;--mark:#f0a04b;\
--c0:#58a6ff;--c1:#ff7b72;--c2:#56d364;--c3:#bc8cff;--c4:#e3b341;--c5:#8b949e}}\
body{font:14px/1.45 system-ui,sans-serif;color:var(--fg);background:var(--bg);max-width:1360px;margin:1.5em auto;padding:0 1em}\
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:1em}\
figure{margin:0}figcaption{font-weight:600}svg{width:100%;height:auto}\
svg text{font-size:11px;fill:var(--fg)}text.x{text-anchor:middle}text.y{text-anchor:end}\
.grid{stroke:var(--grid)}.mark{stroke:var(--mark);stroke-dasharray:4 3}text.mark{stroke:none;fill:var(--mark)}\
polyline{fill:none;stroke-width:1.6}circle{stroke:none}\
.s0{stroke:var(--c0)}.s1{stroke:var(--c1)}.s2{stroke:var(--c2)}.s3{stroke:var(--c3)}.s4{stroke:var(--c4)}.s5{stroke:var(--c5)}\
circle.s0,.c0{fill:var(--c0);background:var(--c0)}circle.s1,.c1{fill:var(--c1);background:var(--c1)}\
circle.s2,.c2{fill:var(--c2);background:var(--c2)}circle.s3,.c3{fill:var(--c3);background:var(--c3)}\
circle.s4,.c4{fill:var(--c4);background:var(--c4)}circle.s5,.c5{fill:var(--c5);background:var(--c5)}\
.legend span{margin-right:1.2em}.legend i{display:inline-block;width:.8em;height:.8em;margin-right:.4em;border-radius:2px}\
table{border-collapse:collapse;margin:.5em 0 1.5em}td,th{padding:.15em .8em;text-align:right;border-bottom:1px solid var(--grid)}\
td:first-child,th:first-child{text-align:left}";

/// One job of one report, one direction.
struct Line<'a> {
    name: String,
    direction: &'static str,
    side: &'a Value,
    job: &'a Value,
}

/// The page; each report with the name it is to have.
pub fn page(reports: &[(&str, &Value)]) -> String {
    let mut body = String::new();
    for direction in ["read", "write"] {
        let lines = lines(reports, direction);
        if !lines.is_empty() {
            body +=
                &format!("<h2>{}</h2>\n", if direction == "read" { "Reads" } else { "Writes and commits" });
            body += &table(&lines);
            body += "<div class=\"charts\">\n";
            charts(&lines).iter().for_each(|chart| body += &chart.figure());
            body += "</div>\n";
        }
    }
    let names: Vec<String> = reports.iter().map(|(name, _)| escape(name)).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\
         <meta name=\"viewport\" content=\"width=device-width\"/>\
         <title>hexalog-bench: {0}</title>\n<style>{STYLE}</style></head>\n<body><h1>hexalog-bench: {0}</h1>\n{body}</body></html>\n",
        names.join(" and ")
    )
}

fn lines<'a>(reports: &[(&str, &'a Value)], direction: &'static str) -> Vec<Line<'a>> {
    let mut lines = Vec::new();
    for (report_name, report) in reports {
        for job in report["jobs"].as_array().into_iter().flatten() {
            let side = &job[direction];
            if side["total_ios"].as_u64().unwrap_or(0) > 0 {
                let name = match reports.len() {
                    1 => job_name(job).to_owned(),
                    _ => format!("{report_name}: {}", job_name(job)),
                };
                lines.push(Line { name, direction, side, job });
            }
        }
    }
    // As many as there are colours.
    lines.truncate(6);
    lines
}

/// The latencies that are drawn: what a user waited, from the intended begin on.
fn latency(side: &Value) -> &Value {
    if side["lat_ns"]["percentile"].is_object() { &side["lat_ns"] } else { &side["clat_ns"] }
}

fn table(lines: &[Line<'_>]) -> String {
    let mut out = String::from(
        "<table><tr><th></th><th>IOPS</th><th>MiB/s</th><th>mean (ms)</th><th>p50 (ms)</th><th>p99 (ms)</th><th>p99.9 (ms)</th></tr>\n",
    );
    for line in lines {
        let latency = latency(line.side);
        let at = |percentile: &str| cell(&latency["percentile"][percentile], 1e6, 3);
        out += &format!(
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            escape(&line.name),
            cell(&line.side["iops"], 1.0, 0),
            cell(&line.side["bw_bytes"], 1024.0 * 1024.0, 2),
            cell(&latency["mean"], 1e6, 3),
            at("50.000000"),
            at("99.000000"),
            at("99.900000")
        );
    }
    out + "</table>\n"
}

fn cell(value: &Value, scale: f64, digits: usize) -> String {
    value.as_f64().map_or("-".to_owned(), |value| format!("{:.digits$}", value / scale))
}

fn charts(lines: &[Line<'_>]) -> Vec<Chart> {
    let mut charts = vec![percentiles(lines)];
    charts.extend(histogram(lines));
    charts.extend(throughput(lines));
    let reached = lines.iter().flat_map(|line| per_second(line, "p99.9_ns")).map(|(_, ns)| ns / 1e6);
    let least = lines.iter().flat_map(|line| per_second(line, "p50_ns")).map(|(_, ns)| ns / 1e6);
    // One range for all, so that they can be compared by eye.
    let (least, reached) = (least.fold(f64::INFINITY, f64::min), reached.fold(0.0, f64::max));
    charts.extend(lines.iter().filter_map(|line| latency_over_time(line, least, reached)));
    charts
}

/// Values and counts in milliseconds, rising: from bins, if the report has them.
fn bins(line: &Line<'_>) -> Vec<(f64, f64)> {
    let bins = latency(line.side)["bins"].as_object().or(line.side["clat_ns"]["bins"].as_object());
    let mut bins: Vec<(f64, f64)> = bins
        .into_iter()
        .flatten()
        .filter_map(|(ns, count)| Some((ns.parse::<f64>().ok()? / 1e6, count.as_f64()?)))
        .collect();
    bins.sort_by(|a, b| a.0.total_cmp(&b.0));
    bins
}

/// Share of operations below a latency, from bins or from the listed percentiles: (percentile, milliseconds).
fn percentile_points(line: &Line<'_>) -> Vec<(f64, f64)> {
    let bins = bins(line);
    let total: f64 = bins.iter().map(|bin| bin.1).sum();
    if total > 0.0 {
        let mut below = 0.0;
        let cumulated = bins.iter().map(|(ms, count)| {
            below += count;
            (100.0 * (below - count / 2.0) / total, *ms)
        });
        return cumulated.collect();
    }
    let listed = latency(line.side)["percentile"].as_object();
    let mut points: Vec<(f64, f64)> = listed
        .into_iter()
        .flatten()
        .filter_map(|(percentile, ns)| Some((percentile.parse().ok()?, ns.as_f64()? / 1e6)))
        .collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points
}

fn percentiles(lines: &[Line<'_>]) -> Chart {
    // The tail is what matters: 90, 99 and 99.9 % are evenly apart.
    let rarity = |percentile: f64| 1.0 / (1.0 - (percentile / 100.0).min(0.999_999));
    let series: Vec<Series> = lines
        .iter()
        .map(|line| {
            let points = percentile_points(line).into_iter().map(|(percentile, ms)| (rarity(percentile), ms));
            Series { name: line.name.clone(), points: points.collect() }
        })
        .collect();
    let all = || series.iter().flat_map(|series| series.points.iter());
    let (least, reached) = (
        all().map(|point| point.1).fold(f64::INFINITY, f64::min),
        all().map(|point| point.1).fold(0.0, f64::max),
    );
    let rarest = all().map(|point| point.0).fold(10.0, f64::max);
    let named = [
        (50.0, "50%"),
        (90.0, "90%"),
        (99.0, "99%"),
        (99.9, "99.9%"),
        (99.99, "99.99%"),
        (99.999, "99.999%"),
    ];
    let ticks = named.iter().map(|(percentile, name)| (rarity(*percentile), (*name).to_owned()));
    let ticks = ticks.filter(|(at, _)| *at <= rarest * 1.001).collect();
    let x = Axis {
        label: "operations done within (%)".to_owned(),
        scale: Scale::Log,
        min: 1.0,
        max: rarest,
        ticks,
    };
    let y = Axis::log("latency (ms)", least, reached);
    Chart { title: "Latency by percentile".to_owned(), x, y, series, marks: Vec::new() }
}

fn histogram(lines: &[Line<'_>]) -> Option<Chart> {
    let series: Vec<Series> = lines
        .iter()
        .filter_map(|line| {
            let bins = bins(line);
            let total: f64 = bins.iter().map(|bin| bin.1).sum();
            let mut buckets = std::collections::BTreeMap::<i64, f64>::new();
            for (ms, count) in bins {
                *buckets.entry((ms.max(1e-6).log10() * BUCKETS_PER_DECADE).floor() as i64).or_default() +=
                    count;
            }
            let (first, last) = (*buckets.keys().next()?, *buckets.keys().next_back()?);
            let points = (first - 1..=last + 1).map(|bucket| {
                let middle = 10f64.powf((bucket as f64 + 0.5) / BUCKETS_PER_DECADE);
                (middle, 100.0 * buckets.get(&bucket).copied().unwrap_or(0.0) / total)
            });
            Some(Series { name: line.name.clone(), points: points.collect() })
        })
        .collect();
    let all = || series.iter().flat_map(|series| series.points.iter());
    let least = all().map(|point| point.0).fold(f64::INFINITY, f64::min);
    let reached = all().map(|point| point.0).fold(0.0, f64::max);
    let largest = all().map(|point| point.1).fold(0.0, f64::max);
    (reached > 0.0).then(|| Chart {
        title: "Histogram of latency".to_owned(),
        x: Axis::log("latency (ms), 20 buckets to each power of ten", least, reached),
        y: Axis::linear("share of operations (%)", largest),
        series,
        marks: Vec::new(),
    })
}

/// One figure of each second of a line.
fn per_second(line: &Line<'_>, field: &str) -> Vec<(f64, f64)> {
    let seconds = line.job["hexalog"]["seconds"].as_array();
    let point = |second: &Value| {
        let begin = second["second"].as_f64()?;
        Some((begin + 0.5, second[line.direction][field].as_f64()?))
    };
    seconds.into_iter().flatten().filter_map(point).collect()
}

fn time_axis(lines: &[Line<'_>]) -> Option<Axis> {
    let counts = lines.iter().filter_map(|line| Some(line.job["hexalog"]["seconds"].as_array()?.len()));
    counts.max().filter(|seconds| *seconds > 0).map(|seconds| Axis::linear("time (s)", seconds as f64))
}

fn throughput(lines: &[Line<'_>]) -> Option<Chart> {
    let series: Vec<Series> = lines
        .iter()
        .map(|line| {
            // A second in which nothing was done is a zero, and not a gap.
            let seconds = line.job["hexalog"]["seconds"].as_array().into_iter().flatten();
            let points = seconds.filter_map(|second| {
                Some((
                    second["second"].as_f64()? + 0.5,
                    second[line.direction]["ios"].as_f64().unwrap_or(0.0),
                ))
            });
            Series { name: line.name.clone(), points: points.collect() }
        })
        .collect();
    let reached =
        series.iter().flat_map(|series| series.points.iter()).map(|point| point.1).fold(0.0, f64::max);
    Some(Chart {
        title: "Throughput".to_owned(),
        x: time_axis(lines)?,
        y: Axis::linear("operations (1/s)", reached),
        series,
        marks: lines.iter().flat_map(marks).collect(),
    })
}

fn latency_over_time(line: &Line<'_>, least: f64, reached: f64) -> Option<Chart> {
    let series = [("p50", "p50_ns"), ("p99", "p99_ns"), ("p99.9", "p99.9_ns")].map(|(name, field)| {
        let points = per_second(line, field).into_iter().map(|(second, ns)| (second, ns / 1e6));
        Series { name: name.to_owned(), points: points.collect() }
    });
    Some(Chart {
        title: format!("Latency over time: {}", line.name),
        x: time_axis(std::slice::from_ref(line))?,
        y: Axis::log("latency of each second (ms)", least, reached),
        series: series.into(),
        marks: marks(line),
    })
}

fn marks(line: &Line<'_>) -> Vec<(f64, String)> {
    let events = line.job["hexalog"]["events"].as_array();
    let mark = |event: &Value| Some((event["second"].as_f64()?, event["what"].as_str()?.to_owned()));
    events.into_iter().flatten().filter_map(mark).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{example_run, json};
    use super::*;

    /// Every element is closed, in order, and attributes are quoted: what an XML parser would take.
    fn check_nesting(page: &str) {
        let mut open: Vec<&str> = Vec::new();
        for piece in page.split('<').skip(1).filter(|piece| !piece.starts_with('!')) {
            let (tag, text) = piece.split_once('>').expect("a tag has an end");
            assert!(!text.contains('>'), "a bare > in {text:?}");
            assert!(tag.matches('"').count().is_multiple_of(2), "{tag:?}");
            let name = tag.trim_start_matches('/').split([' ', '/']).next().expect("a name");
            if tag.starts_with('/') {
                assert_eq!(open.pop(), Some(name), "in {tag:?}");
            } else if !tag.ends_with('/') {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{open:?} are left open");
    }

    #[test]
    fn the_page_is_whole_and_needs_nothing_from_elsewhere() {
        let report = json::report(&[example_run()], true);
        for reports in [&[("a", &report)][..], &[("a", &report), ("b <&> \"", &report)]] {
            let page = page(reports);
            check_nesting(&page);
            for reference in ["http", "src=", "href=", "url(", "@import", "<script"] {
                assert!(!page.contains(reference), "{reference}");
            }
            for part in
                ["Latency by percentile", "Histogram", "Throughput", "Latency over time", "node 3 killed"]
            {
                assert!(page.contains(part), "{part} is missing");
            }
            for unit in ["latency (ms)", "time (s)", "operations (1/s)", "share of operations (%)"] {
                assert!(page.contains(unit), "{unit} is missing");
            }
            assert!(!page.contains("NaN") && !page.contains("inf"), "a place was not a number");
        }
    }

    #[test]
    fn a_report_without_histograms_or_seconds_is_drawn_from_its_percentiles() {
        let mut report = json::report(&[example_run()], false);
        report["jobs"][0].as_object_mut().expect("a job").remove("hexalog");
        let page = page(&[("fio", &report)]);
        check_nesting(&page);
        assert!(page.contains("Latency by percentile") && !page.contains("Throughput"));
    }
}
