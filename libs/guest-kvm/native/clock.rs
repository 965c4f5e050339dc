//! How fast the guest's time stamp counter goes.

use std::sync::OnceLock;

use kvm_ioctls::Kvm;

/// Its frequency, as KVM says it; the same for every guest of this host.
pub fn tsc_khz() -> Result<u64, String> {
    static FREQUENCY: OnceLock<u64> = OnceLock::new();
    if let Some(frequency) = FREQUENCY.get() {
        return Ok(*frequency);
    }
    let ask = || Kvm::new()?.create_vm()?.create_vcpu(0)?.get_tsc_khz();
    let frequency = ask().map_err(|error| format!("/dev/kvm: {error}"))?;
    Ok(*FREQUENCY.get_or_init(|| u64::from(frequency)))
}
