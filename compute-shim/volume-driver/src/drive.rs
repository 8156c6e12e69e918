//! The driver's task: sockets, timer, and one flush a turn.

use crate::connection::Connection;
use crate::handle::{Handle, State};
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::{Lsn, NodeId, Page, PageId};
use hexalog_volume::SharedClient;
use hexalog_volume::config::LinkIndex;
use hexalog_volume::effects::{Effect, Effects, Event, ReadFailure};
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// A connection attempt is given up after this long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest sleep: the client's own deadlines are all shorter while it has work.
const SLEEP_MAX: Duration = Duration::from_millis(100);

/// Who hears what the volume does. Called by the driver's task between two turns, never under the client's lock.
pub trait Listener: Send + Sync {
    /// A page asked for with [`SharedClient::read`], and the node that answered.
    fn page(&self, page: PageId, read_point: Lsn, image: Result<Page, ReadFailure>, from: Option<NodeId>);
    /// Everything up to `vdl` is durable. Once a turn at most.
    fn vdl_advanced(&self, vdl: Lsn);
    /// A refused `reserve` may succeed now.
    fn log_space_freed(&self);
    /// Another writer has the volume.
    fn fenced(&self, by: WriterId);
    /// A line for the process's log.
    fn log(&self, text: &str);
}

/// Why the driver ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Another writer has the volume.
    Fenced(WriterId),
    /// [`Handle::close`].
    Closed,
}

enum Socket {
    Idle,
    Connecting(Pin<Box<dyn Future<Output = std::io::Result<TcpStream>> + Send>>),
    Connected(Connection),
}

struct Driver<L> {
    handle: Handle,
    listener: L,
    sockets: Vec<Socket>,
    effects: Effects,
}

/// Runs the volume until it is fenced or closed. Spawn it on worker 0's loop: there a commit needs no wake across
/// threads.
pub async fn drive<L: Listener>(handle: Handle, listener: L) -> End {
    let links = handle.client().config().groups.iter().flat_map(|group| group.everyone()).count();
    let sockets = (0..links).map(|_| Socket::Idle).collect();
    let mut driver = Driver { handle, listener, sockets, effects: Effects::default() };
    let mut sleep = pin!(sleep_until(Instant::now()));
    std::future::poll_fn(|context| driver.turn(context, sleep.as_mut())).await
}

