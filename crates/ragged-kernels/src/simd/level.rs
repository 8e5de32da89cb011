//! The instruction sets that the kernels are compiled for.

use std::sync::OnceLock;

/// The environment variable that forces a level: `portable`, `avx2` or `avx512`.
const VARIABLE: &str = "RAGGED_KERNELS_SIMD";

/// An instruction set that the kernels are compiled for.
///
/// On aarch64 the portable level is NEON, which every such machine has: the compiler turns its
/// fixed-size arrays into NEON registers and its multiply-adds into fused ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SimdLevel {
    /// What every machine has.
    Portable,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with AVX-512 F.
    Avx512,
}

impl SimdLevel {
    /// The levels that this machine has, the fastest last.
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut)] // The list grows on x86-64 alone.
        let mut levels = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            levels.push(Self::Avx2);
            if is_x86_feature_detected!("avx512f") {
                levels.push(Self::Avx512);
            }
        }
        levels
    }

    /// The level that kernels run at: what `RAGGED_KERNELS_SIMD` names where this machine has it,
    /// and the fastest otherwise. Read once.
    pub fn current() -> Self {
        static CURRENT: OnceLock<SimdLevel> = OnceLock::new();
        *CURRENT.get_or_init(|| {
            let levels = Self::available();
            let wanted = std::env::var(VARIABLE).unwrap_or_default().to_lowercase();
            let forced = levels.iter().copied().find(|level| level.name() == wanted);
            forced.or(levels.last().copied()).unwrap_or(Self::Portable)
        })
    }

    /// Elements of `bytes` bytes in a vector.
    pub(crate) fn lanes(self, bytes: usize) -> usize {
        match self {
            Self::Portable => 8,
            Self::Avx2 => 32 / bytes,
            Self::Avx512 => 64 / bytes,
        }
    }

    /// Rows of a full tile of the micro-kernel.
    pub(crate) fn tile_rows(self) -> usize {
        match self {
            Self::Portable => 2,
            Self::Avx2 => 3,
            Self::Avx512 => 6,
        }
    }

    /// The name that the environment variable takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}
