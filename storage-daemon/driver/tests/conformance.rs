//! What the driver promises to a machine (`hexalog_storage_core::effects`), on real files and sockets.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod stand_in;

use hexalog_protocol::frame::FRAME_BYTES_MAX;
use hexalog_storage_driver::areas::AREA_FILES;
use hexalog_storage_driver::durability::DurabilityPath;
use hexalog_storage_driver::network::UNSENT_BYTES_MAX;
use hexalog_storage_driver::thread::Notice;
use stand_in::*;
use std::io::{Read, Write};
use std::sync::atomic::Ordering;
use std::time::Duration;

const PATHS: [DurabilityPath; 3] =
    [DurabilityPath::LinkedFlush, DurabilityPath::DsyncWrite, DurabilityPath::DsyncThread];

#[test]
fn writes_flushes_and_reads_of_all_areas_end_once_with_what_was_asked() {
    for path in PATHS {
        let fixture = Fixture::start(path);
        let mut client = fixture.client();
        for area in 0..3u8 {
            for flush in [false, true] {
                let byte = 10 + area * 2 + u8::from(flush);
                let offset = 8192 * u64::from(flush);
                assert_eq!(client.call(WRITE, &write_request(area, flush, offset, 8192, byte)), [0, byte]);
                let read = client.call(READ, &read_request(area, offset, 8192));
                assert_eq!(read[0], 0);
                assert!(read[1..].iter().all(|found| *found == byte), "{path:?} area {area}");
            }
            assert_eq!(client.call(FLUSH, &[area]), [0]);
        }
        assert!(fixture.stop());
    }
}

#[test]
fn many_writes_in_flight_all_end_and_land_where_they_belong() {
    for path in PATHS {
        let fixture = Fixture::start(path);
        let mut client = fixture.client();
        for index in 0..64u64 {
            client.send(WRITE, &write_request(1, index % 3 != 0, index * 4096, 4096, index as u8));
        }
        let mut ended: Vec<_> = (0..64).map(|_| client.receive().expect("an answer").1).collect();
        ended.sort_unstable();
        assert_eq!(ended, (1..=64).collect::<Vec<_>>());
        assert!(fixture.directory.path().exists());
        let bytes = std::fs::read(fixture.directory.path().join("log")).unwrap();
        for index in 0..64 {
            assert!(bytes[index * 4096..][..4096].iter().all(|byte| *byte == index as u8), "block {index}");
        }
        assert!(fixture.stop());
    }
}

#[test]
fn the_writer_thread_keeps_the_order_of_the_log() {
    let fixture = Fixture::start(DurabilityPath::DsyncThread);
    let mut client = fixture.client();
    for round in 0..100u8 {
        client.send(WRITE, &write_request(1, round % 2 == 0, 0, 4096, round));
    }
    let ended: Vec<_> = (0..100).map(|_| client.receive().expect("an answer").1).collect();
    assert_eq!(ended, (1..=100).collect::<Vec<_>>(), "one queue, one order");
    let bytes = std::fs::read(fixture.directory.path().join("log")).unwrap();
    assert!(bytes[..4096].iter().all(|byte| *byte == 99), "the last write is the one that stays");
}

#[test]
fn a_read_past_the_end_of_the_log_gives_zeros_and_an_impossible_write_fails() {
    // Past the page cache the kernel fills the buffer up with zeros; through it, it leaves the rest as it was.
    for (path, direct) in [(PATHS[0], true), (PATHS[1], true), (PATHS[0], false)] {
        let fixture = Fixture::start_with(path, direct);
        let mut client = fixture.client();
        client.call(WRITE, &write_request(1, true, (1 << 20) - 4096, 4096, 5));
        let read = client.call(READ, &read_request(1, (1 << 20) - 4096, 16384));
        assert_eq!(read[0], 0);
        assert!(read[1..4097].iter().all(|byte| *byte == 5));
        assert!(read[4097..].iter().all(|byte| *byte == 0));
        // Beyond what a file offset can be.
        let answer = client.call(WRITE, &write_request(1, true, i64::MAX as u64 - 4095, 4096, 1));
        assert_ne!(answer[0], 0, "{path:?}: a failed write says so");
    }
}

