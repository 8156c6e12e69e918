//! How a definition survives a need: it is run again from its beginning, and what is done answers from memory.
//!
//! Owns [`Replay`]. A definition is straight-line code; each of its steps that has an effect, or whose answer must not
//! change (names, numbers, what the catalog said), goes through [`Replay::once`]. A step that may stop many times,
//! such as an index build, keeps its state in a machine through [`Replay::drive`]. The order of the steps must hang on
//! nothing but the answers of earlier ones.

use super::DefinitionContext;
use crate::stop::Step;
use std::any::Any;

enum Entry {
    Running(Box<dyn Any + Send>),
    Done(Box<dyn Any + Send>),
}

/// The answers of a statement's steps, in order.
#[derive(Default)]
pub(super) struct Replay {
    entries: Vec<Entry>,
    at: usize,
}

impl Replay {
    /// The statement begins again.
    pub(super) fn rewind(&mut self) {
        self.at = 0;
    }

    /// The answer of the step that stands here, if it is done.
    fn known<T: Clone + 'static>(&mut self) -> Option<T> {
        match self.entries.get(self.at) {
            Some(Entry::Done(answer)) => {
                self.at += 1;
                let answer = answer.downcast_ref::<T>().expect("the same steps come in the same order");
                Some(answer.clone())
            }
            _ => None,
        }
    }

    fn finish<T: Clone + Send + 'static>(&mut self, answer: T) -> T {
        self.entries.truncate(self.at);
        self.entries.push(Entry::Done(Box::new(answer.clone())));
        self.at += 1;
        answer
    }

    /// Runs a step that either stops having changed nothing or happens wholly.
    pub(super) fn once<T: Clone + Send + 'static>(
        &mut self,
        context: &mut DefinitionContext<'_>,
        work: impl FnOnce(&mut DefinitionContext<'_>) -> Step<T>,
    ) -> Step<T> {
        if let Some(answer) = self.known() {
            return Ok(answer);
        }
        let answer = work(context)?;
        Ok(self.finish(answer))
    }

    /// Runs a step that keeps its state over needs in a machine.
    pub(super) fn drive<M: Send + 'static, T: Clone + Send + 'static>(
        &mut self,
        context: &mut DefinitionContext<'_>,
        start: impl FnOnce(&mut DefinitionContext<'_>) -> Step<M>,
        run: impl FnOnce(&mut M, &mut DefinitionContext<'_>) -> Step<T>,
    ) -> Step<T> {
        if let Some(answer) = self.known() {
            return Ok(answer);
        }
        if self.at == self.entries.len() {
            let machine = start(context)?;
            self.entries.push(Entry::Running(Box::new(machine)));
        }
        let Some(Entry::Running(machine)) = self.entries.get_mut(self.at) else {
            unreachable!("a step that is not done is running");
        };
        let machine = machine.downcast_mut::<M>().expect("the same steps come in the same order");
        let answer = run(machine, context)?;
        Ok(self.finish(answer))
    }
}
