//! The passes over whole sequences, compiled for both element types.
//!
//! The methods are not generic, so the passes are compiled once, with this crate, and not in every crate
//! that calls them.

use crate::ctc::sequence::{Problem, losses};
use crate::simd::dispatch::SimdFloat;

/// An element type that the passes are compiled for.
pub trait SequencePasses: SimdFloat {
    // This trait cannot be named outside the crate, so the types in its signatures stay inside it.
    #[allow(private_interfaces)]
    #[doc(hidden)]
    fn ctc_losses(
        problem: &Problem<Self>,
        targets: &[&[u32]],
        losses: &mut [Self],
        gradient: Option<&mut [Self]>,
    );
}

macro_rules! sequence_passes {
    ($t:ty) => {
        impl SequencePasses for $t {
            #[allow(private_interfaces)]
            fn ctc_losses(
                problem: &Problem<Self>,
                targets: &[&[u32]],
                into: &mut [Self],
                gradient: Option<&mut [Self]>,
            ) {
                losses(problem, targets, into, gradient)
            }
        }
    };
}

sequence_passes!(f32);
#[cfg(feature = "f64")]
sequence_passes!(f64);
