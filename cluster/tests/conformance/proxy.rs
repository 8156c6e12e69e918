//! A TCP proxy that cuts connections at the moment that matters: before a request has arrived, or before its answer has.

use std::io::{ErrorKind, Read as _, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

/// What becomes of the next bytes of a client, once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Cut {
    /// They are passed on, and so are the answers.
    Never = 0,
    /// The connection is closed, and they are lost.
    BeforeRequest = 1,
    /// They are passed on; the answer is lost, and the connection is closed a moment later.
    BeforeAnswer = 2,
    /// Until told otherwise, nothing passes and no connection is closed: the machine is gone. A connection that lost
    /// something meanwhile is closed when it is back.
    Everything = 3,
}

/// How long the server has for what it does before the connection is closed.
const SERVER_MAX: Duration = Duration::from_millis(400);

/// How often a quiet connection looks whether it is to go on.
const LOOK: Duration = Duration::from_millis(50);

/// A proxy in front of one server.
pub struct Proxy {
    pub address: SocketAddr,
    cut: Arc<AtomicU8>,
    is_over: Arc<AtomicBool>,
}

impl Proxy {
    pub fn start(server: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let address = listener.local_addr().expect("bound");
        let (cut, is_over) = (Arc::new(AtomicU8::new(Cut::Never as u8)), Arc::new(AtomicBool::new(false)));
        let (cut_of_thread, is_over_of_thread) = (Arc::clone(&cut), Arc::clone(&is_over));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if is_over_of_thread.load(Ordering::Relaxed) {
                    return;
                }
                // Who comes while the server is away is turned away.
                let Ok(server) = TcpStream::connect(server) else { continue };
                pass(client, server, &cut_of_thread);
            }
        });
        Proxy { address, cut, is_over }
    }

    /// From now on.
    pub fn set(&self, cut: Cut) {
        self.cut.store(cut as u8, Ordering::SeqCst);
    }

    /// Whether the cut that was set was made.
    pub fn has_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst) == Cut::Never as u8
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

fn pass(client: TcpStream, server: TcpStream, cut: &Arc<AtomicU8>) {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let is_deaf = Arc::new(AtomicBool::new(false));
    let has_lost = Arc::new(AtomicBool::new(false));
    let has_lost_answers = Arc::clone(&has_lost);
    let _ = (client.set_read_timeout(Some(LOOK)), server.set_read_timeout(Some(LOOK)));
    let (mut from_client, mut to_client) = (client.try_clone().expect("clones"), client);
    let (mut from_server, mut to_server) = (server.try_clone().expect("clones"), server);
    let (cut, cut_of_answers) = (Arc::clone(cut), Arc::clone(cut));
    let is_deaf_of_answers = Arc::clone(&is_deaf);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = match read(&mut from_client, &mut buffer, &cut, &has_lost) {
                Read::Bytes(count) => count,
                Read::Nothing => continue,
                Read::End => break,
            };
            let take = |wanted: Cut| {
                let (wanted, never) = (wanted as u8, Cut::Never as u8);
                cut.compare_exchange(wanted, never, Ordering::SeqCst, Ordering::SeqCst).is_ok()
            };
            if take(Cut::BeforeRequest) {
                break;
            }
            let is_last = take(Cut::BeforeAnswer);
            if is_last {
                is_deaf.store(true, Ordering::SeqCst);
            }
            if to_server.write_all(&buffer[..count]).is_err() {
                break;
            }
            if is_last {
                finish_request(&mut from_client, &mut to_server, &mut buffer);
                break;
            }
        }
        let _ = (to_server.shutdown(Shutdown::Both), from_client.shutdown(Shutdown::Both));
    });
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = match read(&mut from_server, &mut buffer, &cut_of_answers, &has_lost_answers) {
                Read::Bytes(count) => count,
                Read::Nothing => continue,
                Read::End => break,
            };
            if is_deaf_of_answers.load(Ordering::SeqCst) {
                continue;
            }
            if to_client.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to_client.shutdown(Shutdown::Both);
    });
}

enum Read {
    Bytes(usize),
    Nothing,
    End,
}

fn read(from: &mut TcpStream, buffer: &mut [u8], cut: &AtomicU8, has_lost: &AtomicBool) -> Read {
    let outcome = from.read(buffer);
    let is_gone = cut.load(Ordering::SeqCst) == Cut::Everything as u8;
    match outcome {
        Ok(1..) if is_gone => {
            has_lost.store(true, Ordering::SeqCst);
            Read::Nothing
        }
        _ if has_lost.load(Ordering::SeqCst) && !is_gone => Read::End,
        Ok(count @ 1..) => Read::Bytes(count),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Read::Nothing,
        Ok(0) | Err(_) => Read::End,
    }
}

/// A request may come in several pieces.
fn finish_request(client: &mut TcpStream, server: &mut TcpStream, buffer: &mut [u8]) {
    let deadline = std::time::Instant::now() + SERVER_MAX;
    let _ = client.set_read_timeout(Some(Duration::from_millis(50)));
    while std::time::Instant::now() < deadline {
        if let Ok(count @ 1..) = client.read(buffer)
            && server.write_all(&buffer[..count]).is_err()
        {
            return;
        }
    }
}
