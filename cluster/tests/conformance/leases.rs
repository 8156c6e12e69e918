//! Leases on every backend, with clocks that the test turns.

use crate::backends::{Backend, each_backend};
use hexalog_cluster::lease::{Candidate, LeaseState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

const TTL: Duration = Duration::from_secs(8);

/// A clock that stands until it is turned.
#[derive(Clone)]
struct Clock {
    start: Instant,
    ms: Arc<AtomicU64>,
}

impl Clock {
    fn new() -> Clock {
        Clock { start: Instant::now(), ms: Arc::new(AtomicU64::new(0)) }
    }

    fn turn(&self, by: Duration) {
        self.ms.fetch_add(by.as_millis() as u64, Ordering::Relaxed);
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.ms.load(Ordering::Relaxed))
    }
}

fn candidate(backend: &Backend, token: u64, clock: &Clock) -> Candidate {
    let clock = clock.clone();
    let (store, holder) = (backend.open(), format!("process {token}"));
    Candidate::with_clock(store, "controller", token, &holder, TTL, Box::new(move || clock.now()))
}

fn holder(state: &LeaseState) -> Option<String> {
    match state {
        LeaseState::Held { .. } => None,
        LeaseState::Other { record, .. } => Some(record.holder.clone()),
    }
}

#[test]
fn a_renewed_lease_is_nobody_elses_and_a_lapsed_one_is_taken_with_a_higher_term() {
    each_backend(|backend| {
        let clock = Clock::new();
        let (mut a, mut b) = (candidate(backend, 1, &clock), candidate(backend, 2, &clock));
        assert_eq!(a.term(), None);
        assert_eq!(a.step().expect("steps"), LeaseState::Held { term: 1, until: clock.now() + TTL });
        for _ in 0..10 {
            assert_eq!(holder(&b.step().expect("steps")).as_deref(), Some("process 1"));
            clock.turn(TTL / 2);
            assert_eq!(a.step().expect("steps"), LeaseState::Held { term: 1, until: clock.now() + TTL });
        }
        // The holder is silent. It knows that the lease has lapsed before anyone takes it.
        b.step().expect("steps");
        clock.turn(TTL - Duration::from_millis(1));
        assert_eq!(a.term(), Some(1));
        clock.turn(Duration::from_millis(1));
        assert_eq!(a.term(), None);
        assert_eq!(holder(&b.step().expect("steps")).as_deref(), Some("process 1"), "not yet taken");
        clock.turn(TTL / 8);
        assert_eq!(b.step().expect("steps"), LeaseState::Held { term: 2, until: clock.now() + TTL });
        // It wakes up, learns it, and does not get it back by renewing.
        assert_eq!(holder(&a.step().expect("steps")).as_deref(), Some("process 2"));
        assert_eq!((a.term(), b.term()), (None, Some(2)));
    });
}

/// Who comes late has seen no renewal and waits as long as one who has: only what itself has seen counts.
#[test]
fn a_candidate_that_comes_late_waits_a_whole_ttl() {
    each_backend(|backend| {
        let clock = Clock::new();
        candidate(backend, 1, &clock).step().expect("steps");
        clock.turn(TTL * 100);
        let mut late = candidate(backend, 2, &clock);
        assert!(holder(&late.step().expect("steps")).is_some());
        clock.turn(TTL);
        assert!(holder(&late.step().expect("steps")).is_some());
        clock.turn(TTL / 8);
        assert!(holder(&late.step().expect("steps")).is_none());
        assert_eq!(late.term(), Some(2));
    });
}

#[test]
fn a_lease_that_lapsed_and_that_nobody_took_goes_on() {
    each_backend(|backend| {
        let clock = Clock::new();
        let mut a = candidate(backend, 1, &clock);
        a.step().expect("steps");
        clock.turn(TTL * 3);
        assert_eq!(a.term(), None);
        a.step().expect("steps");
        assert_eq!(a.term(), Some(1), "the same taking: nobody acted between");
    });
}

#[test]
fn a_lease_that_is_given_back_is_taken_at_once() {
    each_backend(|backend| {
        let clock = Clock::new();
        let (mut a, mut b) = (candidate(backend, 1, &clock), candidate(backend, 2, &clock));
        a.step().expect("steps");
        b.step().expect("steps");
        a.release().expect("releases");
        assert_eq!(a.term(), None);
        b.step().expect("steps");
        assert_eq!(b.term(), Some(2));
        b.release().expect("releases");
        b.step().expect("steps");
        assert_eq!(b.term(), Some(3), "each taking has a term of its own");
    });
}

#[test]
fn of_many_that_want_a_lapsed_lease_one_gets_it() {
    each_backend(|backend| {
        let clock = Clock::new();
        let barrier = Barrier::new(6);
        let mut candidates: Vec<Candidate> = (1..=6).map(|token| candidate(backend, token, &clock)).collect();
        for round in 1..=4_u64 {
            let held: Vec<Option<u64>> = std::thread::scope(|scope| {
                let barrier = &barrier;
                let step = |candidate: &mut Candidate| {
                    barrier.wait();
                    candidate.step().expect("steps");
                    candidate.term()
                };
                let threads: Vec<_> =
                    candidates.iter_mut().map(|candidate| scope.spawn(move || step(candidate))).collect();
                threads.into_iter().map(|thread| thread.join().expect("a candidate")).collect()
            });
            let winners: Vec<u64> = held.iter().copied().flatten().collect();
            assert_eq!(winners, [round], "{held:?}");
            // The winner dies: another process takes its place, and all others see the lease lapse.
            let winner = held.iter().position(Option::is_some).expect("one");
            candidates[winner] = candidate(backend, 100 + round, &clock);
            for candidate in &mut candidates {
                candidate.step().expect("steps");
            }
            clock.turn(TTL + TTL / 8);
        }
    });
}
