//! Which kernel runs: the best one this processor has, or the one asked for.

/// Whether `page_size_bytes` bytes (a multiple of 512) at `page` are all zero.
///
/// # Safety
/// The bytes are readable, and the processor has the kernel's instruction set. They may be written meanwhile: the
/// answer is then that of some mix of old and new bytes.
pub type IsZeroPage = unsafe fn(page: *const u8, page_size_bytes: usize) -> bool;

/// An instruction set with a kernel of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Sse2,
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
            Self::Scalar => "scalar",
        }
    }

    /// To be called only where [`Isa::available`] lists this one.
    pub fn kernel(self) -> IsZeroPage {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => crate::avx512::is_zero_page,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => crate::avx2::is_zero_page,
            #[cfg(target_arch = "x86_64")]
            Self::Sse2 => crate::sse2::is_zero_page,
            Self::Scalar => crate::scalar::is_zero_page,
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
            Self::Scalar => true,
        }
    }
}
