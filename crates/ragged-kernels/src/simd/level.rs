//! The instruction sets that the kernels are compiled for, and the choice of one at run time.

use std::ffi::OsStr;
use std::sync::OnceLock;

use crate::error::{Error, Result};

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
/// assert!(levels.contains(&SimdLevel::current()?));
/// # Ok::<(), ragged_kernels::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SimdLevel {
    /// The instructions that every processor of the target has: SSE2 on x86-64, NEON on aarch64, where multiply-adds
    /// are fused, SIMD128 on wasm32 that is compiled with the feature `simd128`.
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
    /// The variable is read once.
    ///
    /// # Errors
    ///
    /// [`Error::SimdVariable`] for a value that names no level of this processor.
    pub fn current() -> Result<Self> {
        static CURRENT: OnceLock<Result<SimdLevel>> = OnceLock::new();
        CURRENT.get_or_init(|| Self::named(std::env::var_os(VARIABLE).as_deref())).clone()
    }

    /// Returns the level with a name, or the fastest one for no name or an empty one.
    fn named(name: Option<&OsStr>) -> Result<Self> {
        let levels = Self::available();
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return Ok(levels.last().copied().unwrap_or(Self::Portable));
        };
        let got = name.to_string_lossy();
        let level = levels.iter().find(|level| level.name() == got.to_lowercase());
        level.copied().ok_or_else(|| {
            let names: Vec<&str> = levels.iter().map(|level| level.name()).collect();
            let expected = names.join(" or ");
            Error::SimdVariable { expected, got: got.chars().take(40).collect() }
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
            // Engines have 16 registers on x86-64, and one row of wasm32 takes eight.
            Self::Portable if cfg!(target_arch = "wasm32") => 1,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A misspelt level was once ignored.
    #[test]
    fn the_variable_names_a_level_of_the_processor() {
        let named = |name: &str| SimdLevel::named(Some(OsStr::new(name)));
        assert_eq!(named("Portable"), Ok(SimdLevel::Portable));
        assert_eq!(named("").ok(), SimdLevel::available().last().copied());
        assert_eq!(SimdLevel::named(None).ok(), SimdLevel::available().last().copied());
        let error = named("avx3").unwrap_err().to_string();
        assert!(error.starts_with("RAGGED_KERNELS_SIMD: expected portable"), "{error}");
        assert!(error.ends_with("the levels of this processor, got `avx3`"), "{error}");
    }
}
