//! The report as text, laid out like fio's.

use super::numbers::{
    Moments, distribution, short, short_bytes, short_bytes_decimal, unit_of_moments, unit_of_percentiles,
};
use super::{bytes_each, iops_samples, own_cpu_percent, server_cpu};
use crate::load::{DIRECTIONS, Direction};
use crate::run::JobRun;
use hdrhistogram::Histogram;
use std::fmt::Write;

/// Percentiles in a line.
const PERCENTILES_A_LINE: usize = 3;

/// The report of all jobs.
pub fn text(runs: &[JobRun]) -> String {
    let mut out = String::new();
    for run in runs {
        write_job(&mut out, run).expect("writing to a string does not fail");
    }
    write_status(&mut out, runs).expect("writing to a string does not fail");
    out
}

fn write_job(out: &mut String, run: &JobRun) -> std::fmt::Result {
    let job = &run.job;
    let (target, load, bs) = (job.target.name(), job.load().name(), short_bytes(job.bs() as f64));
    let rate = match (job.rate, job.rate_iops) {
        (Some(rate), _) => format!(", rate={}/s", short_bytes(rate as f64)),
        (_, Some(iops)) => format!(", rate_iops={iops}"),
        _ => String::new(),
    };
    let name = &job.name;
    writeln!(
        out,
        "{name}: rw={load}, bs={bs}, target={target} ({}), iodepth={}{rate}",
        run.description, job.iodepth
    )?;
    writeln!(out, "{name}: (jobs={}): err= 0", job.numjobs)?;
    for direction in DIRECTIONS {
        if run.sides[direction as usize].ios > 0 {
            write_side(out, run, direction)?;
        }
    }
    write_distribution(out, run)?;
    write_cpu(out, run)?;
    let ios = |direction: Direction| run.sides[direction as usize].ios;
    let (reads, writes) = (ios(Direction::Read), ios(Direction::Write));
    writeln!(out, "     issued rwts: total={reads},{writes},0,0 short=0,0,0,0 dropped=0,0,0,0")?;
    run.lines.iter().try_for_each(|line| writeln!(out, "  {line}"))?;
    run.events.iter().try_for_each(|(at, what)| writeln!(out, "  at {at:.1} s: {what}"))?;
    let counters = crate::shard::difference(&run.before.counters, &run.after.counters);
    let counters: Vec<String> = counters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if counters.is_empty() { Ok(()) } else { writeln!(out, "  storage: {}", counters.join(", ")) }
}

fn write_side(out: &mut String, run: &JobRun, direction: Direction) -> std::fmt::Result {
    let side = &run.sides[direction as usize];
    let seconds = run.elapsed.as_secs_f64();
    let bytes = (side.ios * bytes_each(run, direction)) as f64;
    writeln!(
        out,
        "  {}: IOPS={}, BW={}/s ({}/s)({}/{}msec)",
        name(run, direction),
        short(side.ios as f64 / seconds),
        short_bytes(bytes / seconds),
        short_bytes_decimal(bytes / seconds),
        short_bytes(bytes),
        run.elapsed.as_millis(),
    )?;
    for (name, latencies) in [("slat", &side.slat_ns), ("clat", &side.clat_ns), (" lat", &side.lat_ns)] {
        if !latencies.is_empty() {
            write_moments(out, name, latencies)?;
        }
    }
    write_percentiles(out, run, "clat", &side.clat_ns)?;
    if run.job.interval_ns().is_some() {
        // Under a rate these are what a user would have seen: from the intended begin on.
        write_percentiles(out, run, "lat", &side.lat_ns)?;
    }
    let iops = iops_samples(run, direction);
    if iops.count > 0 {
        let each = bytes_each(run, direction) as f64 / 1024.0;
        let scale = |value: f64| value * each;
        let bw = Moments {
            min: scale(iops.min),
            max: scale(iops.max),
            mean: scale(iops.mean),
            dev: scale(iops.dev),
            ..iops
        };
        write_samples(out, "bw (  KiB/s)", &bw)?;
        write_samples(out, "iops        ", &iops)?;
    }
    Ok(())
}

fn name(run: &JobRun, direction: Direction) -> &'static str {
    match (direction, run.unit_name) {
        (Direction::Read, _) => "read",
        (_, "commit") => "commit",
        _ => "write",
    }
}

fn write_moments(out: &mut String, name: &str, latencies: &Histogram<u64>) -> std::fmt::Result {
    let (unit, scale) = unit_of_moments(latencies);
    writeln!(
        out,
        "    {name} ({unit}): min={:.0}, max={}, avg={:.2}, stdev={:.2}",
        latencies.min() as f64 / scale,
        // A maximum can be far away from the unit of all others.
        match latencies.max() as f64 / scale {
            max if max < 99_999.5 => format!("{max:.0}"),
            max => format!("{:.0}k", max / 1e3),
        },
        latencies.mean() / scale,
        latencies.stdev() / scale,
    )
}

