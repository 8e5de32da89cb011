//! Matrix products with packed operands.
//!
//! [`microkernel`] is the inner loop of every product. [`product`] applies it to rows and panels;
//! [`weight_panels`] packs the weights into those panels, with [`transpose`].

pub(crate) mod microkernel;
pub(crate) mod product;
pub(crate) mod transpose;
pub(crate) mod weight_panels;
