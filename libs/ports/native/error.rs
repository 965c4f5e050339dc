use std::fmt;

/// Why a call through a capsule failed. Crosses the C boundary as one negative number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CapsuleError {
    /// A system call failed with this errno.
    Os(i32),
    /// The implementation panicked; its state may be unusable.
    Panic,
    /// `interrupt` was called.
    Interrupted,
    /// Nothing moved for the time allowed.
    Timeout,
    /// The peer closed, or this end was closed.
    Closed,
    /// Bytes from outside that cannot be right.
    Malformed,
    /// The caller's buffer is too small.
    TooSmall,
    /// The implementation does not offer this.
    Unsupported,
    /// A page or a length outside the memory.
    OutOfRange,
}

impl CapsuleError {
    /// The number that crosses the C boundary.
    pub const fn code(self) -> i32 {
        match self {
            Self::Os(errno) => -errno,
            Self::Panic => -10001,
            Self::Interrupted => -10002,
            Self::Timeout => -10003,
            Self::Closed => -10004,
            Self::Malformed => -10005,
            Self::TooSmall => -10006,
            Self::Unsupported => -10007,
            Self::OutOfRange => -10008,
        }
    }

    /// From a negative number that crossed the C boundary.
    pub const fn from_code(code: i32) -> Self {
        match code {
            -10001 => Self::Panic,
            -10002 => Self::Interrupted,
            -10003 => Self::Timeout,
            -10004 => Self::Closed,
            -10005 => Self::Malformed,
            -10006 => Self::TooSmall,
            -10007 => Self::Unsupported,
            -10008 => Self::OutOfRange,
            errno => Self::Os(-errno),
        }
    }

    /// The errno of the last failed system call of this thread.
    pub fn last_os() -> Self {
        Self::Os(std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
    }
}

impl fmt::Display for CapsuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Os(errno) => write!(f, "{}", std::io::Error::from_raw_os_error(*errno)),
            Self::Panic => f.write_str("the implementation panicked"),
            Self::Interrupted => f.write_str("interrupted"),
            Self::Timeout => f.write_str("nothing moved for the time allowed"),
            Self::Closed => f.write_str("the connection was closed"),
            Self::Malformed => f.write_str("malformed bytes"),
            Self::TooSmall => f.write_str("the buffer is too small"),
            Self::Unsupported => f.write_str("not supported"),
            Self::OutOfRange => f.write_str("outside the memory"),
        }
    }
}

impl std::error::Error for CapsuleError {}