/// `/dev/full` finds no space for anything. What a flush finds is another matter: see `transfer`.
#[test]
fn a_write_without_space_is_told_as_such() {
    for (name, area) in [("extents", 2), ("log", 1)] {
        let directory = tempfile::tempdir().unwrap();
        for (_, other) in AREA_FILES.iter().filter(|(_, other)| *other != name) {
            std::fs::write(directory.path().join(other), vec![0; 1 << 20]).unwrap();
        }
        std::os::unix::fs::symlink("/dev/full", directory.path().join(name)).unwrap();
        let fixture = Fixture::start_in(directory, DurabilityPath::LinkedFlush, false);
        let mut client = fixture.client();
        for flush in [false, true] {
            assert_eq!(client.call(WRITE, &write_request(area, flush, 0, 4096, 1))[0], NO_SPACE);
        }
        assert_eq!(client.call(WRITE, &write_request(0, true, 0, 4096, 1))[0], 0, "others go on");
    }
}

/// What a machine wants is told once to whoever gets it, and what was got to the machine.
#[test]
fn space_is_asked_for_and_told() {
    let fixture = Fixture::start(DurabilityPath::LinkedFlush);
    fixture.wanted.recv_timeout(HANG).unwrap();
    assert_eq!(fixture.space.extents_wanted_bytes.load(Ordering::Acquire), WANTED_BYTES);
    fixture.space.extents_possible_bytes.store(600 << 10, Ordering::Release);
    fixture.space.extents_backed_bytes.store(WANTED_BYTES, Ordering::Release);
    fixture.wait_for(&format!("backed {WANTED_BYTES} of {}", 600 << 10));
    assert!(fixture.wanted.try_recv().is_err(), "once");
    fixture.space.log_is_cut_short.store(true, Ordering::Release);
    fixture.wait_for("prepared 0, cut short");
}

#[test]
fn frames_of_the_largest_size_arrive_whole_both_ways() {
    let fixture = Fixture::start(DurabilityPath::LinkedFlush);
    let mut client = fixture.client();
    let payload: Vec<u8> = (0..FRAME_BYTES_MAX - 24).map(|index| (index / 7) as u8).collect();
    for size in [1, 65_512, 65_513, 300_000, payload.len()] {
        assert_eq!(client.call(ECHO, &payload[..size]), &payload[..size], "{size} bytes");
    }
    // Byte by byte, with pauses in the middle of the header.
    let mut frame = Vec::new();
    hexalog_protocol::frame::write_frame(&mut frame, ECHO, 77, |out| out.extend_from_slice(b"slowly"));
    for byte in frame {
        client.stream.write_all(&[byte]).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(client.receive(), Some((ECHO, 77, b"slowly".to_vec())));
}

/// Sizes on both sides of what a shared buffer takes, written in pieces that cut them anywhere: where bytes are received changes
/// with the frames that come, in the middle of them.
#[test]
fn frames_of_changing_sizes_stay_in_order_however_they_are_cut() {
    let fixture = Fixture::start(DurabilityPath::LinkedFlush);
    let mut sizes = Vec::new();
    for (index, large) in [16_361, 100_000, 40_000, 700_000, 16_360, 20_000].into_iter().enumerate() {
        sizes.extend((0..20 + 30 * index).map(|small| (small * 37 + index) % 900));
        sizes.push(large);
    }
    let mut stream = Vec::new();
    for (index, size) in sizes.iter().enumerate() {
        let payload: Vec<u8> = (0..*size).map(|at| (at + index) as u8).collect();
        hexalog_protocol::frame::write_frame(&mut stream, ECHO, index as u64, |out| out.extend(&payload));
    }
    for piece in [700, 5_000, 30_000, 200_000] {
        let mut client = fixture.client();
        let mut writer = client.stream.try_clone().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for bytes in stream.chunks(piece) {
                    writer.write_all(bytes).unwrap();
                    if piece > 1_000 {
                        std::thread::sleep(Duration::from_micros(200));
                    }
                }
            });
            for (index, size) in sizes.iter().enumerate() {
                let (_, id, payload) = client.receive().expect("an answer");
                assert_eq!((id, payload.len()), (index as u64, *size), "pieces of {piece}");
                assert!(payload.iter().enumerate().all(|(at, byte)| *byte == (at + index) as u8));
            }
        });
    }
}

