//! The time loop of both passes: what one time step of one layer and direction computes.
//!
//! [`forward`] and [`backward`] have the same structure. Each is a [`TimeLoop`] that a
//! [`Plan`](crate::threads::plan::Plan) runs on several threads, either by groups of sequences or by
//! blocks of units. [`activations`] is what the first writes for the second.
//!
//! [`TimeLoop`]: crate::threads::plan::TimeLoop

pub(crate) mod activations;
pub(crate) mod backward;
pub(crate) mod forward;
pub(crate) mod kept_states;
pub(crate) mod norm_gradients;
mod normalized;
mod normalized_gradient;
mod reset;
mod zoneout;
