//! Numbers as fio writes them.

use hdrhistogram::Histogram;

/// Of samples.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Moments {
    /// How many.
    pub count: u64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// Mean.
    pub mean: f64,
    /// Standard deviation of the sample.
    pub dev: f64,
}

impl Moments {
    /// Of all values.
    pub fn of(values: impl Iterator<Item = f64> + Clone) -> Moments {
        let count = values.clone().count();
        if count == 0 {
            return Moments::default();
        }
        let mean = values.clone().sum::<f64>() / count as f64;
        let squares: f64 = values.clone().map(|value| (value - mean).powi(2)).sum();
        Moments {
            count: count as u64,
            min: values.clone().fold(f64::INFINITY, f64::min),
            max: values.fold(f64::NEG_INFINITY, f64::max),
            mean,
            dev: if count > 1 { (squares / (count - 1) as f64).sqrt() } else { 0.0 },
        }
    }
}

/// A unit of time and how many nanoseconds it has.
pub type TimeUnit = (&'static str, f64);

/// The unit of a line of moments, by fio's rule: the small end must stay readable.
pub fn unit_of_moments(latencies: &Histogram<u64>) -> TimeUnit {
    let (min, max, dev) = (latencies.min() as f64, latencies.max() as f64, latencies.stdev());
    let is_large = |scale: f64| min / scale > 2000.0 && max / scale > 99_999.0 && dev / scale > 1000.0;
    match () {
        () if is_large(1e3) => ("msec", 1e6),
        () if is_large(1.0) => ("usec", 1e3),
        () => ("nsec", 1.0),
    }
}

/// The unit of a table of percentiles, by fio's rule.
pub fn unit_of_percentiles(smallest: u64, largest: u64) -> TimeUnit {
    match () {
        () if smallest > 2_000_000 && largest > 99_999_999 => ("msec", 1e6),
        () if smallest > 2_000 && largest > 99_999 => ("usec", 1e3),
        () => ("nsec", 1.0),
    }
}

/// A count: 843, 12.3k, 138k, 1.23M.
pub fn short(value: f64) -> String {
    match value {
        v if v < 9_999.5 => format!("{v:.0}"),
        v if v < 99_950.0 => format!("{:.1}k", v / 1e3),
        v if v < 999_500.0 => format!("{:.0}k", v / 1e3),
        v => format!("{:.2}M", v / 1e6),
    }
}

/// Bytes: 1024KiB, 37.1MiB.
pub fn short_bytes(value: f64) -> String {
    let scaled = |unit: &str, shift: u32| {
        let value = value / f64::from(1u32 << shift);
        if value < 99.95 { format!("{value:.1}{unit}") } else { format!("{value:.0}{unit}") }
    };
    match value {
        v if v < 1024.0 => format!("{v:.0}B"),
        v if v < f64::from(9999u32 << 10) => scaled("KiB", 10),
        v if v < f64::from(1u32 << 30) * 9.0 => scaled("MiB", 20),
        _ => scaled("GiB", 30),
    }
}

/// The same in powers of 1000.
pub fn short_bytes_decimal(value: f64) -> String {
    match value {
        v if v < 1e3 => format!("{v:.0}B"),
        v if v < 9.9995e6 => format!("{:.0}kB", v / 1e3),
        v if v < 9.9995e9 => format!("{:.1}MB", v / 1e6),
        v => format!("{:.1}GB", v / 1e9),
    }
}

/// Upper bounds in nanoseconds of the rows of fio's latency distribution, by the unit they are shown in.
pub const BUCKETS: [(&str, f64, &[u64]); 3] = [
    ("nsec", 1.0, &[2, 4, 10, 20, 50, 100, 250, 500, 750, 1000]),
    ("usec", 1e3, &[2, 4, 10, 20, 50, 100, 250, 500, 750, 1000]),
    ("msec", 1e6, &[2, 4, 10, 20, 50, 100, 250, 500, 750, 1000, 2000]),
];

/// Percentages of values in each bucket, all directions together: unit, upper bound (`None`: above all), percent.
pub fn distribution(histograms: [&Histogram<u64>; 2]) -> Vec<(&'static str, Option<u64>, f64)> {
    let total: u64 = histograms.iter().map(|histogram| histogram.len()).sum();
    let between = |low: u64, high: u64| -> f64 {
        let count: u64 = histograms.iter().map(|histogram| histogram.count_between(low, high)).sum();
        100.0 * count as f64 / total.max(1) as f64
    };
    let mut rows = Vec::new();
    let mut low = 0;
    for (unit, scale, bounds) in BUCKETS {
        for bound in bounds {
            let high = (*bound as f64 * scale) as u64;
            rows.push((unit, Some(*bound), between(low, high)));
            low = high + 1;
        }
    }
    rows.push(("msec", None, between(low, u64::MAX)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_bytes_are_shortened_like_fio_does() {
        for (value, expected) in [
            (843.2, "843"),
            (2_100.0, "2100"),
            (12_345.0, "12.3k"),
            (138_499.0, "138k"),
            (1_234_567.0, "1.23M"),
        ] {
            assert_eq!(short(value), expected);
        }
        for (value, expected) in
            [(100.0, "100B"), (8_539_136.0, "8339KiB"), (104_857_600.0, "100MiB"), (38_902_170.0, "37.1MiB")]
        {
            assert_eq!(short_bytes(value), expected);
        }
        assert_eq!(short_bytes_decimal(8_540_000.0), "8540kB");
    }

    #[test]
    fn every_latency_lies_in_one_bucket() {
        let mut histogram = Histogram::new(3).expect("three digits");
        for ns in [1u64, 1500, 90_000, 3_000_000, 30_000_000_000] {
            histogram.record(ns).expect("in range");
        }
        let rows = distribution([&histogram, &Histogram::new(3).expect("three digits")]);
        let found: Vec<_> = rows.iter().filter(|row| row.2 > 0.0).map(|row| (row.0, row.1)).collect();
        assert_eq!(
            found,
            [("nsec", Some(2)), ("usec", Some(2)), ("usec", Some(100)), ("msec", Some(4)), ("msec", None)]
        );
        assert!((rows.iter().map(|row| row.2).sum::<f64>() - 100.0).abs() < 1e-6);
    }
}
