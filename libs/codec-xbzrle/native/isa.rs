//! Which instruction set looks for differences: the best one this processor has, or the one asked for.

use crate::difference::FindDifferences;

/// An instruction set with a kernel of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Scalar,
}

/// Fastest first.
const ISAS: &[Isa] = &[
    #[cfg(target_arch = "x86_64")]
    Isa::Avx512,
    #[cfg(target_arch = "x86_64")]
    Isa::Avx2,
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
            Self::Scalar => "scalar",
        }
    }

    /// To be called only where [`Isa::available`] lists this one.
    pub fn kernel(self) -> FindDifferences {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => crate::difference_avx512::find_differences,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => crate::difference_avx2::find_differences,
            Self::Scalar => crate::difference::find_differences,
        }
    }

    fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            Self::Scalar => true,
        }
    }
}
