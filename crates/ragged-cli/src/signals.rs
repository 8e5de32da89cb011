//! SIGINT and SIGTERM: a run ends after the update that it is at, and saves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::failure::Failure;

/// Remembers the first signal that came. A second one of the kind ends the process at once.
pub(crate) struct Signals {
    got: Arc<AtomicUsize>,
}

impl Signals {
    pub(crate) fn listen() -> Result<Self, Failure> {
        let got = Arc::new(AtomicUsize::new(0));
        for signal in [SIGINT, SIGTERM] {
            let second = Arc::new(AtomicBool::new(false));
            let register = || -> std::io::Result<()> {
                // In this order: the first signal arms what the second one sets off.
                flag::register_conditional_shutdown(signal, 128 + signal, second.clone())?;
                flag::register(signal, second)?;
                flag::register_usize(signal, got.clone(), signal as usize)?;
                Ok(())
            };
            register().map_err(|error| Failure::Failed(format!("signal {signal}: {error}")))?;
        }
        Ok(Self { got })
    }

    /// The exit code that a shell expects after the signal that came, if one did.
    pub(crate) fn exit_code(&self) -> Option<u8> {
        match self.got.load(Ordering::Relaxed) {
            0 => None,
            signal => u8::try_from(128 + signal).ok(),
        }
    }
}
