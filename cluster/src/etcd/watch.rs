//! A watch of etcd's that outlives its connections.
//!
//! A task follows the stream of one member and begins again at another from the revision that it has come to, so nothing
//! is told twice and nothing left out. Only what etcd has compacted meanwhile cannot be told, and that is said. Events wait in a bounded
//! queue: a watcher that does not look holds up its own stream alone, and etcd keeps the rest.

use super::{ATTEMPT_MAX, Members, ROUND_PAUSE};
use crate::metadata::{CALL_MAX, Event, MetadataError, Watch};
use crate::remote::Remote;
use etcd_client::{EventType, WatchOptions, WatchResponse, WatchStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// Answers that wait for the watcher; each holds the events of at most a few revisions.
const ANSWERS_MAX: usize = 64;

type Told = Result<Vec<Event>, MetadataError>;

pub(super) struct EtcdWatch {
    answers: Receiver<Told>,
    /// What came beside events, for the next call.
    error: Option<MetadataError>,
    task: AbortHandle,
    /// Keeps the thread that the task runs on.
    _remote: Arc<Remote>,
}

impl EtcdWatch {
    /// Tells what happens below `prefix` from revision `from` on.
    pub(super) fn begin(remote: Arc<Remote>, members: Arc<Members>, prefix: &str, from: i64) -> EtcdWatch {
        let (sender, answers) = sync_channel(ANSWERS_MAX);
        let follower = Follower { prefix: members.key(prefix), members, next: from, sender };
        let task = remote.spawn(follower.run());
        EtcdWatch { answers, error: None, task, _remote: remote }
    }
}

impl Watch for EtcdWatch {
    fn next(&mut self, patience: Duration) -> Result<Vec<Event>, MetadataError> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let mut told = match self.answers.recv_timeout(patience) {
            Ok(first) => first?,
            Err(RecvTimeoutError::Timeout) => return Ok(Vec::new()),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(MetadataError::Unavailable("the watch has ended".to_owned()));
            }
        };
        // What came with it.
        while self.error.is_none()
            && let Ok(more) = self.answers.try_recv()
        {
            match more {
                Ok(events) => told.extend(events),
                Err(error) => self.error = Some(error),
            }
        }
        Ok(told)
    }
}

impl Drop for EtcdWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The task's state.
struct Follower {
    members: Arc<Members>,
    /// As etcd has it.
    prefix: Vec<u8>,
    /// The first revision that was not told.
    next: i64,
    sender: SyncSender<Told>,
}

/// Nobody listens any more.
struct Ended;

impl Follower {
    async fn run(mut self) {
        let mut lost_at = Instant::now();
        let mut is_told = false;
        loop {
            for index in self.members.order() {
                let Ok(mut stream) = self.ask(index).await else { continue };
                let Ok(was_followed) = self.follow(&mut stream).await else { return };
                if was_followed {
                    (lost_at, is_told) = (Instant::now(), false);
                }
            }
            // Once for each time that it is cut off for so long.
            if !is_told && lost_at.elapsed() >= CALL_MAX {
                is_told = true;
                let why = format!("{}: the watch is cut off since {CALL_MAX:?}", self.members.name);
                if self.tell(Err(MetadataError::Unavailable(why))).await.is_err() {
                    return;
                }
            }
            tokio::time::sleep(ROUND_PAUSE).await;
        }
    }

    /// Asks a member to tell; its first answer says that it will.
    async fn ask(&self, index: usize) -> Result<WatchStream, ()> {
        let options = WatchOptions::new().with_prefix().with_start_revision(self.next).with_progress_notify();
        let mut client = self.members.client(index);
        let asked = client.watch(self.prefix.clone(), Some(options));
        match tokio::time::timeout(ATTEMPT_MAX, asked).await {
            Ok(asked) => asked.map_err(drop),
            Err(_) => {
                self.members.connect_anew(index).await;
                Err(())
            }
        }
    }

    /// Tells what the stream says until it ends; whether it said anything.
    async fn follow(&mut self, stream: &mut WatchStream) -> Result<bool, Ended> {
        let mut was_followed = false;
        // Anything that is no answer ends the stream, and another is asked for from where this one has come to.
        while let Ok(Some(answer)) = stream.message().await {
            if answer.canceled() {
                if answer.compact_revision() > 0 {
                    self.next = self.next.max(answer.compact_revision());
                    self.tell(Ok(vec![Event::Missed])).await?;
                }
                break;
            }
            was_followed = true;
            self.take(&answer).await?;
        }
        Ok(was_followed)
    }

    async fn take(&mut self, answer: &WatchResponse) -> Result<(), Ended> {
        let mut events = Vec::with_capacity(answer.events().len());
        let mut told = Ok(());
        for event in answer.events() {
            let Some(found) = event.kv() else { continue };
            self.next = self.next.max(found.mod_revision() + 1);
            let event = match event.event_type() {
                EventType::Put => self.members.entry(found).map(|entry| Event::Put { entry, skipped: false }),
                EventType::Delete => {
                    self.members.own_key(found).map(|key| Event::Removed { key, skipped: false })
                }
            };
            match event {
                Ok(event) => events.push(event),
                Err(error) => told = Err(error),
            }
        }
        // A sign of life of a quiet watch: all up to the revision that it names has been told.
        if events.is_empty()
            && !answer.created()
            && let Some(header) = answer.header()
        {
            self.next = self.next.max(header.revision() + 1);
        }
        if !events.is_empty() {
            self.tell(Ok(events)).await?;
        }
        match told {
            Ok(()) => Ok(()),
            Err(error) => self.tell(Err(error)).await,
        }
    }

    /// Waits while the watcher does not look: meanwhile nothing is taken from the stream.
    async fn tell(&self, mut told: Told) -> Result<(), Ended> {
        loop {
            told = match self.sender.try_send(told) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(told)) => told,
                Err(TrySendError::Disconnected(_)) => return Err(Ended),
            };
            tokio::time::sleep(ROUND_PAUSE).await;
        }
    }
}
