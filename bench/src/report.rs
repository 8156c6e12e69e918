//! The report, laid out like fio's.

use crate::cpu::CpuTime;
use crate::options::{Options, ReadWrite};
use hdrhistogram::Histogram;
use std::fmt::Write;
use std::time::Duration;

/// What a run measured, ramp time left out.
#[derive(Debug)]
pub struct Run {
    /// How long.
    pub elapsed: Duration,
    /// Latency of each record in nanoseconds, from its send to its durable acknowledgement.
    pub latencies_ns: Histogram<u64>,
    /// Frames sent again since the shard had no room for them.
    pub frames_refused: u64,
    /// CPU time of the daemon, if it was asked for.
    pub server_cpu: Option<CpuTime>,
    /// CPU time of this process.
    pub own_cpu: CpuTime,
    /// What the target counted in the meantime, by name.
    pub counters: Vec<(String, u64)>,
}

/// Percentiles shown; p50, p95 and p99 are those that other reports are compared by.
const PERCENTILES: [f64; 8] = [1.0, 25.0, 50.0, 75.0, 95.0, 99.0, 99.9, 99.99];

/// The whole report.
pub fn text(options: &Options, run: &Run) -> String {
    let mut out = String::new();
    write_report(&mut out, options, run).expect("writing to a string does not fail");
    out
}

fn write_report(out: &mut String, options: &Options, run: &Run) -> std::fmt::Result {
    let Options { bs, numjobs, iodepth, address, .. } = options;
    let rw = match options.rw {
        ReadWrite::Append => "append",
    };
    let records = run.latencies_ns.len();
    let seconds = run.elapsed.as_secs_f64();
    let rate = records as f64 / seconds;
    let bytes = records * u64::from(*bs);
    writeln!(out, "{rw}: target=node {address}, bs={bs}B, numjobs={numjobs}, iodepth={iodepth}, durable")?;
    writeln!(
        out,
        "  {rw}: IOPS={}, BW={:.1}MiB/s ({:.1}MB/s)({:.0}MiB/{}msec)",
        short(rate),
        bytes as f64 / seconds / f64::from(1 << 20),
        bytes as f64 / seconds / 1e6,
        bytes as f64 / f64::from(1 << 20),
        run.elapsed.as_millis(),
    )?;
    let us = |ns: f64| ns / 1000.0;
    let latencies = &run.latencies_ns;
    writeln!(
        out,
        "    lat (usec): min={:.0}, max={:.0}, avg={:.2}, stdev={:.2}",
        us(latencies.min() as f64),
        us(latencies.max() as f64),
        us(latencies.mean()),
        us(latencies.stdev()),
    )?;
    writeln!(out, "    lat percentiles (usec):")?;
    for row in PERCENTILES.chunks(4) {
        let cells = row.iter().map(|percentile| {
            let value = us(latencies.value_at_percentile(*percentile) as f64);
            format!("{percentile:>5.2}th=[{value:>6.0}]")
        });
        writeln!(out, "     | {}", cells.collect::<Vec<_>>().join(", "))?;
    }
    if run.frames_refused > 0 {
        writeln!(out, "    frames refused for want of room and sent again: {}", run.frames_refused)?;
    }
    write_cpu(out, run, records, seconds)?;
    let counters = run.counters.iter().map(|(name, value)| format!("{name}={value}"));
    writeln!(out, "  shard: {}", counters.collect::<Vec<_>>().join(", "))
}

fn write_cpu(out: &mut String, run: &Run, records: u64, seconds: f64) -> std::fmt::Result {
    let each = |us: u64| us as f64 / records.max(1) as f64;
    let share = |cpu: CpuTime| cpu.total_us() as f64 / seconds / 1e4;
    if let Some(server) = run.server_cpu {
        writeln!(
            out,
            "  cpu: server {:.2} us/record (usr {:.2}, sys {:.2}), {:.0}%; bench {:.0}%",
            each(server.total_us()),
            each(server.user_us),
            each(server.system_us),
            share(server),
            share(run.own_cpu),
        )
    } else {
        writeln!(out, "  cpu: bench {:.0}%", share(run.own_cpu))
    }
}

/// As fio shortens rates: 843, 12.3k, 138k, 1.2M.
fn short(value: f64) -> String {
    match value {
        v if v < 1e3 => format!("{v:.0}"),
        v if v < 1e5 => format!("{:.1}k", v / 1e3),
        v if v < 1e6 => format!("{:.0}k", v / 1e3),
        v => format!("{:.2}M", v / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn rates_are_shortened_like_fio_does() {
        for (value, expected) in
            [(843.2, "843"), (12_345.0, "12.3k"), (138_499.0, "138k"), (1_234_567.0, "1.23M")]
        {
            assert_eq!(short(value), expected);
        }
    }

    #[test]
    fn the_report_names_rate_bandwidth_and_percentiles() {
        let options = Options::try_parse_from(["hexalog-bench"]).expect("defaults parse");
        let mut latencies_ns = Histogram::new(3).expect("three digits");
        for us in 1..=1000u64 {
            latencies_ns.record(us * 1000).expect("in range");
        }
        let run = Run {
            elapsed: Duration::from_secs(2),
            latencies_ns,
            frames_refused: 0,
            server_cpu: Some(CpuTime { user_us: 1000, system_us: 3000 }),
            own_cpu: CpuTime::default(),
            counters: vec![("appends".to_owned(), 10)],
        };
        let text = text(&options, &run);
        for part in [
            "IOPS=500",
            "50.00th=[   500]",
            "95.00th=[   950]",
            "99.00th=[   990]",
            "server 4.00 us/record",
            "appends=10",
        ] {
            assert!(text.contains(part), "{part} is missing:\n{text}");
        }
    }
}
