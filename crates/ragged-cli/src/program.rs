//! The name under which the user started the program.

/// The environment variable in which `cargo xtask` passes its own name.
const VARIABLE: &str = "RAGGED_PROGRAM";

/// Returns the words that start the program in a usage line or a hint: `ragged`, or `cargo xtask`
/// where that started it.
pub(crate) fn name() -> String {
    std::env::var(VARIABLE).ok().filter(|name| !name.is_empty()).unwrap_or("ragged".into())
}
