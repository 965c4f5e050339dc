//! Why a guest could not be made or ended.

use std::fmt::Display;

/// What went wrong: a code of Godwit's table, a colon, and words.
#[derive(Debug)]
pub struct Failure(pub String);

impl Failure {
    /// Names what was tried, for an error of the operating system.
    pub fn while_trying<Error: Display>(what: &'static str) -> impl Fn(Error) -> Self {
        move |error| Self(format!("ERR_GODWIT_NATIVE_FAILED: {what}: {error}"))
    }
}
