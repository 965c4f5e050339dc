use std::fmt;

use godwit_ports::CapsuleError;

/// What JavaScript hears: a code of the table in `@godwit/ports`, and what happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub code: &'static str,
    pub message: String,
}

pub const CONNECT_FAILED: &str = "ERR_GODWIT_CONNECT_FAILED";
pub const LISTEN_FAILED: &str = "ERR_GODWIT_LISTEN_FAILED";
pub const CONNECTION_CLOSED: &str = "ERR_GODWIT_CONNECTION_CLOSED";
pub const INSECURE: &str = "ERR_GODWIT_INSECURE";
pub const INTERRUPTED: &str = "ERR_GODWIT_INTERRUPTED";
pub const NATIVE_FAILED: &str = "ERR_GODWIT_NATIVE_FAILED";
pub const PEER_TIMEOUT: &str = "ERR_GODWIT_PEER_TIMEOUT";

impl Failure {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// Of a transfer with this peer.
    pub fn of_transfer(error: CapsuleError, remote_address: &str) -> Self {
        match error {
            CapsuleError::Interrupted => Self::new(
                INTERRUPTED,
                format!("the transfer with {remote_address} was interrupted from this side"),
            ),
            CapsuleError::Timeout => Self::new(
                PEER_TIMEOUT,
                format!("no byte moved to or from {remote_address} for the time allowed"),
            ),
            CapsuleError::Closed => Self::new(
                CONNECTION_CLOSED,
                format!("the connection with {remote_address} was closed or broke"),
            ),
            other => Self::new(
                NATIVE_FAILED,
                format!("the transfer with {remote_address} failed: {other}"),
            ),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Failure {}

impl From<Failure> for napi::Error {
    fn from(failure: Failure) -> Self {
        napi::Error::from_reason(failure.to_string())
    }
}
