//! Latencies of the drivers of whole databases: recorded in nanoseconds, told in milliseconds.

use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::time::Duration;

/// What is told besides mean and maximum.
const PERCENTILES: [(&str, f64); 4] = [("p50", 50.0), ("p90", 90.0), ("p95", 95.0), ("p99", 99.0)];

/// Of operations of one kind.
#[derive(Clone, Debug)]
pub struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Latency {
        Latency(Histogram::new(3).expect("three digits are possible"))
    }
}

impl Latency {
    /// One more.
    pub fn record(&mut self, latency: Duration) {
        let ns = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX / 2);
        self.0.record(ns).expect("a histogram that resizes takes all values");
    }

    /// Takes in what another one has.
    pub fn add(&mut self, other: &Latency) {
        self.0.add(&other.0).expect("a histogram that resizes takes all values");
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// At this percentile.
    pub fn percentile_ms(&self, percentile: f64) -> f64 {
        self.0.value_at_percentile(percentile) as f64 / 1e6
    }

    /// The longest.
    pub fn max_ms(&self) -> f64 {
        self.0.max() as f64 / 1e6
    }

    /// On one line.
    pub fn text(&self) -> String {
        let parts =
            PERCENTILES.map(|(name, percentile)| format!("{name} {:.2}", self.percentile_ms(percentile)));
        format!("mean {:.2}, {}, max {:.2} ms", self.0.mean() / 1e6, parts.join(", "), self.max_ms())
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let mut fields =
            json!({"count": self.count(), "mean_ms": self.0.mean() / 1e6, "max_ms": self.max_ms()});
        for (name, percentile) in PERCENTILES {
            fields[format!("{name}_ms")] = json!(self.percentile_ms(percentile));
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_in_milliseconds() {
        let mut latency = Latency::default();
        (1..=100).for_each(|ms| latency.record(Duration::from_millis(ms)));
        let near = |value: f64, expected: f64| assert!((value / expected - 1.0).abs() < 0.002, "{value}");
        near(latency.percentile_ms(50.0), 50.0);
        near(latency.percentile_ms(99.0), 99.0);
        near(latency.max_ms(), 100.0);
        near(latency.json()["p95_ms"].as_f64().expect("a number"), 95.0);
        assert!(latency.text().starts_with("mean 50.5"), "{}", latency.text());
    }
}