/// More connections have sent something when the loop comes to look than there are buffers to receive into, and more than once.
#[test]
fn more_busy_connections_than_buffers_are_all_served() {
    let fixture = Fixture::start(DurabilityPath::LinkedFlush);
    let mut sleeper = fixture.client();
    let mut clients: Vec<_> = (0..200).map(|_| fixture.client()).collect();
    for (index, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.call(ECHO, &[index as u8]), [index as u8]);
    }
    for round in 0..4u8 {
        sleeper.send(SLEEP, &100u32.to_le_bytes());
        let payload = |index: usize| vec![round ^ index as u8; 5_000 + index];
        for (index, client) in clients.iter_mut().enumerate() {
            for _ in 0..4 {
                client.send(ECHO, &payload(index));
            }
        }
        for (index, client) in clients.iter_mut().enumerate() {
            for _ in 0..4 {
                assert_eq!(client.receive().expect("an answer").2, payload(index), "connection {index}");
            }
        }
        assert_eq!(sleeper.receive().expect("an answer").0, SLEEP);
    }
    assert!(fixture.seen.lock().unwrap().iter().all(|line| line == "accepted"), "none is lost");
}

/// Small answers to several in one turn are sent without waiting for the sockets: what a full one does not take must still come, in
/// order.
#[test]
fn small_answers_to_slow_receivers_all_come() {
    const COUNT: u64 = 1_200;
    let payload = |index: u64| -> Vec<u8> { (0..9_000).map(|at| (at as u64 * 31 + index) as u8).collect() };
    let mut stream = Vec::new();
    for index in 0..COUNT {
        hexalog_protocol::frame::write_frame(&mut stream, ECHO, index, |out| out.extend(payload(index)));
    }
    let fixture = Fixture::start(DurabilityPath::LinkedFlush);
    let mut clients: Vec<_> = (0..6).map(|_| fixture.client()).collect();
    std::thread::scope(|scope| {
        for client in &clients {
            let mut writer = client.stream.try_clone().unwrap();
            let stream = &stream;
            scope.spawn(move || writer.write_all(stream).unwrap());
        }
        // Until all sockets are full.
        std::thread::sleep(Duration::from_millis(300));
        for client in &mut clients {
            let mut answers = vec![0; stream.len()];
            client.stream.read_exact(&mut answers).unwrap();
            assert!(answers == stream, "all answers, in order");
        }
    });
}

#[test]
fn a_receiver_that_does_not_receive_stops_its_own_requests_only() {
    let fixture = Fixture::start(DurabilityPath::LinkedFlush);
    let mut slow = fixture.client();
    slow.stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    // Each request is answered with 512 KiB that nobody receives: in time the driver must stop receiving,
    // and the client's own socket fills up.
    let mut bytes = Vec::new();
    let mut request = Vec::new();
    hexalog_protocol::codec::Put::put_u32(&mut request, 512 << 10);
    request.resize(4096, 0);
    hexalog_protocol::frame::write_frame(&mut bytes, BURST, 1, |out| out.extend_from_slice(&request));
    let mut sent = 0usize;
    let stopped = loop {
        match slow.stream.write(&bytes[sent % bytes.len()..]) {
            Ok(count) => sent += count,
            Err(error) => break error,
        }
        assert!(sent < 64 << 20, "the driver takes requests without end");
    };
    assert_eq!(stopped.kind(), std::io::ErrorKind::WouldBlock);
    // Another connection is not touched by it.
    assert_eq!(fixture.client().call(ECHO, b"still here"), b"still here");
    // The slow one receives now: every whole request is answered.
    let whole = sent / bytes.len();
    assert!(whole * (512 << 10) > UNSENT_BYTES_MAX);
    for index in 0..whole {
        let (kind, _, payload) = slow.receive().expect("an answer");
        assert_eq!((kind, payload.len()), (BURST, 512 << 10), "answer {index} of {whole}");
    }
}

#[test]
fn a_broken_connection_costs_that_connection_only() {
    let fixture = Fixture::start(DurabilityPath::LinkedFlush);
    let mut good = fixture.client();
    good.call(ECHO, b"first");
    // Garbage: closed by the driver.
    let mut garbage = fixture.client();
    garbage.stream.write_all(&[0xff; 64]).unwrap();
    assert_eq!(garbage.receive(), None);
    fixture.wait_for("closed 2");
    // Reset while answers are on their way.
    let mut reset = fixture.client();
    let mut request = Vec::new();
    hexalog_protocol::codec::Put::put_u32(&mut request, 1 << 19);
    for _ in 0..4 {
        reset.send(BURST, &request);
    }
    reset.stream.read_exact(&mut [0; 100]).unwrap();
    drop(reset);
    fixture.wait_for("closed 3");
    // A bit flipped in a frame.
    let mut flipped = fixture.client();
    let mut bytes = Vec::new();
    hexalog_protocol::frame::write_frame(&mut bytes, ECHO, 1, |out| out.extend_from_slice(b"payload"));
    *bytes.last_mut().unwrap() ^= 1;
    flipped.stream.write_all(&bytes).unwrap();
    assert_eq!(flipped.receive(), None);
    fixture.wait_for("closed 4");
    assert_eq!(good.call(ECHO, b"second"), b"second");
    let closed = fixture.seen.lock().unwrap().iter().filter(|line| line.starts_with("closed")).count();
    assert_eq!(closed, 3, "each is told once");
}

