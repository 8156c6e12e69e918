//! The report as JSON with fio's field names, so that what reads fio's reads ours. What fio does not have stands under
//! `hexalog`.

use super::numbers::{Moments, distribution};
use super::{bytes_each, iops_samples, own_cpu_percent, server_cpu};
use crate::load::{DIRECTIONS, Direction};
use crate::run::JobRun;
use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// The report of all jobs; with the histograms' bins if `with_bins`.
pub fn report(runs: &[JobRun], with_bins: bool) -> Value {
    let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    json!({
        "hexalog-bench version": env!("CARGO_PKG_VERSION"),
        "timestamp": timestamp,
        "jobs": runs.iter().map(|run| job(run, with_bins)).collect::<Vec<_>>(),
    })
}

fn job(run: &JobRun, with_bins: bool) -> Value {
    let given: Map<String, Value> =
        run.job.given.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let (user, system) = own_cpu_percent(run);
    let own = run.after.own.since(run.before.own);
    let mut job = json!({
        "jobname": run.job.name,
        "groupid": 0,
        "error": 0,
        "elapsed": run.elapsed.as_secs(),
        "job options": given,
        "job_runtime": run.elapsed.as_millis() as u64,
        "usr_cpu": user,
        "sys_cpu": system,
        "ctx": own.switches,
        "majf": own.faults_major,
        "minf": own.faults_minor,
        "latency_depth": run.job.iodepth,
        "hexalog": extras(run),
    });
    for (name, direction) in [("read", Direction::Read), ("write", Direction::Write)] {
        job[name] = side(run, direction, with_bins);
    }
    for (unit, bound, percent) in distribution([&run.sides[0].lat_ns, &run.sides[1].lat_ns]) {
        let unit = match unit {
            "nsec" => "latency_ns",
            "usec" => "latency_us",
            _ => "latency_ms",
        };
        let bound = bound.map_or(">=2000".to_owned(), |bound| bound.to_string());
        job[unit][bound] = json!(percent);
    }
    job
}

fn side(run: &JobRun, direction: Direction, with_bins: bool) -> Value {
    let side = &run.sides[direction as usize];
    let seconds = run.elapsed.as_secs_f64();
    let each = bytes_each(run, direction);
    let bytes = side.ios * each;
    let samples = iops_samples(run, direction);
    let mut out = json!({
        "io_bytes": bytes,
        "io_kbytes": bytes / 1024,
        "bw_bytes": (bytes as f64 / seconds) as u64,
        "bw": (bytes as f64 / seconds / 1024.0) as u64,
        "iops": side.ios as f64 / seconds,
        "runtime": if side.ios > 0 { run.elapsed.as_millis() as u64 } else { 0 },
        "total_ios": side.ios,
        "short_ios": 0,
        "drop_ios": 0,
        "slat_ns": moments(&side.slat_ns),
        "clat_ns": latencies(run, &side.clat_ns, with_bins),
        "lat_ns": latencies(run, &side.lat_ns, with_bins),
    });
    put_samples(&mut out, "iops", samples, 1.0);
    put_samples(&mut out, "bw", samples, each as f64 / 1024.0);
    out
}

fn put_samples(out: &mut Value, name: &str, samples: Moments, scale: f64) {
    let dev = if name == "bw" { "dev" } else { "stddev" };
    for (part, value) in
        [("min", samples.min), ("max", samples.max), ("mean", samples.mean), (dev, samples.dev)]
    {
        out[format!("{name}_{part}")] = json!(value * scale);
    }
    out[format!("{name}_samples")] = json!(samples.count);
}

fn moments(latencies: &Histogram<u64>) -> Value {
    json!({
        "min": if latencies.is_empty() { 0 } else { latencies.min() },
        "max": latencies.max(),
        "mean": if latencies.is_empty() { 0.0 } else { latencies.mean() },
        "stddev": if latencies.is_empty() { 0.0 } else { latencies.stdev() },
        "N": latencies.len(),
    })
}

