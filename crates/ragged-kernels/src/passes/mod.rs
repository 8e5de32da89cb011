//! The two passes over one layer and direction, and the products outside the time loop.
//!
//! [`forward`] and [`backward`] have the same structure: run the time loop of `recurrence` over packed
//! weights, convert the states. [`step`] is one step of the forward pass that allocates nothing.
//! [`input_projection`] holds the products with `W_ih` that do not depend on the order of the steps,
//! [`projection`] those with `W_hr`, [`weight_gradient`] the sums over all rows. [`element_passes`]
//! compiles the passes for both element types.

pub(crate) mod backward;
mod backward_weights;
pub(crate) mod element_passes;
pub(crate) mod forward;
mod input_projection;
pub(crate) mod linear;
mod peephole_gradient;
mod projection;
pub(crate) mod recompute;
mod replay;
pub(crate) mod step;
mod weight_gradient;