impl<L: Listener> Driver<L> {
    /// One turn: everything that has come in, one flush, everything that goes out.
    fn turn(&mut self, context: &mut Context<'_>, mut sleep: Pin<&mut Sleep>) -> Poll<End> {
        self.handle.register(context.waker());
        loop {
            if self.handle.state() == State::Closed {
                return Poll::Ready(End::Closed);
            }
            let mut is_busy = false;
            for link in 0..self.sockets.len() {
                is_busy |= self.poll_socket(LinkIndex(link), context);
            }
            let now = self.handle.now();
            let deadline_us = {
                let mut client = self.handle.client();
                client.flush(now, &mut self.effects);
                client.next_deadline_us(now)
            };
            if let Some(end) = self.carry_out() {
                return Poll::Ready(end);
            }
            self.send_all(context);
            if is_busy {
                continue;
            }
            let wait = deadline_us.map_or(SLEEP_MAX, |at| {
                Duration::from_micros(at.saturating_sub(now.monotonic_us))
                    .clamp(Duration::from_millis(1), SLEEP_MAX)
            });
            sleep.as_mut().reset(Instant::now() + wait);
            if sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Takes in what one socket has. True if anything happened.
    fn poll_socket(&mut self, link: LinkIndex, context: &mut Context<'_>) -> bool {
        let now = self.handle.now();
        let event = match &mut self.sockets[link.0] {
            Socket::Idle => return false,
            Socket::Connecting(attempt) => match attempt.as_mut().poll(context) {
                Poll::Pending => return false,
                Poll::Ready(stream) => match stream.and_then(Connection::new) {
                    Ok(connection) => {
                        self.sockets[link.0] = Socket::Connected(connection);
                        Event::Connected(link)
                    }
                    Err(_) => self.closed(link),
                },
            },
            Socket::Connected(connection) => match connection.poll_receive(context) {
                Poll::Pending => return false,
                Poll::Ready(Ok(bytes)) => {
                    self.handle.0.traffic.received(bytes);
                    return self.feed_frames(link);
                }
                Poll::Ready(Err(_)) => self.closed(link),
            },
        };
        self.handle.client().handle(now, event, &mut self.effects);
        true
    }

    fn closed(&mut self, link: LinkIndex) -> Event<'static> {
        self.sockets[link.0] = Socket::Idle;
        Event::Closed(link)
    }

    fn feed_frames(&mut self, link: LinkIndex) -> bool {
        let now = self.handle.now();
        let Socket::Connected(connection) = &mut self.sockets[link.0] else { return false };
        let mut client = self.handle.client();
        loop {
            match connection.next_frame() {
                Ok(Some(frame)) => client.handle(now, Event::Frame(link, frame), &mut self.effects),
                Ok(None) => return true,
                Err(malformed) => {
                    self.effects.list.push(Effect::Log(format!("link {}: {malformed}; closed", link.0)));
                    client.handle(now, Event::Closed(link), &mut self.effects);
                    break;
                }
            }
        }
        drop(client);
        self.sockets[link.0] = Socket::Idle;
        true
    }

    fn carry_out(&mut self) -> Option<End> {
        for (link, bytes) in self.effects.sends.drain(..) {
            if let Socket::Connected(connection) = &mut self.sockets[link.0] {
                connection.queue(bytes);
            }
        }
        let mut end = None;
        for effect in std::mem::take(&mut self.effects.list) {
            match effect {
                Effect::Connect(link, address) => {
                    if link.0 >= self.sockets.len() {
                        self.sockets.resize_with(link.0 + 1, || Socket::Idle);
                    }
                    let attempt = async move {
                        match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
                            Ok(result) => result,
                            Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
                        }
                    };
                    self.sockets[link.0] = Socket::Connecting(Box::pin(attempt));
                    // Polled at once, so that its waker is registered.
                    self.handle.kick();
                }
                Effect::Disconnect(link) => {
                    if let Some(socket) = self.sockets.get_mut(link.0) {
                        *socket = Socket::Idle;
                    }
                }
                Effect::Page { page, read_point, image, from } => {
                    self.listener.page(page, read_point, image, from);
                }
                Effect::Opened => {
                    self.handle.0.state.send_replace(State::Open);
                }
                Effect::VdlAdvanced(vdl) => {
                    self.handle.told().set_vdl(vdl);
                    self.listener.vdl_advanced(vdl);
                }
                Effect::QuorumContact => {
                    let contact_us = self.handle.client().quorum_contact_us();
                    self.handle.0.contact_us.send_replace(contact_us);
                }
                Effect::LogSpaceFreed => self.listener.log_space_freed(),
                Effect::RoomChanged(room) => self.handle.told().set_room(room),
                Effect::Fenced(by) => {
                    self.handle.0.state.send_replace(State::Fenced);
                    self.listener.fenced(by);
                    end = Some(End::Fenced(by));
                }
                Effect::Log(text) => self.listener.log(&text),
            }
        }
        end
    }

    fn send_all(&mut self, context: &mut Context<'_>) {
        for link in 0..self.sockets.len() {
            let Socket::Connected(connection) = &mut self.sockets[link] else { continue };
            if let Poll::Ready(Err(_)) = connection.poll_send(context, &self.handle.0.traffic) {
                let event = self.closed(LinkIndex(link));
                let now = self.handle.now();
                self.handle.client().handle(now, event, &mut self.effects);
                // What that leads to (reads that go elsewhere) is flushed in the next turn.
                self.handle.kick();
            }
        }
    }
}
