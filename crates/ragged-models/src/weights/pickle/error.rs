//! What keeps a pickle from being read.

use crate::weights::pickle::opcodes;

/// A pickle that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} at byte {position}: {problem}", shown(*.opcode))]
pub(crate) struct PickleError {
    /// The opcode that failed; `None` at the end of the pickle.
    pub(crate) opcode: Option<u8>,
    /// Where the opcode is.
    pub(crate) position: usize,
    pub(crate) problem: Problem,
}

/// Why an opcode failed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("expected opcode PROTO, with which the pickle protocols 2 to 5 begin")]
    NoProtocol,
    #[error("pickle protocol {0} is not supported: expected 2 to 5")]
    Protocol(u8),
    #[error("the opcode is not supported: torch.save does not write it with the protocols 2 to 5")]
    Unsupported,
    #[error("the pickle ends within the opcode's argument")]
    Argument,
    #[error("expected opcode STOP before the end of the pickle")]
    NoStop,
    #[error("the argument has a negative length, {0}")]
    NegativeLength(i32),
    #[error("the argument is not valid UTF-8")]
    Utf8,
    #[error("the stack has too few values")]
    EmptyStack,
    #[error("the stack has no mark")]
    NoMark,
    #[error("no value was stored under number {0}")]
    NoMemo(usize),
    #[error("expected {expected}, got {got}")]
    Kind { expected: &'static str, got: &'static str },
    #[error("expected pairs of keys and values, got {0} values")]
    OddItems(usize),
}

/// Returns an opcode as the messages show it.
fn shown(opcode: Option<u8>) -> String {
    match opcode.map(|byte| (byte, opcodes::name(byte))) {
        Some((_, Some(name))) => format!("opcode {name}"),
        Some((byte, None)) => format!("opcode {byte:#04x}"),
        None => "end".into(),
    }
}
