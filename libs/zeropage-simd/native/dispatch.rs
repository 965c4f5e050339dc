//! Which kernel runs: the best one this processor has, or the one asked for.

use crate::page_kernel::Kernel;

/// An instruction set with a kernel of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Sse2,
    #[cfg(target_arch = "aarch64")]
    Neon,
    Scalar,
}

/// Fastest first.
const ISAS: &[Isa] = &[
    #[cfg(target_arch = "x86_64")]
    Isa::Avx512,
    #[cfg(target_arch = "x86_64")]
    Isa::Avx2,
    #[cfg(target_arch = "x86_64")]
    Isa::Sse2,
    #[cfg(target_arch = "aarch64")]
    Isa::Neon,
    Isa::Scalar,
];

impl Isa {
    /// Those that this processor has, fastest first. Never empty.
    pub fn available() -> impl Iterator<Item = Self> {
        ISAS.iter().copied().filter(|isa| isa.is_available())
    }

    pub fn best() -> Self {
        Self::available().next().unwrap_or(Self::Scalar)
    }

    pub fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Sse2 => "sse2",
            #[cfg(target_arch = "aarch64")]
            Self::Neon => "neon",
            Self::Scalar => "scalar",
        }
    }

    /// To be called only where [`Isa::available`] lists this one.
    pub fn kernel(self) -> Kernel {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => crate::avx512::KERNEL,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => crate::avx2::KERNEL,
            #[cfg(target_arch = "x86_64")]
            Self::Sse2 => crate::sse2::KERNEL,
            #[cfg(target_arch = "aarch64")]
            Self::Neon => crate::neon::KERNEL,
            Self::Scalar => crate::scalar::KERNEL,
        }
    }

    fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => is_x86_feature_detected!("avx512f"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            // SSE2 belongs to every 64-bit x86 processor.
            #[cfg(target_arch = "x86_64")]
            Self::Sse2 => true,
            // NEON belongs to every 64-bit Arm processor that Rust's targets name.
            #[cfg(target_arch = "aarch64")]
            Self::Neon => true,
            Self::Scalar => true,
        }
    }
}
