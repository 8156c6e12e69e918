//! The report, laid out like fio's.

use crate::cpu::CpuTime;
use hdrhistogram::Histogram;
use std::fmt::Write;
use std::time::Duration;

/// What a run measured, ramp time left out.
#[derive(Debug)]
pub struct Run {
    /// What was measured with which options: the first line.
    pub title: String,
    /// The load's name.
    pub load: &'static str,
    /// What is counted and timed: `record`, `commit`, `read`.
    pub unit: &'static str,
    /// Payload of one of them.
    pub bytes_each: u64,
    /// How long.
    pub elapsed: Duration,
    /// Latency of each in nanoseconds, from its send to its durable acknowledgement or answer.
    pub latencies_ns: Histogram<u64>,
    /// CPU time of the daemons, if it is known.
    pub server_cpu: Option<CpuTime>,
    /// CPU time of this process.
    pub own_cpu: CpuTime,
    /// Further lines of this target.
    pub lines: Vec<String>,
    /// What the daemons counted in the meantime, by name, summed over all of them.
    pub counters: Vec<(String, u64)>,
}

/// Percentiles shown; p50, p95 and p99 are those that other reports are compared by.
const PERCENTILES: [f64; 8] = [1.0, 25.0, 50.0, 75.0, 95.0, 99.0, 99.9, 99.99];

/// The whole report.
pub fn text(run: &Run) -> String {
    let mut out = String::new();
    write_report(&mut out, run).expect("writing to a string does not fail");
    out
}

fn write_report(out: &mut String, run: &Run) -> std::fmt::Result {
    let count = run.latencies_ns.len();
    let seconds = run.elapsed.as_secs_f64();
    let rate = count as f64 / seconds;
    let bytes = count * run.bytes_each;
    writeln!(out, "{}", run.title)?;
    writeln!(
        out,
        "  {}: IOPS={}, BW={:.1}MiB/s ({:.1}MB/s)({:.0}MiB/{}msec)",
        run.load,
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
    run.lines.iter().try_for_each(|line| writeln!(out, "  {line}"))?;
    write_cpu(out, run, count, seconds)?;
    let counters = run.counters.iter().map(|(name, value)| format!("{name}={value}"));
    writeln!(out, "  storage: {}", counters.collect::<Vec<_>>().join(", "))
}

fn write_cpu(out: &mut String, run: &Run, count: u64, seconds: f64) -> std::fmt::Result {
    let each = |cpu: CpuTime| {
        let each = |us: u64| us as f64 / count.max(1) as f64;
        let share = cpu.total_us() as f64 / seconds / 1e4;
        let (total, user, system) = (each(cpu.total_us()), each(cpu.user_us), each(cpu.system_us));
        format!("{total:.2} us/{} (usr {user:.2}, sys {system:.2}), {share:.0}%", run.unit)
    };
    match run.server_cpu {
        Some(server) => writeln!(out, "  cpu: server {}; bench {}", each(server), each(run.own_cpu)),
        None => writeln!(out, "  cpu: bench {}", each(run.own_cpu)),
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
        let mut latencies_ns = Histogram::new(3).expect("three digits");
        for us in 1..=1000u64 {
            latencies_ns.record(us * 1000).expect("in range");
        }
        let run = Run {
            title: "append: target=node".to_owned(),
            load: "append",
            unit: "record",
            bytes_each: 256,
            elapsed: Duration::from_secs(2),
            latencies_ns,
            server_cpu: Some(CpuTime { user_us: 1000, system_us: 3000 }),
            own_cpu: CpuTime::default(),
            lines: vec!["sent: 3".to_owned()],
            counters: vec![("appends".to_owned(), 10)],
        };
        let text = text(&run);
        for part in [
            "IOPS=500",
            "50.00th=[   500]",
            "95.00th=[   950]",
            "99.00th=[   990]",
            "server 4.00 us/record",
            "\n  sent: 3\n",
            "appends=10",
        ] {
            assert!(text.contains(part), "{part} is missing:\n{text}");
        }
    }
}
