//! What a statement takes: time, rows and blocks, for `pg_stat_statements`.
//!
//! Owns [`Meter`], which goes along with an execution. Time runs from the first step to the answer, waits included, and stands
//! still while a portal is suspended; planning is taken off, since PostgreSQL counts it apart. A statement that fails is not
//! counted. The clock is looked at twice a statement for this, and twice more for what others see (`shown.rs`, planning).

use super::settings::Tracked;
use super::statement::Prepared;
use super::transaction::Scope;
use crate::answer::CommandTag;
use crate::database::Database;
use crate::parse::tree::Statement;
use crate::plan::Plan;
use crate::statement_statistics::{BlocksUsed, Executed, StatementKey, TEXT_BYTES_MAX};
use std::sync::Arc;

/// The measuring of one execution.
#[derive(Default)]
pub(super) struct Meter {
    running: Option<Running>,
    /// Of earlier calls of a portal.
    spent: Executed,
    /// What is counted should a suspended portal not be gone on with.
    suspended: Option<Box<Suspended>>,
}

struct Running {
    /// What was asked for when it began.
    tracked: Tracked,
    begun_us: i64,
    planned_us: u64,
    used: BlocksUsed,
}

struct Suspended {
    database: Arc<Database>,
    key: StatementKey,
    prepared: Arc<Prepared>,
    executed: Executed,
    is_left: bool,
}

/// What is counted, and by what number.
pub(super) enum Counted<'a> {
    /// A statement with a plan.
    Planned(&'a Arc<Prepared>, &'a Plan),
    /// Any other one, by its text.
    Utility(&'a Arc<Prepared>),
}

impl Counted<'_> {
    fn prepared(&self) -> &Arc<Prepared> {
        match self {
            Counted::Planned(prepared, _) | Counted::Utility(prepared) => prepared,
        }
    }

    /// The number that it is counted by, 0 if by none.
    pub(super) fn query_id(&self) -> i64 {
        match self {
            Counted::Planned(_, plan) => plan.query_id,
            Counted::Utility(prepared) => prepared.utility_id(),
        }
    }

    /// Whether a session with these settings wants it counted. PREPARE and EXECUTE are counted as what they are about.
    fn is_wanted(&self, tracked: Tracked) -> bool {
        match self {
            Counted::Planned(_, plan) => tracked.statements && plan.query_id != 0,
            Counted::Utility(prepared) => {
                let is_handled = |statement: &Statement| {
                    !matches!(
                        statement,
                        Statement::Prepare { .. } | Statement::Execute { .. } | Statement::Deallocate { .. }
                    )
                };
                tracked.utility && prepared.statement().is_some_and(is_handled)
            }
        }
    }
}

impl Meter {
    /// A step begins, or goes on after a need.
    pub(super) fn run(&mut self, scope: &Scope) {
        let tracked = scope.view.settings.tracked();
        if self.running.is_none() && tracked.statements {
            self.go_on();
            let (begun_us, planned_us) = (scope.environment.wall_clock_us(), scope.planned_us());
            self.running = Some(Running { tracked, begun_us, planned_us, used: scope.blocks_used() });
        }
    }

    /// The portal stands still: its time, too.
    pub(super) fn suspend(&mut self, scope: &Scope, counted: &Counted<'_>, rows: u64) {
        let Some(tracked) = self.stop(scope) else { return };
        self.spent.rows = rows;
        if counted.is_wanted(tracked) {
            self.suspended = Some(Box::new(Suspended {
                database: scope.database.clone(),
                key: key(scope, counted.query_id()),
                prepared: counted.prepared().clone(),
                executed: self.spent,
                is_left: true,
            }));
        }
    }

    /// The statement is through.
    pub(super) fn end(&mut self, scope: &Scope, counted: &Counted<'_>, tag: &CommandTag) {
        let Some(tracked) = self.stop(scope) else { return };
        if !counted.is_wanted(tracked) {
            return;
        }
        let counts =
            matches!(counted, Counted::Planned(..)) || matches!(tag.verb, "COPY" | "FETCH" | "SELECT");
        self.spent.rows = tag.rows.filter(|_| counts).unwrap_or(0);
        let prepared = counted.prepared();
        let text = || match counted {
            Counted::Planned(..) => prepared.normalised(),
            Counted::Utility(_) => {
                let written = prepared.written();
                written[..written.floor_char_boundary(TEXT_BYTES_MAX)].to_owned()
            }
        };
        scope.database.statements.executed(key(scope, counted.query_id()), &self.spent, text);
        *self = Meter::default();
    }

    /// It has failed: nothing is counted.
    pub(super) fn give_up(&mut self) {
        self.go_on();
        *self = Meter::default();
    }

    fn go_on(&mut self) {
        if let Some(mut suspended) = self.suspended.take() {
            suspended.is_left = false;
        }
    }

    fn stop(&mut self, scope: &Scope) -> Option<Tracked> {
        let running = self.running.take()?;
        let us = scope.environment.wall_clock_us() - running.begun_us;
        let planned_us = scope.planned_us() - running.planned_us;
        self.spent.us += u64::try_from(us).unwrap_or(0).saturating_sub(planned_us);
        self.spent.used.add(&scope.blocks_used().since(&running.used));
        Some(running.tracked)
    }
}

/// What a session counts a statement under.
pub(super) fn key(scope: &Scope, query_id: i64) -> StatementKey {
    StatementKey { user: scope.view.user_oid, database: scope.view.catalog().database, query_id }
}

/// A portal that was suspended is closed, or its transaction has ended: it has run as far as that.
impl Drop for Suspended {
    fn drop(&mut self) {
        if self.is_left {
            let text = || self.prepared.normalised();
            self.database.statements.executed(self.key, &self.executed, text);
        }
    }
}
