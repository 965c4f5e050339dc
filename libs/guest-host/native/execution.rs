//! A guest's execution as other packages drive it.

use std::sync::Arc;

use godwit_ports::{CapsuleError, Execution};

use crate::machine::Machine;

/// [`Machine`] behind the execution capsule.
pub struct SharedExecution(pub Arc<Machine>);

impl Execution for SharedExecution {
    fn state_bytes_max(&self) -> u64 {
        self.0.state_bytes_max() as u64
    }

    fn pause(&self) -> Result<(), CapsuleError> {
        self.0.pause();
        Ok(())
    }

    fn resume(&self) -> Result<(), CapsuleError> {
        self.0.resume()
    }

    fn save(&self, state: &mut Vec<u8>) -> Result<(), CapsuleError> {
        self.0.save(state)
    }

    fn load(&self, state: &[u8]) -> Result<(), CapsuleError> {
        self.0.load(state)
    }

    fn announce(&self) -> Result<(), CapsuleError> {
        self.0.announce();
        Ok(())
    }

    fn drain_late(&self, bytes: &mut Vec<u8>) -> Result<(), CapsuleError> {
        self.0.network().nic().drain_late(bytes);
        Ok(())
    }

    fn inject_late(&self, bytes: &[u8]) -> Result<(), CapsuleError> {
        self.0
            .network()
            .nic()
            .inject(bytes)
            .map(drop)
            .map_err(|_| CapsuleError::Malformed)
    }
}
