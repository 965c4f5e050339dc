//! What a failed operation is called in JavaScript.

use godwit_ports::CapsuleError;

/// What was asked of a tracker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Start,
    Collect,
    Stop,
}

/// Code and message, as `fromNativeError` of `@godwit/ports` reads them.
pub(crate) fn failure(operation: Operation, error: CapsuleError) -> String {
    match (operation, error) {
        (_, CapsuleError::Closed) => "ERR_GODWIT_CLOSED: the tracker, or its memory, was closed".into(),
        (Operation::Collect, CapsuleError::Unsupported) => {
            "ERR_GODWIT_NOT_TRACKING: writes are recorded from start() on".into()
        }
        (_, CapsuleError::Unsupported) => {
            "ERR_GODWIT_UNSUPPORTED: the memory does not offer what its tracking needs".into()
        }
        (_, error) => format!("ERR_GODWIT_NATIVE_FAILED: dirty tracking: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_collection_can_lack_a_start() {
        let code = |operation, error| failure(operation, error).split(':').next().map(str::to_owned).unwrap();
        assert_eq!(
            code(Operation::Collect, CapsuleError::Unsupported),
            "ERR_GODWIT_NOT_TRACKING"
        );
        for operation in [Operation::Start, Operation::Stop] {
            assert_eq!(code(operation, CapsuleError::Unsupported), "ERR_GODWIT_UNSUPPORTED");
        }
        for operation in [Operation::Start, Operation::Collect, Operation::Stop] {
            assert_eq!(code(operation, CapsuleError::Closed), "ERR_GODWIT_CLOSED");
            assert_eq!(code(operation, CapsuleError::Os(libc::EIO)), "ERR_GODWIT_NATIVE_FAILED");
        }
    }
}
