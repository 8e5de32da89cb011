//! Pickles, the format in which `torch.save` describes the saved object.
//!
//! The format: `Lib/pickletools.py` of CPython.

pub(crate) mod arguments;
pub(crate) mod error;
pub(crate) mod machine;
pub(crate) mod object_graph;
pub(crate) mod opcodes;
