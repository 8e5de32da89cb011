//! The two passes over one layer and direction, and the products outside the time loop.
//!
//! [`forward`] and [`backward`] have the same structure: pack the weights, run the time loop of
//! `recurrence`, convert the states. [`input_projection`] holds the products with `W_ih` that do not
//! depend on the order of the steps, [`projection`] those with `W_hr`, [`weight_gradient`] the sums over
//! all rows. [`element_passes`] compiles both passes for both element types.

pub(crate) mod backward;
pub(crate) mod element_passes;
pub(crate) mod forward;
mod input_projection;
mod projection;
mod weight_gradient;