#[test]
fn a_close_by_the_machine_lets_what_was_sent_arrive() {
    let fixture = Fixture::start(DurabilityPath::LinkedFlush);
    for _ in 0..50 {
        let mut client = fixture.client();
        let mut request = Vec::new();
        hexalog_protocol::codec::Put::put_u32(&mut request, 1 << 19);
        client.send(BURST, &request);
        client.send(CLOSE, b"last words");
        // What comes after is nobody's, and must not turn the end into a reset.
        let _ = client.stream.write_all(&[1; 1000]);
        assert_eq!(client.receive().expect("the burst").0, BURST);
        assert_eq!(client.receive().expect("the answer").2, b"last words");
        assert_eq!(client.receive(), None);
    }
    assert!(fixture.seen.lock().unwrap().iter().all(|line| line == "accepted"), "`Closed` does not follow");
}

#[test]
fn peers_connect_and_a_peer_that_is_not_there_is_told_as_closed() {
    let (one, two) = (Fixture::start(PATHS[0]), Fixture::start(PATHS[1]));
    let mut client = one.client();
    assert_eq!(client.call(CONNECT, two.address.to_string().as_bytes()), b"connected");
    two.wait_for("greeting of 5 bytes");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(client.call(CONNECT, nobody.to_string().as_bytes()), b"closed");
    let there = two.stop();
    assert!(there, "a connected peer does not keep a daemon from stopping");
}

/// A machine once named a deadline that stayed in the past for 5 ms of every 25; the thread spun for a fifth of
/// its time.
#[test]
fn a_deadline_in_the_past_does_not_make_the_thread_spin() {
    let fixture = Fixture::start(DurabilityPath::LinkedFlush);
    let mut client = fixture.client();
    let begin = std::time::Instant::now();
    client.call(IMPATIENT, &[]);
    std::thread::sleep(Duration::from_millis(200));
    let ticks = client.call(TICKS, &[]);
    let ticks = u64::from_le_bytes(ticks.try_into().expect("a number"));
    let elapsed_ms = begin.elapsed().as_millis() as u64;
    assert!((1..=elapsed_ms + 2).contains(&ticks), "{ticks} ticks in {elapsed_ms} ms");
}

#[test]
fn a_log_region_grows_while_the_shard_runs() {
    let fixture = Fixture::start(DurabilityPath::LinkedFlush);
    fixture.space.log_prepared_bytes.store(1 << 20, Ordering::Release);
    fixture.wait_for("prepared 1048576");
}

#[test]
fn a_halt_is_told_and_ends_the_shard_unless_reads_go_on() {
    let fixture = Fixture::start(DurabilityPath::LinkedFlush);
    let mut client = fixture.client();
    client.send(HALT, &[1]);
    assert!(matches!(fixture.notice(), Notice::Halted { reads_go_on: true, .. }));
    assert_eq!(client.call(ECHO, b"reads"), b"reads");
    client.send(HALT, &[0]);
    assert!(matches!(fixture.notice(), Notice::Halted { reads_go_on: false, .. }));
    assert_eq!(client.receive(), None);
    assert!(std::net::TcpStream::connect(fixture.address).is_err(), "it listens no more");
    assert!(fixture.stop());
}

#[test]
fn a_stop_finishes_the_writes_in_flight_and_sends_their_answers() {
    for path in PATHS {
        let fixture = Fixture::start(path);
        let mut client = fixture.client();
        for index in 0..32u64 {
            client.send(WRITE, &write_request(1, true, index * 16384, 16384, 1));
        }
        client.call_order_marker();
        assert!(fixture.stop());
        for index in 0..33u64 {
            assert!(client.receive().is_some(), "answer {index}");
        }
        assert_eq!(client.receive(), None);
    }
}

impl Client {
    /// Waits until the driver has begun to answer, without taking any answer; adds one answer, an echo.
    fn call_order_marker(&mut self) {
        let mut peeked = [0; 1];
        self.send(ECHO, b"marker");
        self.stream.peek(&mut peeked).expect("something comes");
    }
}
