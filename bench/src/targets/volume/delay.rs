//! A slow node: what stands in front of a daemon and passes its answers on later.
//!
//! Everything the daemon sends waits for the same time, so that its throughput is what it was and only its answers come
//! late: an outlier, not an overload.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

/// Pieces under way on one connection; then the daemon is not read from.
const PIECES_MAX: usize = 4096;
const PIECE_BYTES: usize = 64 << 10;

/// Takes connections until it is dropped.
pub struct Delay {
    public: SocketAddr,
    is_over: Arc<AtomicBool>,
}

impl Delay {
    /// Listens at `public` for the daemon at `hidden`.
    pub fn start(public: SocketAddr, hidden: SocketAddr, delay: Duration) -> Result<Delay, String> {
        let listener =
            TcpListener::bind(public).map_err(|error| format!("cannot listen at {public}: {error}"))?;
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                if let Ok(client) = client {
                    // A daemon that does not answer closes the connection, as without anything between.
                    let _ = join(client, hidden, delay);
                }
            }
        });
        Ok(Delay { public, is_over })
    }
}

impl Drop for Delay {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect_timeout(&self.public, Duration::from_millis(100));
    }
}

/// Starts the three threads of a connection; each ends when its side does.
fn join(client: TcpStream, hidden: SocketAddr, delay: Duration) -> std::io::Result<()> {
    let daemon = TcpStream::connect(hidden)?;
    client.set_nodelay(true)?;
    daemon.set_nodelay(true)?;
    let (mut from_client, mut to_daemon) = (client.try_clone()?, daemon.try_clone()?);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_daemon);
        let _ = to_daemon.shutdown(Shutdown::Both);
    });
    let (sender, pieces) = sync_channel(PIECES_MAX);
    std::thread::spawn(move || pass_on(pieces, client));
    std::thread::spawn(move || {
        let mut daemon = daemon;
        let mut piece = vec![0; PIECE_BYTES];
        while let Ok(count @ 1..) = daemon.read(&mut piece) {
            if sender.send((Instant::now() + delay, piece[..count].to_vec())).is_err() {
                break;
            }
        }
    });
    Ok(())
}

fn pass_on(pieces: Receiver<(Instant, Vec<u8>)>, mut client: TcpStream) {
    for (due, piece) in pieces {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if client.write_all(&piece).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_later_and_whole() {
        let daemon = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let hidden = daemon.local_addr().expect("bound");
        std::thread::spawn(move || {
            let (mut socket, _) = daemon.accept().expect("someone connects");
            let mut question = [0; 4];
            socket.read_exact(&mut question).expect("a question");
            socket.write_all(&[7; 200_000]).expect("an answer");
        });
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound");
        let _delay = Delay::start(free, hidden, Duration::from_millis(50)).expect("listens");
        let mut socket = TcpStream::connect(free).expect("connects");
        let begin = Instant::now();
        socket.write_all(b"well").expect("sends");
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).expect("an answer");
        assert!(begin.elapsed() >= Duration::from_millis(50), "{:?}", begin.elapsed());
        assert!(answer.len() == 200_000 && answer.iter().all(|byte| *byte == 7));
    }
}
