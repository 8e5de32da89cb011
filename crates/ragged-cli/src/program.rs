//! The name under which the user started the program.

/// The environment variable in which `cargo xtask` passes its own name.
const VARIABLE: &str = "RAGGED_PROGRAM";

/// Returns the words that start the program, for usage lines and hints: `cargo xtask` if that started
/// it, and `ragged` otherwise.
pub(crate) fn name() -> String {
    std::env::var(VARIABLE).ok().filter(|name| !name.is_empty()).unwrap_or("ragged".into())
}
