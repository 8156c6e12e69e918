//! The shards' addresses: bound early, so that a port in use is told before anything else is done, and
//! listened on by the driver when a shard is ready.

use crate::exit::{Code, Failure};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

/// After `kill -9` the kernel takes a ring down some time later, and until then the dead daemon's port is
/// taken (met 16 times of 20 by an immediate restart). A port that stays in use longer is another's.
pub const RETRY_MAX: Duration = Duration::from_secs(2);
/// Between two attempts.
pub const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// Refuses an address that others can reach, unless that was asked for.
pub fn check_address(address: SocketAddr, insecure_no_auth: bool) -> Result<(), Failure> {
    if address.ip().is_loopback() || insecure_no_auth {
        return Ok(());
    }
    let message = format!(
        "{address} can be reached from other machines, and there is no authentication yet: listen on a loopback \
         address, or pass --insecure-no-auth on a network where every host is trusted"
    );
    Err(Failure::new(Code::Insecure, message))
}

/// Binds the address of each shard: port + index, or any port for each if it is 0.
pub fn bind(listen: SocketAddr, shards: u16) -> Result<Vec<TcpListener>, Failure> {
    let deadline = Instant::now() + RETRY_MAX;
    let mut listeners = Vec::new();
    for index in 0..shards {
        let port = if listen.port() == 0 { Some(0) } else { listen.port().checked_add(index) };
        let Some(port) = port else {
            let message = format!("{shards} ports from {} on end beyond 65535", listen.port());
            return Err(Failure::new(Code::Usage, message));
        };
        listeners.push(bind_one(SocketAddr::new(listen.ip(), port), deadline)?);
    }
    Ok(listeners)
}

fn bind_one(address: SocketAddr, deadline: Instant) -> Result<TcpListener, Failure> {
    loop {
        let error = match try_bind(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => error,
        };
        let code = match error.kind() {
            io::ErrorKind::AddrInUse if Instant::now() < deadline => {
                std::thread::sleep(RETRY_PAUSE);
                continue;
            }
            io::ErrorKind::AddrInUse => Code::AddressInUse,
            io::ErrorKind::PermissionDenied => Code::PermissionDenied,
            _ => Code::Failed,
        };
        return Err(Failure::new(code, format!("cannot listen on {address}: {error}")));
    }
}

fn try_bind(address: SocketAddr) -> io::Result<TcpListener> {
    if address.port() != 0 {
        // Two sockets may be bound to one port as long as neither listens, and ours will not until its shard is
        // ready. So one that listens tries it out.
        new_bound(address)?.listen(1)?;
    }
    Ok(new_bound(address)?.into())
}

fn new_bound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of the daemon before this one may linger; they do not stand in the way.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}
