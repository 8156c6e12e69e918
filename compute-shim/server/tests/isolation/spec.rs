//! The form of a spec.
//!
//! A spec is scenarios, each a list of steps in the order in which they are sent:
//!
//! ```text
//! # A comment.
//! setup: create table t (id int primary key, v int)
//!
//! == what happens
//! for level = read committed | repeatable read
//! A: begin isolation level {level}
//! B: update t set v = 1
//!    where id = 1
//! A!: update t set v = 2
//! ```
//!
//! - `A: SQL` sends SQL on the session A, which is opened when it is first named. An indented line goes on with it.
//! - `A!: SQL` is a step that waits and ends by itself (a deadlock, a time limit): its end is awaited, its wait not told.
//! - `A ends B: SQL` is a step after which the end of B's waiting step is awaited, even if it waits at first (a cancel).
//! - `setup: SQL` must succeed and prints nothing. What stands before the first `==` is done before each scenario.
//! - `for NAME = a | b` runs the scenario, or before the first `==` each of them, with every value in place of `{NAME}`.
//! - `{A.pid}` is the process id of the session A.
//! - `differs: why` says that Hexalog's answers are not PostgreSQL's, and stand in `NAME.hexalog.out`.

/// A file of scenarios.
pub struct Spec {
    pub scenarios: Vec<Scenario>,
    /// Why Hexalog answers otherwise.
    pub differences: Vec<String>,
}

/// What runs in a schema of its own.
pub struct Scenario {
    pub title: String,
    pub steps: Vec<Step>,
}

#[derive(Clone)]
pub struct Step {
    /// Of the file, from 1.
    pub line: usize,
    pub session: String,
    pub sql: String,
    pub ends_by_itself: bool,
    /// The session whose waiting step ends by this one, if the server does not say when.
    pub ends: Option<String>,
}

/// The session whose steps print nothing.
pub const SETUP: &str = "setup";

/// A scenario before its `for` lines are gone through.
#[derive(Default)]
struct Template {
    title: String,
    values: Vec<(String, Vec<String>)>,
    steps: Vec<Step>,
}

pub fn parse(text: &str) -> Result<Spec, String> {
    let mut before = Template::default();
    let mut templates: Vec<Template> = Vec::new();
    let mut differences = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let at = |what: &str| format!("line {line}: {what}");
        let template = templates.last_mut().unwrap_or(&mut before);
        if text.trim().is_empty() || text.starts_with('#') {
            continue;
        } else if text.starts_with(char::is_whitespace) {
            let step = template.steps.last_mut().ok_or_else(|| at("there is no step to go on with"))?;
            step.sql.push(' ');
            step.sql.push_str(text.trim());
        } else if let Some(title) = text.strip_prefix("== ") {
            templates.push(Template { title: title.to_owned(), ..Template::default() });
        } else if let Some(why) = text.strip_prefix("differs: ") {
            differences.push(why.to_owned());
        } else if let Some(values) = text.strip_prefix("for ") {
            let (name, values) = values.split_once(" = ").ok_or_else(|| at("for NAME = a | b"))?;
            let values = values.split(" | ").map(str::to_owned).collect();
            template.values.push((name.to_owned(), values));
        } else {
            let (session, sql) = text.split_once(": ").ok_or_else(|| at("no step"))?;
            let (session, ends) = match session.split_once(" ends ") {
                Some((session, ended)) => (session, Some(ended.to_owned())),
                None => (session, None),
            };
            let (session, ends_by_itself) = match session.strip_suffix('!') {
                Some(session) => (session, true),
                None => (session, false),
            };
            let is_name = !session.is_empty() && session.chars().all(char::is_alphanumeric);
            if !is_name {
                return Err(at("a session's name is letters and digits"));
            }
            let (session, sql) = (session.to_owned(), sql.to_owned());
            template.steps.push(Step { line, session, sql, ends_by_itself, ends });
        }
    }
    let scenarios = templates.into_iter().flat_map(|template| {
        scenarios(Template {
            title: template.title,
            values: before.values.iter().chain(&template.values).cloned().collect(),
            steps: before.steps.iter().chain(&template.steps).cloned().collect(),
        })
    });
    Ok(Spec { scenarios: scenarios.collect(), differences })
}

/// One for each choice of values, the last `for` changing fastest.
fn scenarios(template: Template) -> Vec<Scenario> {
    let mut scenarios = vec![Scenario { title: template.title, steps: template.steps }];
    for (name, values) in template.values {
        let with = |scenario: &Scenario, value: &String| {
            let put = |text: &str| text.replace(&format!("{{{name}}}"), value);
            let step = |step: &Step| Step { sql: put(&step.sql), ..step.clone() };
            let title = match put(&scenario.title) {
                title if title == scenario.title => format!("{title}, {name} = {value}"),
                title => title,
            };
            Scenario { title, steps: scenario.steps.iter().map(step).collect() }
        };
        scenarios = scenarios
            .iter()
            .flat_map(|scenario| values.iter().map(move |value| with(scenario, value)))
            .collect();
    }
    scenarios
}
