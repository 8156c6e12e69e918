//! What came of a load, a run or a check.

use super::conditions::Finding;
use super::options::Options;
use super::terminal::{KINDS, Outcome};
use serde_json::{Value, json};

/// All of it.
#[derive(Debug, Default)]
pub struct Report {
    /// None if no terminals ran.
    pub outcome: Option<Outcome>,
    /// Empty if the conditions were not looked at.
    pub findings: Vec<Finding>,
}

impl Report {
    /// No condition is violated and no transaction has failed.
    pub fn is_good(&self) -> bool {
        self.findings.iter().all(Finding::holds)
            && self.outcome.as_ref().is_none_or(|outcome| outcome.errors.is_empty())
    }

    /// For people.
    pub fn text(&self, options: &Options) -> String {
        let mut text = String::new();
        if let Some(outcome) = &self.outcome {
            text += &outcome_text(outcome, options);
        }
        for finding in &self.findings {
            text += &format!("{}\n", finding.text());
        }
        text
    }

    /// For programs.
    pub fn json(&self, options: &Options) -> Value {
        let mut report = json!({"conditions": self.findings.iter().map(Finding::json).collect::<Vec<_>>()});
        if let Some(outcome) = &self.outcome {
            report["tpmc"] = json!(tpmc(outcome, options));
            report["clients"] = json!(options.clients());
            report["retries"] = json!(outcome.retries);
            report["errors"] = json!(outcome.errors);
            for ((_, name, ..), of) in KINDS.iter().zip(&outcome.of) {
                report["transactions"][name] = json!({
                    "count": of.count, "rolled_back": of.rolled_back, "skipped": of.skipped, "latency": of.latency.json(),
                });
            }
        }
        report
    }
}

/// New-Orders a minute. Those that the specification has rolled back are counted (5.4.1 has all that were completed).
fn tpmc(outcome: &Outcome, options: &Options) -> f64 {
    outcome.of[0].count as f64 * 60.0 / options.runtime.as_secs_f64().max(1e-9)
}

fn outcome_text(outcome: &Outcome, options: &Options) -> String {
    let all: u64 = outcome.of.iter().map(|of| of.count).sum();
    let mut text = format!(
        "tpmC {:.0}: {} warehouses, {} terminals, {:.0} s, {} transactions\n",
        tpmc(outcome, options),
        options.warehouses,
        options.clients(),
        options.runtime.as_secs_f64(),
        all
    );
    for ((_, name, ..), of) in KINDS.iter().zip(&outcome.of) {
        let share = 100.0 * of.count as f64 / all.max(1) as f64;
        text += &format!("{name:>12}: {:7} ({share:4.1} %), {}", of.count, of.latency.text());
        match (of.rolled_back, of.skipped) {
            (0, 0) => {}
            (rolled_back, 0) => text += &format!(", {rolled_back} rolled back as wanted"),
            (_, skipped) => text += &format!(", {skipped} districts had nothing to deliver"),
        }
        text.push('\n');
    }
    for (name, counts) in [("tries again", &outcome.retries), ("failed", &outcome.errors)] {
        text += &format!("{name}: {}\n", counts.values().sum::<u64>());
        for (what, count) in counts {
            text += &format!("  {count} x {what}\n");
        }
    }
    text
}
