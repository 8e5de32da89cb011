//! The passes, compiled for both element types.
//!
//! The methods are not generic, so the passes are compiled once, with this crate, and not in every crate
//! that calls them.

use crate::gemm::forward_weights::ForwardWeights;
use crate::gradients::Gradients;
use crate::layout::kernel_layout::KernelLayout;
use crate::memory::sync_ptr::SyncPtr;
use crate::operands::{Input, OutputGradients, Weights};
use crate::passes::backward::{SavedForBackward, backward_pass};
use crate::passes::forward::{OutputTargets, forward_pass};
use crate::passes::linear::{LinearWeights, linear};
use crate::passes::recompute::{backward_in_segments, forward_in_segments};
use crate::passes::step::{StepBuffers, step};
use crate::simd::dispatch::SimdFloat;
use crate::threads::team::Team;
use crate::zoneout::Zoneout;

/// An element type that the passes are compiled for.
pub trait ElementPasses: SimdFloat {
    // This trait cannot be named outside the crate, so the types in its signatures stay inside it.
    #[allow(private_interfaces)]
    #[doc(hidden)]
    fn pack_weights(
        layout: &KernelLayout,
        weights: &Weights<Self>,
        team: &Team,
    ) -> ForwardWeights<Self>;

    #[allow(private_interfaces)]
    #[doc(hidden)]
    fn step(
        layout: &KernelLayout,
        weights: &ForwardWeights<Self>,
        x: &[Self],
        zoneout: Option<Zoneout<'_, Self>>,
        buffers: &mut StepBuffers<Self>,
    );

    #[allow(private_interfaces)]
    #[doc(hidden)]
    fn forward_pass(
        layout: &KernelLayout,
        weights: &ForwardWeights<Self>,
        input: &Input<Self>,
        to: OutputTargets<Self>,
        tape: Option<&mut [Self]>,
        team: &Team,
    );

    #[allow(private_interfaces)]
    #[doc(hidden)]
    fn backward_pass(
        layout: &KernelLayout,
        weights: &Weights<Self>,
        input: &Input<Self>,
        saved: SavedForBackward<Self>,
        output_gradients: &OutputGradients<Self>,
        to: Gradients<Option<SyncPtr<Self>>>,
        team: &Team,
    );

    /// As `forward_pass`, in segments of `steps` steps.
    #[allow(private_interfaces)]
    #[doc(hidden)]
    fn forward_in_segments(
        layout: &KernelLayout,
        steps: usize,
        weights: &ForwardWeights<Self>,
        input: &Input<Self>,
        to: OutputTargets<Self>,
        kept: Option<&mut [Self]>,
        team: &Team,
    );

    /// As `backward_pass`, from the states that `forward_in_segments` has kept.
    #[allow(private_interfaces, clippy::too_many_arguments)]
    #[doc(hidden)]
    fn backward_in_segments(
        layout: &KernelLayout,
        steps: usize,
        weights: &Weights<Self>,
        input: &Input<Self>,
        kept: &[Self],
        hidden: &[Self],
        output_gradients: &OutputGradients<Self>,
        to: Gradients<Option<SyncPtr<Self>>>,
        team: &Team,
    );

    /// Stores `W x + b` for rows `[N, I]` in `y` `[N, O]`.
    #[allow(private_interfaces)]
    #[doc(hidden)]
    fn linear(weights: &LinearWeights<Self>, x: &[Self], y: &mut [Self]);
}

macro_rules! element_passes {
    ($t:ty) => {
        impl ElementPasses for $t {
            #[allow(private_interfaces)]
            fn pack_weights(
                layout: &KernelLayout,
                weights: &Weights<Self>,
                team: &Team,
            ) -> ForwardWeights<Self> {
                ForwardWeights::pack(layout, weights, team)
            }

            #[allow(private_interfaces)]
            fn step(
                layout: &KernelLayout,
                weights: &ForwardWeights<Self>,
                x: &[Self],
                zoneout: Option<Zoneout<'_, Self>>,
                buffers: &mut StepBuffers<Self>,
            ) {
                step(layout, weights, x, zoneout, buffers)
            }

            #[allow(private_interfaces)]
            fn forward_pass(
                layout: &KernelLayout,
                weights: &ForwardWeights<Self>,
                input: &Input<Self>,
                to: OutputTargets<Self>,
                tape: Option<&mut [Self]>,
                team: &Team,
            ) {
                forward_pass(layout, weights, input, to, tape, team)
            }

            #[allow(private_interfaces)]
            fn backward_pass(
                layout: &KernelLayout,
                weights: &Weights<Self>,
                input: &Input<Self>,
                saved: SavedForBackward<Self>,
                output_gradients: &OutputGradients<Self>,
                to: Gradients<Option<SyncPtr<Self>>>,
                team: &Team,
            ) {
                backward_pass(layout, weights, input, saved, output_gradients, to, team)
            }

            #[allow(private_interfaces)]
            fn forward_in_segments(
                layout: &KernelLayout,
                steps: usize,
                weights: &ForwardWeights<Self>,
                input: &Input<Self>,
                to: OutputTargets<Self>,
                kept: Option<&mut [Self]>,
                team: &Team,
            ) {
                forward_in_segments(layout, steps, weights, input, to, kept, team)
            }

            #[allow(private_interfaces)]
            fn backward_in_segments(
                layout: &KernelLayout,
                steps: usize,
                weights: &Weights<Self>,
                input: &Input<Self>,
                kept: &[Self],
                hidden: &[Self],
                output_gradients: &OutputGradients<Self>,
                to: Gradients<Option<SyncPtr<Self>>>,
                team: &Team,
            ) {
                backward_in_segments(
                    layout,
                    steps,
                    weights,
                    input,
                    kept,
                    hidden,
                    output_gradients,
                    to,
                    team,
                )
            }

            #[allow(private_interfaces)]
            fn linear(weights: &LinearWeights<Self>, x: &[Self], y: &mut [Self]) {
                linear(weights, x, y)
            }
        }
    };
}

element_passes!(f32);
#[cfg(feature = "f64")]
element_passes!(f64);
