//! Parameters: where their values come from, and the files that hold them.

pub(crate) mod atomic_file;
pub(crate) mod init;
pub(crate) mod mismatches;
pub(crate) mod parameter_shapes;
pub(crate) mod parameters;
pub(crate) mod pickle;
pub(crate) mod pytorch_file;
pub(crate) mod state_dict;
pub(crate) mod storages;
pub(crate) mod tensor_record;
