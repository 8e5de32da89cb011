//! Data sets that stay in their files: blocks of sequences are read when their examples are.

mod block;
mod block_cache;
mod blocks;
mod content;
mod index;
mod lines;
mod streamed;

pub use streamed::{StreamOptions, Streamed};
