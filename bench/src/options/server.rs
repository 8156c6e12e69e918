//! Which server a driver of whole databases talks to.

use clap::Args;
use std::net::SocketAddr;

/// Any that speaks PostgreSQL's protocol.
#[derive(Args, Clone, Debug)]
pub struct Server {
    /// Address of the server.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:5433")]
    pub connect: SocketAddr,
    /// Role to act as; one that is let in without a password.
    #[arg(long, value_name = "NAME", default_value = "postgres")]
    pub user: String,
    /// Database.
    #[arg(long, value_name = "NAME", default_value = "postgres")]
    pub dbname: String,
}
