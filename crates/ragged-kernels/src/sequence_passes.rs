//! The passes over whole sequences, compiled for both element types.
//!
//! The methods are not generic, so the passes are compiled once, with this crate, and not in every crate
//! that calls them.

use crate::crf::sequence::{self as crf, CrfGradientsMut};
use crate::ctc::sequence as ctc;
use crate::simd::dispatch::SimdFloat;

/// An element type that the passes are compiled for.
pub trait SequencePasses: SimdFloat {
    // This trait cannot be named outside the crate, so the types in its signatures stay inside it.
    #[allow(private_interfaces)]
    #[doc(hidden)]
    fn ctc_losses(
        problem: &ctc::Problem<Self>,
        targets: &[&[u32]],
        losses: &mut [Self],
        gradient: Option<&mut [Self]>,
    );

    #[allow(private_interfaces)]
    #[doc(hidden)]
    fn crf_losses(problem: &crf::Problem<Self>, tags: &[u32], losses: &mut [Self]);

    #[allow(private_interfaces)]
    #[doc(hidden)]
    fn crf_gradients(
        problem: &crf::Problem<Self>,
        tags: &[u32],
        weights: &[Self],
        into: CrfGradientsMut<Self>,
    );

    #[allow(private_interfaces)]
    #[doc(hidden)]
    fn crf_marginals(problem: &crf::Problem<Self>, into: &mut [Self]);

    #[allow(private_interfaces)]
    #[doc(hidden)]
    fn crf_best_paths(problem: &crf::Problem<Self>, tags: &mut [u32], scores: &mut [Self]);
}

macro_rules! sequence_passes {
    ($t:ty) => {
        impl SequencePasses for $t {
            #[allow(private_interfaces)]
            fn ctc_losses(
                problem: &ctc::Problem<Self>,
                targets: &[&[u32]],
                into: &mut [Self],
                gradient: Option<&mut [Self]>,
            ) {
                ctc::losses(problem, targets, into, gradient)
            }

            #[allow(private_interfaces)]
            fn crf_losses(problem: &crf::Problem<Self>, tags: &[u32], losses: &mut [Self]) {
                crf::losses(problem, tags, losses)
            }

            #[allow(private_interfaces)]
            fn crf_gradients(
                problem: &crf::Problem<Self>,
                tags: &[u32],
                weights: &[Self],
                into: CrfGradientsMut<Self>,
            ) {
                crf::gradients(problem, tags, weights, into)
            }

            #[allow(private_interfaces)]
            fn crf_marginals(problem: &crf::Problem<Self>, into: &mut [Self]) {
                crf::marginals(problem, into)
            }

            #[allow(private_interfaces)]
            fn crf_best_paths(problem: &crf::Problem<Self>, tags: &mut [u32], scores: &mut [Self]) {
                crf::best_paths(problem, tags, scores)
            }
        }
    };
}

sequence_passes!(f32);
#[cfg(feature = "f64")]
sequence_passes!(f64);
