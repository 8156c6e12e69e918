//! Page reads: who is asked first, who second, and when nobody is.

use super::opener::Opener;
use hexalog_protocol::message::{Message, PageImage};
use hexalog_protocol::{Lsn, PageId};

/// Kind of a page request.
const READ: u16 = 8;

impl Opener {
    /// Asks for a page; returns the request and the link that it was sent to.
    fn read(&mut self, page: u64) -> (usize, u64) {
        self.client.read(PageId(page), Lsn(10));
        self.flush();
        self.asked().expect("a member is asked")
    }

    /// A read request that was sent and not looked at yet.
    fn asked(&mut self) -> Option<(usize, u64)> {
        let link = (0..6).find(|link| self.sent[*link].iter().any(|(kind, _)| *kind == READ))?;
        Some((link, self.request(link, READ)))
    }

    /// The member answers that the page was never written.
    fn answer_read(&mut self, (link, request): (usize, u64), page: u64) {
        let image = PageImage { page: PageId(page), read_point: Lsn(10), image: &[] };
        self.answer(link, request, &Message::PageImage(image));
    }

    fn wait(&mut self, us: u64) {
        self.now_us += us;
        self.flush();
    }

    /// Reads so many pages, each answered by whoever was asked after `us(link)`.
    fn read_many(&mut self, count: u64, us: impl Fn(usize) -> u64) -> [u64; 6] {
        let mut asked = [0; 6];
        for page in 0..count {
            let request = self.read(page % 16);
            asked[request.0] += 1;
            self.wait(us(request.0));
            self.answer_read(request, page % 16);
            // A hedge that was sent meanwhile is answered late.
            while let Some(late) = self.asked() {
                self.answer_read(late, page % 16);
            }
        }
        asked
    }

    fn hedges(&self) -> u64 {
        self.client.counters().hedges
    }
}

#[test]
fn reads_go_to_the_fastest_member_and_seldom_to_another() {
    let mut opener = Opener::opened();
    let asked = opener.read_many(1000, |link| if link == 3 { 300 } else { 700 });
    assert!(asked[3] > 950, "{asked:?}");
    assert!((0..6).all(|link| asked[link] > 0), "each is tried now and then: {asked:?}");
    assert_eq!(opener.hedges(), 0);
}

#[test]
fn an_overdue_read_is_hedged_and_the_first_answer_wins() {
    let mut opener = Opener::opened();
    opener.read_many(200, |_| 500);
    let first = opener.read(1);
    opener.wait(900);
    assert_eq!(opener.asked(), None, "nothing is overdue yet");
    opener.wait(1_000);
    let second = opener.asked().expect("a hedge");
    assert_ne!(first.0, second.0);
    assert_eq!(opener.hedges(), 1);
    opener.answer_read(second, 1);
    // The late one is dropped by its id, though it tells how slow its member was.
    opener.wait(100_000);
    assert_eq!(opener.asked(), None, "the read is answered");
    opener.answer_read(first, 1);
    let next = opener.read(2);
    assert_ne!(next.0, first.0, "the slow one is not the nearest any more");
}

/// A member that stands still under a deep queue: hedges stop at what the bucket holds, which reads fill by a twentieth each.
#[test]
fn hedges_are_no_more_than_a_twentieth_of_reads() {
    let mut opener = Opener::opened();
    opener.read_many(100, |_| 500);
    (0..50).for_each(|page| opener.client.read(PageId(page % 16), Lsn(10)));
    opener.flush();
    let mut first = Vec::new();
    while let Some(request) = opener.asked() {
        first.push(request);
    }
    assert_eq!(first.len(), 50);
    for _ in 0..20 {
        opener.wait(1_500);
    }
    let hedges = opener.hedges();
    assert!((1..=7).contains(&hedges), "{hedges} hedges of 150 reads");
    let sent = std::iter::from_fn(|| opener.asked()).count() as u64;
    assert_eq!(sent, hedges);
    // After long silence the member is given up, and its reads go elsewhere without a token.
    opener.wait(60_000);
    assert_eq!(opener.hedges(), hedges);
    let again = std::iter::from_fn(|| opener.asked()).count();
    assert_eq!(again, 50, "each of them was sent once more");
}

/// When all members are slow, a second request would only make them slower.
#[test]
fn nothing_is_hedged_while_all_members_are_slow() {
    let mut opener = Opener::opened();
    opener.read_many(400, |_| 500);
    // Every member comes to owe an answer.
    let mut owing = [false; 6];
    for page in 0..40 {
        opener.client.read(PageId(page % 16), Lsn(10));
        opener.wait(600);
        while let Some((link, _)) = opener.asked() {
            owing[link] = true;
        }
    }
    assert_eq!(owing, [true; 6]);
    opener.wait(5_000);
    let before = opener.client.counters().read_requests;
    for _ in 0..100 {
        opener.wait(5_000);
    }
    assert_eq!(opener.client.counters().read_requests, before);
    // Not for ever: an answer may have been lost.
    opener.wait(1_000_000);
    assert!(opener.client.counters().read_requests > before);
}
