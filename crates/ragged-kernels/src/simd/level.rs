//! The instruction sets that the kernels are compiled for, and the choice of one at run time.

use std::sync::OnceLock;

/// The environment variable that chooses a level.
const VARIABLE: &str = "RAGGED_KERNELS_SIMD";

/// An instruction set that the kernels are compiled for.
///
/// A kernel runs at [`SimdLevel::current`], or at the level that
/// [`PackedShape::with_simd`](crate::PackedShape::with_simd) names. Results may differ between levels in their
/// last bits.
///
/// ```
/// use ragged_kernels::SimdLevel;
///
/// let levels = SimdLevel::available();
/// assert_eq!(levels[0], SimdLevel::Portable);
/// assert!(levels.contains(&SimdLevel::current()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SimdLevel {
    /// The instructions that every processor of the target has: SSE2 on x86-64, NEON on aarch64, where
    /// multiply-adds are fused.
    Portable,
    /// AVX2 and FMA, on x86-64.
    Avx2,
    /// AVX-512 F, on x86-64.
    Avx512,
}

impl SimdLevel {
    /// Returns the levels that this processor has, the fastest last.
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut)] // Other levels exist on x86-64 only.
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

    /// Returns the level that kernels run at by default: the one that the environment variable
    /// `RAGGED_KERNELS_SIMD` names (`portable`, `avx2` or `avx512`, in any case), else the fastest.
    ///
    /// The variable is read once. A value that names no level of this processor is ignored.
    pub fn current() -> Self {
        static CURRENT: OnceLock<SimdLevel> = OnceLock::new();
        *CURRENT.get_or_init(|| {
            let levels = Self::available();
            let wanted = std::env::var(VARIABLE).unwrap_or_default().to_lowercase();
            let forced = levels.iter().copied().find(|level| level.name() == wanted);
            forced.or(levels.last().copied()).unwrap_or(Self::Portable)
        })
    }

    /// Returns the number of elements of `bytes` bytes in a vector.
    pub(crate) fn lanes(self, bytes: usize) -> usize {
        match self {
            Self::Portable => 8,
            Self::Avx2 => 32 / bytes,
            Self::Avx512 => 64 / bytes,
        }
    }

    /// Returns the rows of a full tile of the micro-kernel.
    pub(crate) fn tile_rows(self) -> usize {
        match self {
            Self::Portable => 2,
            Self::Avx2 => 3,
            Self::Avx512 => 6,
        }
    }

    /// Returns the name that the environment variable has for this level.
    ///
    /// ```
    /// assert_eq!(ragged_kernels::SimdLevel::Portable.name(), "portable");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}
