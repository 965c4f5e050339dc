//! Which instruction set looks for differences: the best one this processor has, or the one asked for.

use crate::edges::FindEdges;
use crate::runs::WriteRuns;

/// An instruction set with a kernel of its own. That of AVX-512 takes what came with Ice Lake and Zen 4 (VBMI2, VPOPCNTDQ); what came
/// with AVX2 on every processor (BMI, POPCNT) belongs to that one.
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

    /// To be called only where [`Isa::available`] lists this one; so is [`Isa::write_runs`].
    pub fn find_edges(self) -> FindEdges {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => crate::edges_avx512::find_edges,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => crate::edges_avx2::find_edges,
            Self::Scalar => crate::edges::find_edges,
        }
    }

    pub fn write_runs(self) -> WriteRuns {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => crate::runs::write_runs_avx512,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => crate::runs::write_runs_avx2,
            Self::Scalar => crate::runs::write_runs,
        }
    }

    fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vbmi2")
                    && is_x86_feature_detected!("avx512vpopcntdq")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("bmi1")
                    && is_x86_feature_detected!("bmi2")
                    && is_x86_feature_detected!("popcnt")
            }
            Self::Scalar => true,
        }
    }
}
