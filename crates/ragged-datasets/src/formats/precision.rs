//! Whether the values of a feature can be kept in 32 bits.

/// The values of a feature in all sequences, as the file has them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Precision {
    min: f64,
    max: f64,
    /// Whether any value is not a 32-bit float.
    rounded: bool,
}

/// From this magnitude on, 32-bit floats are whole numbers with gaps.
const WHOLE: f64 = 16_777_216.0;

/// The number of values that the range of a feature must have as 32-bit floats.
const LEVELS: f64 = 4096.0;

impl Precision {
    pub(super) fn new() -> Self {
        Self { min: f64::INFINITY, max: f64::NEG_INFINITY, rounded: false }
    }

    pub(super) fn add(&mut self, value: f64) {
        // Both are the number if the other one is NaN.
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.rounded |= !value.is_nan() && f64::from(value as f32) != value;
    }

    /// Whether rounding to 32 bits would lose most differences between the values.
    pub(super) fn is_lost(self) -> bool {
        let magnitude = self.max.abs().max(self.min.abs());
        let spread = self.max - self.min;
        // The distance between 32-bit floats of this magnitude.
        let gap = magnitude * f64::from(f32::EPSILON);
        self.rounded && (magnitude >= WHOLE || (spread > 0.0 && gap * LEVELS > spread))
    }

    /// Describes the loss.
    pub(super) fn note(self, feature: &str) -> String {
        let Self { min, max, .. } = self;
        format!(
            "feature {feature}: values from {min} to {max} cannot be kept apart in 32-bit floats \
             without a transform that reduces them, such as standardize or difference"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_lost(values: &[f64]) -> bool {
        let mut precision = Precision::new();
        values.iter().for_each(|&value| precision.add(value));
        precision.is_lost()
    }

    #[test]
    fn a_large_offset_or_a_small_spread_is_lost() {
        assert!(is_lost(&[1_700_000_000.0, 1_700_000_040.0]));
        assert!(is_lost(&[16_777_217.0]));
        assert!(is_lost(&[1013.25, 1013.251, 1013.252]));
    }

    #[test]
    fn other_values_are_kept() {
        assert!(!is_lost(&[0.1, 0.2, 0.3]) && !is_lost(&[-1e-9, 1e-9]));
        assert!(!is_lost(&[14.62, 14.62]) && !is_lost(&[f64::NAN]) && !is_lost(&[]));
        // 32-bit floats in the file are what they are.
        assert!(!is_lost(&[16_777_216.0, 1_700_000_000.0f32.into()]));
    }
}
