//! Matrix products with packed operands.
//!
//! [`microkernel`] is the inner loop of every product. [`product`] applies it to rows and panels;
//! [`weight_panels`] packs the weights into those panels, with [`transpose`]; [`forward_weights`] are the packed
//! weights of a forward pass.

pub(crate) mod forward_weights;
pub(crate) mod microkernel;
pub(crate) mod product;
pub(crate) mod transpose;
pub(crate) mod weight_panels;
