use std::fmt;

use godwit_ports::CapsuleError;

/// Why a pump gave up: a code of the table in `@godwit/ports`, and what happened in words. Crosses to JavaScript, and to
/// the peer in FAILED, as `CODE: message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PumpError {
    pub code: String,
    pub message: String,
}

impl PumpError {
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
        }
    }

    /// The peer did what the protocol does not allow.
    pub fn protocol(message: impl Into<String>) -> Self {
        Self::new("ERR_GODWIT_PROTOCOL", message)
    }

    /// A call after `close`.
    pub fn closed() -> Self {
        Self::new("ERR_GODWIT_CLOSED", "the pump was closed")
    }

    /// A failure of the connection, while doing `what`.
    pub fn link(error: CapsuleError, what: &str) -> Self {
        let code = match error {
            CapsuleError::Closed => "ERR_GODWIT_CONNECTION_CLOSED",
            CapsuleError::Timeout => "ERR_GODWIT_PEER_TIMEOUT",
            CapsuleError::Interrupted => "ERR_GODWIT_INTERRUPTED",
            CapsuleError::Malformed => "ERR_GODWIT_FRAME_MALFORMED",
            CapsuleError::OutOfRange => "ERR_GODWIT_PAGE_RANGE",
            CapsuleError::Os(libc::ECONNRESET | libc::EPIPE | libc::ENOTCONN) => "ERR_GODWIT_CONNECTION_CLOSED",
            _ => "ERR_GODWIT_NATIVE_FAILED",
        };
        Self::new(code, format!("{what}: {error}"))
    }

    /// A failure of something on this host, while doing `what`.
    pub fn local(error: CapsuleError, what: &str) -> Self {
        let code = match error {
            CapsuleError::Malformed => "ERR_GODWIT_STATE_INVALID",
            CapsuleError::Unsupported => "ERR_GODWIT_UNSUPPORTED",
            CapsuleError::OutOfRange => "ERR_GODWIT_PAGE_RANGE",
            _ => "ERR_GODWIT_NATIVE_FAILED",
        };
        Self::new(code, format!("{what}: {error}"))
    }

    /// What a FAILED frame of the peer says; hostile, so bounded and cleaned.
    pub fn from_peer(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(&body[..body.len().min(1024)]);
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Self::new("ERR_GODWIT_PEER_FAILED", format!("the peer gave up: {text}"))
    }
}

impl fmt::Display for PumpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for PumpError {}

impl From<PumpError> for napi::Error {
    fn from(error: PumpError) -> Self {
        Self::from_reason(error.to_string())
    }
}