fn write_percentiles(
    out: &mut String,
    run: &JobRun,
    name: &str,
    latencies: &Histogram<u64>,
) -> std::fmt::Result {
    let values: Vec<(f64, u64)> = run
        .job
        .percentile_list
        .iter()
        .map(|percentile| (*percentile, latencies.value_at_percentile(*percentile)))
        .collect();
    let (Some((_, smallest)), Some((_, largest))) = (values.first(), values.last()) else { return Ok(()) };
    let (unit, scale) = unit_of_percentiles(*smallest, *largest);
    let width = format!("{:.0}", *largest as f64 / scale).len().max(4);
    writeln!(out, "    {name} percentiles ({unit}):")?;
    let lines: Vec<String> = values
        .chunks(PERCENTILES_A_LINE)
        .map(|row| {
            let cells = row.iter().map(|(percentile, value)| {
                format!("{percentile:>5.2}th=[{:>width$.0}]", *value as f64 / scale)
            });
            format!("     | {}", cells.collect::<Vec<_>>().join(", "))
        })
        .collect();
    writeln!(out, "{}", lines.join(",\n"))
}

fn write_samples(out: &mut String, name: &str, samples: &Moments) -> std::fmt::Result {
    let Moments { count, min, max, mean, dev } = samples;
    writeln!(out, "   {name}: min={min:5.0}, max={max:5.0}, avg={mean:.2}, stdev={dev:.2}, samples={count}")
}

fn write_distribution(out: &mut String, run: &JobRun) -> std::fmt::Result {
    let rows = distribution([&run.sides[0].lat_ns, &run.sides[1].lat_ns]);
    for unit in ["nsec", "usec", "msec"] {
        let cells: Vec<String> = rows
            .iter()
            .filter(|(other, _, percent)| *other == unit && *percent > 0.0)
            .map(|(_, bound, percent)| match bound {
                Some(bound) => format!("{bound}={:.2}%", percent.max(0.01)),
                None => format!(">=2000={:.2}%", percent.max(0.01)),
            })
            .collect();
        if !cells.is_empty() {
            writeln!(out, "  lat ({unit})   : {}", cells.join(", "))?;
        }
    }
    Ok(())
}

fn write_cpu(out: &mut String, run: &JobRun) -> std::fmt::Result {
    let (user, system) = own_cpu_percent(run);
    let own = run.after.own.since(run.before.own);
    writeln!(
        out,
        "  cpu          : usr={user:.2}%, sys={system:.2}%, ctx={}, majf={}, minf={}",
        own.switches, own.faults_major, own.faults_minor
    )?;
    let Some(server) = server_cpu(run) else { return Ok(()) };
    let ios: u64 = run.sides.iter().map(|side| side.ios).sum();
    let each = |us: u64| us as f64 / ios.max(1) as f64;
    let share = server.total_us() as f64 / run.elapsed.as_secs_f64() / 1e4;
    writeln!(
        out,
        "  server cpu   : {:.2} us each (usr {:.2}, sys {:.2}), {share:.0}% of a core",
        each(server.total_us()),
        each(server.user_us),
        each(server.system_us)
    )
}

fn write_status(out: &mut String, runs: &[JobRun]) -> std::fmt::Result {
    writeln!(out, "\nRun status (all jobs):")?;
    for (name, direction) in [("   READ", Direction::Read), ("  WRITE", Direction::Write)] {
        let of = |run: &JobRun| (run.sides[direction as usize].ios * bytes_each(run, direction)) as f64;
        let bytes: f64 = runs.iter().map(of).sum();
        if bytes == 0.0 {
            continue;
        }
        let bw: f64 = runs.iter().map(|run| of(run) / run.elapsed.as_secs_f64()).sum();
        let longest = runs.iter().map(|run| run.elapsed.as_millis()).max().unwrap_or(0);
        writeln!(
            out,
            "{name}: bw={}/s ({}/s), io={} ({}), run={longest}msec",
            short_bytes(bw),
            short_bytes_decimal(bw),
            short_bytes(bytes),
            short_bytes_decimal(bytes),
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::example_run;
    use super::*;

    #[test]
    fn the_report_looks_like_fios() {
        let text = text(&[example_run()]);
        let golden = include_str!("../../tests/golden/normal.txt");
        assert!(text == golden, "differs from bench/tests/golden/normal.txt:\n{text}");
    }
}
