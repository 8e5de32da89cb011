//! SIGINT and SIGTERM: a command finishes its current update, saves, and ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::failure::Failure;

/// Remembers the last signal that arrived. A second signal of the same kind ends the process at once.
pub(crate) struct Signals {
    received: Arc<AtomicUsize>,
}

impl Signals {
    /// Replaces the default action of both signals, which would end the process.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let received = Arc::new(AtomicUsize::new(0));
        for signal in [SIGINT, SIGTERM] {
            let repeated = Arc::new(AtomicBool::new(false));
            let register = || -> std::io::Result<()> {
                // Actions run in this order, so the first signal does not see the flag that it sets.
                flag::register_conditional_shutdown(signal, 128 + signal, repeated.clone())?;
                flag::register(signal, repeated)?;
                flag::register_usize(signal, received.clone(), signal as usize)?;
                Ok(())
            };
            register().map_err(|error| Failure::Failed(format!("signal {signal}: {error}")))?;
        }
        Ok(Self { received })
    }

    /// The exit code by which a shell recognises the signal, if one arrived.
    pub(crate) fn exit_code(&self) -> Option<u8> {
        match self.received.load(Ordering::Relaxed) {
            0 => None,
            signal => u8::try_from(128 + signal).ok(),
        }
    }
}
