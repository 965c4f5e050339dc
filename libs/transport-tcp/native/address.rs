use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use crate::failure::{Failure, INSECURE};

/// Where to connect or listen, as JavaScript has read it from an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Tcp { host: String, port: u16 },
    Unix { path: PathBuf },
}

impl Target {
    /// The address in words: `tcp://host:port` or `unix:///path`.
    pub fn text(&self) -> String {
        match self {
            Self::Tcp { host, port } if host.contains(':') => format!("tcp://[{host}]:{port}"),
            Self::Tcp { host, port } => format!("tcp://{host}:{port}"),
            Self::Unix { path } => format!("unix://{}", path.display()),
        }
    }
}

/// A socket address as users write it.
pub fn text(address: SocketAddr) -> String {
    format!("tcp://{address}")
}

/// The socket addresses of a host. Blocks while names are looked up. Plain TCP is for this machine unless allowed further.
pub fn resolve(host: &str, port: u16, allow_insecure: bool, code: &'static str) -> Result<Vec<SocketAddr>, Failure> {
    let addresses: Vec<SocketAddr> = (host, port)
        .to_socket_addrs()
        .map_err(|error| Failure::new(code, format!("no address for the host \"{host}\": {error}")))?
        .collect();
    if let Some(outside) = addresses
        .iter()
        .find(|address| !allow_insecure && !is_loopback(address.ip()))
    {
        return Err(Failure::new(
            INSECURE,
            format!(
                "{} is beyond this machine, and plain TCP shows a guest's memory to the network: use a tunnel and a \
                 loopback address, or say tcp({{ allowInsecure: true }}) where the network is trusted",
                text(*outside)
            ),
        ));
    }
    if addresses.is_empty() {
        return Err(Failure::new(code, format!("the host \"{host}\" has no address")));
    }
    Ok(addresses)
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::CONNECT_FAILED;

    #[test]
    fn loopback_is_allowed_and_the_rest_wants_consent() {
        for host in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(resolve(host, 1, false, CONNECT_FAILED).is_ok(), "{host}");
        }
        for host in ["0.0.0.0", "::", "192.0.2.1", "::ffff:192.0.2.1"] {
            let refusal = resolve(host, 1, false, CONNECT_FAILED).unwrap_err();
            assert_eq!(refusal.code, INSECURE);
            assert!(refusal.message.contains("allowInsecure"));
            assert!(resolve(host, 1, true, CONNECT_FAILED).is_ok(), "{host}");
        }
    }

    #[test]
    fn addresses_read_as_they_are_written() {
        assert_eq!(text("[::1]:7".parse().unwrap()), "tcp://[::1]:7");
        assert_eq!(
            Target::Tcp {
                host: "::1".into(),
                port: 7
            }
            .text(),
            "tcp://[::1]:7"
        );
        assert_eq!(Target::Unix { path: "/run/x".into() }.text(), "unix:///run/x");
    }
}
