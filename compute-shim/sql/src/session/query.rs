//! A Query message under way: its statements one after the other, and the transaction around them.
//!
//! Owns [`Query`]. Statements of one text share a transaction unless they say BEGIN and COMMIT themselves. The last
//! one's transaction is committed before its tag is given, so that a client never hears of a success that failed.

use super::portal::Named;
use super::run::{Call, Execution};
use super::statement::Prepared;
use super::transaction::{Scope, Status};
use crate::answer::{Completion, QueryProgress, Sink};
use crate::stop::Step;
use std::collections::VecDeque;
use std::sync::Arc;

/// The statements of a Query message.
pub(super) struct Query {
    statements: VecDeque<Arc<Prepared>>,
    execution: Option<Execution>,
    /// What the last statement came to, while its transaction commits.
    ending: Option<Completion>,
    is_empty: bool,
    /// There is one statement, and no block was open when it came.
    is_alone: bool,
    status: Status,
}

impl Query {
    pub(super) fn new(statements: Vec<Arc<Prepared>>, scope: &Scope) -> Query {
        let is_single = statements.len() <= 1;
        Query {
            is_empty: statements.is_empty(),
            is_alone: is_single && scope.status() == Status::Idle,
            status: if is_single { Status::Started } else { Status::Implicit },
            statements: statements.into(),
            execution: None,
            ending: None,
        }
    }

    /// The execution that awaits COPY data.
    pub(super) fn take_execution(&mut self) -> Option<Execution> {
        self.execution.take()
    }

    /// Whether the statement before was the last.
    pub(super) fn is_last(&self) -> bool {
        self.statements.is_empty()
    }

    pub(super) fn step(
        &mut self,
        scope: &mut Scope,
        named: &mut Named,
        sink: &mut dyn Sink,
    ) -> Step<QueryProgress> {
        if std::mem::take(&mut self.is_empty) {
            return Ok(QueryProgress::Statement(Completion::EmptyQuery));
        }
        loop {
            if let Some(completion) = self.ending {
                commit_implicit(scope, named)?;
                self.ending = None;
                return Ok(QueryProgress::Statement(completion));
            }
            let execution = match &mut self.execution {
                Some(execution) => execution,
                None => match self.statements.front() {
                    None => {
                        commit_implicit(scope, named)?;
                        return Ok(QueryProgress::Finished);
                    }
                    Some(prepared) => {
                        if !prepared.ends_transaction() {
                            scope.check_not_failed()?;
                        }
                        if prepared.takes_snapshot() {
                            named.portals.hold(scope)?;
                        }
                        named.portals.show(scope);
                        scope.begin_implicit(self.status);
                        let prepared = self.statements.pop_front().expect("looked at above");
                        self.execution.insert(Execution::new(prepared))
                    }
                },
            };
            let mut call =
                Call { sink: &mut *sink, formats: &[], limit: 0, may_fuse: self.is_alone, is_query: true };
            match execution.step(scope, named, &mut call)? {
                Completion::Tag(tag) => {
                    self.execution = None;
                    if !self.is_last() {
                        return Ok(QueryProgress::Statement(Completion::Tag(tag)));
                    }
                    self.ending = Some(Completion::Tag(tag));
                }
                other => return Ok(QueryProgress::Statement(other)),
            }
        }
    }
}

/// Commits a transaction that no BEGIN has opened.
pub(super) fn commit_implicit(scope: &mut Scope, named: &mut Named) -> Step<()> {
    match scope.status() {
        Status::Started | Status::Implicit => {
            named.before_commit(scope)?;
            scope.commit()
        }
        Status::Idle | Status::Block | Status::Failed => Ok(()),
    }
}
