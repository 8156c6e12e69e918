//! Runs the scenarios of a spec: sends a step, finds out whether it waits, and tells what it came to.
//!
//! After each step nothing is sent before all sessions are idle or wait for one that is, so that what is printed does not
//! depend on time. Who waits is asked of the server.

use crate::session::{Answer, Session};
use crate::spec::{SETUP, Scenario, Spec, Step};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A step that neither ends nor waits for another session within this time fails its spec.
const STEP_MAX: Duration = Duration::from_secs(30);
/// Most statements are through within this time, and nobody is asked whether they wait.
const SOON: Duration = Duration::from_millis(8);
/// Between two looks at a step that is not through.
const LOOK: Duration = Duration::from_millis(3);
/// A wait that `pg_blocking_pids` does not know of counts when `pg_stat_activity` has told of it for as long.
const WAIT_SEEN_MIN: Duration = Duration::from_millis(400);

/// Each scenario has it to itself.
const SCHEMA: &str = "isolation";

/// What a spec prints. `Err` says where it hangs or cannot be set up.
pub fn run(address: SocketAddr, name: &str, spec: &Spec) -> Result<String, String> {
    let mut out = String::new();
    for (number, scenario) in spec.scenarios.iter().enumerate() {
        let _ = writeln!(out, "{}== {}", if number == 0 { "" } else { "\n" }, scenario.title);
        run_scenario(address, scenario, &mut out)
            .map_err(|error| format!("{name}, {}: {error}\n{out}", scenario.title))?;
    }
    Ok(out)
}

fn run_scenario(address: SocketAddr, scenario: &Scenario, out: &mut String) -> Result<(), String> {
    let control = Session::open(address, SCHEMA)?;
    control.rows(&format!("set statement_timeout = '{}s'", STEP_MAX.as_secs()), STEP_MAX)?;
    control.rows(&format!("create schema {SCHEMA}"), STEP_MAX)?;
    let mut run = Run { address, control, sessions: BTreeMap::new(), running: Vec::new(), out };
    for step in &scenario.steps {
        run.step(step).map_err(|error| format!("line {}: {error}", step.line))?;
    }
    if let Some(step) = run.running.first() {
        return Err(format!("line {}: the step still waits at the end", step.line));
    }
    for session in run.sessions.values() {
        // One that a step has ended answers with an error.
        let _ = session.rows("rollback", STEP_MAX);
        let _ = session.rows("discard all", STEP_MAX);
    }
    run.control
        .rows(&format!("set client_min_messages = warning; drop schema {SCHEMA} cascade"), STEP_MAX)?;
    Ok(())
}

struct Run<'a> {
    address: SocketAddr,
    /// Asks who waits, and does the set-up.
    control: Session,
    sessions: BTreeMap<String, Session>,
    /// Steps that wait, in the order in which they were sent.
    running: Vec<Step>,
    out: &'a mut String,
}

impl Run<'_> {
    fn step(&mut self, step: &Step) -> Result<(), String> {
        if step.session == SETUP {
            return self.control.rows(&step.sql, STEP_MAX).map(drop);
        }
        if self.running.iter().any(|running| running.session == step.session) {
            return Err(format!("{} still waits with its last step", step.session));
        }
        if !self.sessions.contains_key(&step.session) {
            let session = Session::open(self.address, SCHEMA)?;
            self.sessions.insert(step.session.clone(), session);
        }
        let mut sql = step.sql.clone();
        for (name, session) in &self.sessions {
            sql = sql.replace(&format!("{{{name}.pid}}"), &session.pid);
        }
        let session = &self.sessions[&step.session];
        session.send(&sql);
        let must_end = step.ends_by_itself || step.ends.is_some();
        let answer = session.answer(if must_end { STEP_MAX } else { SOON });
        let _ = writeln!(self.out, "{}: {}", step.session, step.sql);
        match answer {
            Some(answer) => self.out.push_str(&answer.text),
            None if must_end => return Err("the step does not end".into()),
            None => self.running.push(step.clone()),
        }
        if let Some(session) = &step.ends {
            let at = self.running.iter().position(|step| step.session == *session);
            let ended = self.running.remove(at.ok_or_else(|| format!("{session} does not wait"))?);
            let answer = self.sessions[session].answer(STEP_MAX);
            self.goes_on(&ended, &answer.ok_or_else(|| format!("{session} goes on waiting"))?);
        }
        self.settle(step)
    }

    /// Waits until each running step is through or waits for another session, and prints those that are through. `newest` has
    /// just been sent, and may be one of them.
    fn settle(&mut self, newest: &Step) -> Result<(), String> {
        let begin = Instant::now();
        let mut ended: Vec<(Step, Answer)> = Vec::new();
        let mut said_since: BTreeMap<String, Instant> = BTreeMap::new();
        let mut is_settled = self.running.is_empty();
        while !is_settled {
            let waiting = self.waiting()?;
            is_settled = true;
            for step in std::mem::take(&mut self.running) {
                let session = &self.sessions[&step.session];
                if let Some(answer) = session.answer(LOOK) {
                    ended.push((step, answer));
                    // Others may wait for it no more.
                    is_settled = false;
                    continue;
                }
                is_settled &= match waiting.get(&session.pid) {
                    Some(true) => true,
                    Some(false) => {
                        let since = said_since.entry(session.pid.clone()).or_insert_with(Instant::now);
                        since.elapsed() >= WAIT_SEEN_MIN
                    }
                    None => {
                        said_since.remove(&session.pid);
                        false
                    }
                };
                self.running.push(step);
            }
            is_settled |= self.running.is_empty();
            if !is_settled && begin.elapsed() > STEP_MAX {
                let step = &self.running[0];
                return Err(format!("{}: {}: neither ends nor waits for a session", step.session, step.sql));
            }
        }
        // The newest is why the others go on, and comes first; they in the order in which they were sent.
        ended.sort_by_key(|(step, _)| (step.line != newest.line, step.line));
        if self.running.iter().any(|step| step.line == newest.line) {
            let _ = writeln!(self.out, "  waiting ...");
        }
        for (step, answer) in &ended {
            match step.line == newest.line {
                true => self.out.push_str(&answer.text),
                false => self.goes_on(step, answer),
            }
        }
        Ok(())
    }

    /// Process ids of running sessions that wait, and whether `pg_blocking_pids` names one that they wait for. If not,
    /// `pg_stat_activity` says that they wait, and may be out of date.
    fn waiting(&self) -> Result<BTreeMap<String, bool>, String> {
        let pids = self.running.iter().map(|step| self.sessions[&step.session].pid.as_str());
        let asked = format!(
            "select pid || ' ' || is_blocked from (select pid, wait_event_type, wait_event, \
             cardinality(pg_blocking_pids(pid)) > 0 as is_blocked from pg_stat_activity where pid in ({})) s \
             where is_blocked or wait_event_type = 'Lock' or wait_event = 'SafeSnapshot'",
            pids.collect::<Vec<_>>().join(", ")
        );
        let rows = self.control.rows(&asked, STEP_MAX)?;
        let parts = rows.iter().filter_map(|row| row.split_once(' '));
        Ok(parts.map(|(pid, is_blocked)| (pid.to_owned(), is_blocked == "true")).collect())
    }

    fn goes_on(&mut self, step: &Step, answer: &Answer) {
        let _ = write!(self.out, "{} goes on: {}\n{}", step.session, step.sql, answer.text);
    }
}
