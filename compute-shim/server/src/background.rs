//! The engine's background work: undoing what losers and aborted transactions left, and purge.

use crate::control::{ServerControl, StopState};
use hexalog_engine::{Budget, Engine, Need, Stop};
use std::sync::Arc;
use std::time::Duration;

/// Shortest and longest pause after a slice that found nothing: a rollback that starts meanwhile is seen within
/// the longest, and an idle process wakes five times a second.
const PAUSE_MIN: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_millis(200);

/// Runs slices until the server waits for nothing more: what sessions drop as they end may need pages that purge frees. Each
/// gives way to whatever session is ready before the next begins.
pub(crate) async fn run(engine: Arc<Engine>, control: Arc<ServerControl>) {
    let mut pause = PAUSE_MIN;
    while control.stop_state() < StopState::Aborting {
        match engine.background(Budget::default()) {
            Ok(true) => {
                pause = PAUSE_MIN;
                tokio::task::yield_now().await;
            }
            Ok(false) => {
                if pause == PAUSE_MAX {
                    // Nothing came for as long: the last records of purge would wait for the next commit.
                    engine.seal_appended();
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
            Err(Stop::Need(Need::Yield)) => tokio::task::yield_now().await,
            Err(Stop::Need(need)) => {
                let met = std::future::poll_fn(|cx| match engine.poll_need(&need, cx.waker()) {
                    true => std::task::Poll::Ready(()),
                    false => std::task::Poll::Pending,
                });
                // A lost wake must not end the work for good: look again now and then.
                let _ = tokio::time::timeout(PAUSE_MAX, met).await;
            }
            Err(Stop::Fail(error)) => {
                if control.stop_state() == StopState::Running {
                    eprintln!("hexalog compute: background work failed: {error}");
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}