fn latencies(run: &JobRun, latencies: &Histogram<u64>, with_bins: bool) -> Value {
    let mut out = moments(latencies);
    if latencies.is_empty() {
        return out;
    }
    let percentile =
        |percentile: &f64| (format!("{percentile:.6}"), json!(latencies.value_at_percentile(*percentile)));
    out["percentile"] = Value::Object(run.job.percentile_list.iter().map(percentile).collect());
    if with_bins {
        let bins = latencies
            .iter_recorded()
            .map(|step| (step.value_iterated_to().to_string(), json!(step.count_since_last_iteration())));
        out["bins"] = Value::Object(bins.collect());
    }
    out
}

/// What fio has no field for.
fn extras(run: &JobRun) -> Value {
    let server = server_cpu(run).map(|cpu| {
        let ios: u64 = run.sides.iter().map(|side| side.ios).sum();
        json!({
            "usr_us": cpu.user_us,
            "sys_us": cpu.system_us,
            "us_each": cpu.total_us() as f64 / ios.max(1) as f64,
        })
    });
    let counters: Map<String, Value> = crate::shard::difference(&run.before.counters, &run.after.counters)
        .into_iter()
        .map(|(name, value)| (name, json!(value)))
        .collect();
    let events = run.events.iter().map(|(at, what)| json!({ "second": at, "what": what }));
    json!({
        "target": run.job.target.name(),
        "load": run.job.load().name(),
        "description": run.description,
        "unit": run.unit_name,
        "server_cpu": server,
        "lines": run.lines,
        "counters": counters,
        "events": events.collect::<Vec<_>>(),
        "seconds": seconds(run),
    })
}

fn seconds(run: &JobRun) -> Vec<Value> {
    let mut seconds = Vec::new();
    for (number, sides) in run.seconds.iter().enumerate() {
        let mut second = json!({ "second": number });
        for (name, direction) in ["read", "write"].into_iter().zip(DIRECTIONS) {
            let latencies = &sides[direction as usize];
            let at = |percentile| latencies.value_at_percentile(percentile);
            if !latencies.is_empty() {
                let bytes = latencies.len() * bytes_each(run, direction);
                second[name] = json!({
                    "ios": latencies.len(), "bytes": bytes,
                    "p50_ns": at(50.0), "p99_ns": at(99.0), "p99.9_ns": at(99.9), "max_ns": latencies.max(),
                });
            }
        }
        seconds.push(second);
    }
    seconds
}

#[cfg(test)]
mod tests {
    use super::super::example_run;
    use super::*;

    #[test]
    fn fields_have_fios_names_and_the_values_of_the_run() {
        let report = report(&[example_run()], true);
        let write = &report["jobs"][0]["write"];
        assert_eq!(write["iops"], json!(500.0));
        assert_eq!(write["total_ios"], json!(1000));
        assert_eq!(write["bw_bytes"], json!(128_000));
        let close =
            |value: &Value, expected: f64| (value.as_f64().expect("a number") / expected - 1.0).abs() < 0.002;
        assert!(close(&write["clat_ns"]["percentile"]["50.000000"], 1_500_000.0), "{}", write["clat_ns"]);
        assert!(close(&write["lat_ns"]["mean"], 1_506_500.0), "{}", write["lat_ns"]);
        let bins = write["clat_ns"]["bins"].as_object().expect("bins");
        assert_eq!(bins.values().filter_map(Value::as_u64).sum::<u64>(), 1000);
        assert_eq!(report["jobs"][0]["hexalog"]["counters"]["appends"], json!(20));
        assert_eq!(report["jobs"][0]["hexalog"]["seconds"][1]["write"]["ios"], json!(500));
        let plain = super::report(&[example_run()], false);
        assert!(plain["jobs"][0]["write"]["clat_ns"].get("bins").is_none());
    }
}
