//! EXPLAIN, with ANALYZE or without.
//!
//! Owns [`Explaining`]: the statement is planned, run to its end with its rows thrown away if that was asked for, and
//! shown. What a change has done stays done, as in PostgreSQL.

use super::plan_run::{PlanRun, Ran, RowTarget};
use super::statement::Prepared;
use super::transaction::Scope;
use crate::answer::{ColumnDescription, Flow};
use crate::execute::Row;
use crate::parse::tree::ExplainOptions;
use crate::plan::{Measured, Plan, explain};
use crate::stop::Step;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, EvalEnv};
use std::collections::VecDeque;
use std::sync::Arc;

/// One EXPLAIN under way.
pub(super) struct Explaining {
    options: ExplainOptions,
    prepared: Arc<Prepared>,
    parameters: Vec<Datum>,
    planning_us: u64,
    run: Option<Box<PlanRun>>,
    /// When the run began.
    begun_us: i64,
}

/// Rows are counted by the nodes; nobody wants them here.
struct Nobody;

impl RowTarget for Nobody {
    fn begin(&mut self, _: &Arc<[ColumnDescription]>) -> Result<()> {
        Ok(())
    }

    fn row(&mut self, _: &EvalEnv<'_>, _: &[Datum], _: &Arc<[ColumnDescription]>) -> Result<Flow> {
        Ok(Flow::Continue)
    }
}

impl Explaining {
    /// Of a statement with the values of its parameters.
    pub(super) fn new(
        options: ExplainOptions,
        prepared: Arc<Prepared>,
        parameters: Vec<Datum>,
    ) -> Explaining {
        Explaining { options, prepared, parameters, planning_us: 0, run: None, begun_us: 0 }
    }

    /// The lines of the answer; one row for formats other than text.
    pub(super) fn step(&mut self, scope: &mut Scope) -> Step<VecDeque<Row>> {
        scope.refresh_durable()?;
        if !self.options.analyze {
            let begun_us = scope.environment.wall_clock_us();
            let plan = self.prepared.plan(scope, false)?;
            self.planning_us = elapsed_us(scope, begun_us);
            return Ok(self.shown(scope, &plan, None));
        }
        if self.run.is_none() {
            let begun_us = scope.environment.wall_clock_us();
            let plan = self.prepared.plan(scope, false)?;
            self.planning_us = elapsed_us(scope, begun_us);
            let parameters = std::mem::take(&mut self.parameters);
            let run = PlanRun::new(self.prepared.clone(), plan, parameters, false);
            self.run = Some(Box::new(run.measured(self.options.timing.unwrap_or(true))));
            self.begun_us = scope.environment.wall_clock_us();
        }
        let run = self.run.as_mut().expect("set above");
        while !matches!(run.step(scope, &mut Nobody, 0, false)?, Ran::Done(_)) {}
        let execution_us = elapsed_us(scope, self.begun_us);
        let run = self.run.take().expect("it ran");
        let measured = Measured { nodes: run.measures(), execution_us };
        Ok(self.shown(scope, run.plan(), Some(&measured)))
    }

    fn shown(&self, scope: &Scope, plan: &Plan, measured: Option<&Measured<'_>>) -> VecDeque<Row> {
        let host = scope.host();
        let env = scope.env(&host);
        let lines = explain(plan, &self.options, measured, self.planning_us, scope.view.catalog(), &env);
        lines.into_iter().map(|line| vec![Datum::from(line)]).collect()
    }
}

fn elapsed_us(scope: &Scope, since_us: i64) -> u64 {
    u64::try_from(scope.environment.wall_clock_us() - since_us).unwrap_or(0)
}
