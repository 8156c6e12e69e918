//! What a session tells besides its answers: notices and errors, with the names of types in place of their marks.

use super::transaction::Scope;
use super::view::SessionView;
use crate::answer::{Severity, Sink};
use crate::catalog::type_shown;
use crate::sessions::SessionWait;
use crate::stop::Stop;
use hexalog_sql_types::{SqlError, TypeId, types};
use std::borrow::Cow;

impl Scope {
    /// Hands notices on, as far as `client_min_messages` lets them.
    pub(super) fn flush_notices(&mut self, sink: &mut dyn Sink) {
        if self.notices.is_empty() {
            return;
        }
        let quiet = match self.view.settings.get("client_min_messages") {
            "error" => 2,
            "warning" => 1,
            _ => 0,
        };
        for (severity, notice) in self.notices.drain(..) {
            // INFO is always sent, as in PostgreSQL.
            let passes = match severity {
                Severity::Info => true,
                Severity::Notice => quiet < 1,
                Severity::Warning => quiet < 2,
            };
            if passes {
                sink.notice(severity, &with_type_names(&self.view, notice));
            }
        }
    }

    /// An error on its way out of the session.
    pub(super) fn named(&self, error: SqlError) -> SqlError {
        with_type_names(&self.view, error)
    }

    /// A stop on its way out of the session.
    pub(super) fn named_stop(&self, stop: Stop) -> Stop {
        match stop {
            Stop::Error(error) => Stop::Error(self.named(error)),
            Stop::Need(need) => {
                match self.effects.is_asleep.take() {
                    true => self.activity.wait(SessionWait::Sleep),
                    false => self.activity.wait_for(&need),
                }
                Stop::Need(need)
            }
        }
    }
}

/// A message with the names of types in place of their marks.
pub(crate) fn with_type_names(view: &SessionView, mut error: SqlError) -> SqlError {
    let name = |id: TypeId| type_shown(view, id).unwrap_or_else(|| "???".to_owned());
    let fields = error.fields_mut();
    let texts = [&mut fields.detail, &mut fields.hint, &mut fields.context];
    let texts = texts.into_iter().flatten().chain([&mut fields.message]);
    for text in texts {
        if let Cow::Owned(named) = types::with_type_names(text, name) {
            *text = named;
        }
    }
    error
}
