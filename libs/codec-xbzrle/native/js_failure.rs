use godwit_ports::CapsuleError;
use napi::{Error, Status};

use crate::isa::Isa;

/// A failure in the form in which JavaScript recognises its code.
pub fn failure(error: CapsuleError) -> Error {
    failure_of(error, &error.to_string())
}

/// As [`failure`], with words of our own.
pub fn failure_of(error: CapsuleError, message: &str) -> Error {
    let code = match error {
        CapsuleError::Closed => "ERR_GODWIT_CLOSED",
        CapsuleError::Malformed => "ERR_GODWIT_DELTA_MALFORMED",
        _ => "ERR_GODWIT_NATIVE_FAILED",
    };
    Error::new(Status::GenericFailure, format!("{code}: {message}"))
}

pub fn unsupported(message: &str) -> Error {
    Error::new(Status::GenericFailure, format!("ERR_GODWIT_UNSUPPORTED: {message}"))
}

pub fn invalid(message: &str) -> Error {
    Error::new(Status::InvalidArg, message)
}

/// The instruction set of that name, or the fastest.
pub fn wanted_isa(name: Option<String>) -> napi::Result<Isa> {
    let Some(name) = name else {
        return Ok(Isa::best());
    };
    Isa::available()
        .find(|isa| isa.name() == name)
        .ok_or_else(|| unsupported(&format!("this processor or this build has no {name} encoder")))
}
