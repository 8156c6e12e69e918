//! Addresses on the command line: `127.0.0.1:5433`, `[::1]:5433`, `localhost:5433`.

use std::net::{SocketAddr, ToSocketAddrs};

/// Parses an address with its port; a name is looked up, and its IPv4 address preferred, since that is what listens
/// unless told otherwise. The error is a sentence for clap.
pub fn parse_address(text: &str) -> Result<SocketAddr, String> {
    // Metadata and the daemons' commands name addresses: one that only its listener knows would serve nobody.
    if text.ends_with(":0") {
        return Err("a port of 0 names no port".to_owned());
    }
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let has_port = text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if !has_port {
        return Err("not an address with a port, such as 127.0.0.1:5433".to_owned());
    }
    let found: Vec<SocketAddr> = text.to_socket_addrs().map_err(|error| error.to_string())?.collect();
    let chosen = found.iter().find(|address| address.is_ipv4()).or(found.first());
    chosen.copied().ok_or_else(|| "the name has no address".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("127.0.0.1:5433", Some("127.0.0.1:5433")),
            ("[::1]:5433", Some("[::1]:5433")),
            ("localhost:5433", Some("127.0.0.1:5433")),
            ("5433", None),
            ("127.0.0.1", None),
            ("localhost", None),
            ("127.0.0.1:70000", None),
            ("127.0.0.1:0", None),
            ("[::1]:0", None),
            ("", None),
        ] {
            let expected = expected.map(|text| text.parse().expect("an address"));
            assert_eq!(parse_address(text).ok(), expected, "{text}");
        }
    }
}
