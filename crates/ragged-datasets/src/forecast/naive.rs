//! The errors of a naive forecast, with which those of a model are compared.

/// Returns the mean absolute difference from the value one season before, of each target over some steps of a series,
/// row-major `[T, features]`. It is NaN where no such pair is known.
pub(super) fn naive_errors(
    steps: &[f32],
    features: usize,
    targets: &[usize],
    season: usize,
) -> Vec<f64> {
    let length = steps.len() / features.max(1);
    let value = |t: usize, target: usize| f64::from(steps[t * features + target]);
    let error = |&target: &usize| {
        let pairs = (season..length).map(|t| (value(t, target) - value(t - season, target)).abs());
        let known: Vec<f64> = pairs.filter(|error| !error.is_nan()).collect();
        known.iter().sum::<f64>() / known.len() as f64
    };
    targets.iter().map(error).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_with_those_of_the_season_before() {
        // The second feature is 1, 5, 2, -, 4.
        let steps = [0.0, 1.0, 0.0, 5.0, 0.0, 2.0, 0.0, f32::NAN, 0.0, 4.0];
        assert_eq!(naive_errors(&steps, 2, &[1], 1), [3.5]);
        assert_eq!(naive_errors(&steps, 2, &[1, 0], 2), [1.5, 0.0]);
        assert!(naive_errors(&steps, 2, &[1], 5)[0].is_nan());
    }
}
