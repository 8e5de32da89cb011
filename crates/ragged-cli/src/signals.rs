//! SIGHUP, SIGINT and SIGTERM: a command finishes its current update, saves, and ends.

use std::ops::ControlFlow;
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
    /// Replaces the default action of the signals, which would end the process. SIGHUP comes when the terminal
    /// is closed; under `nohup` it is ignored, and stays so.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let received = Arc::new(AtomicUsize::new(0));
        for signal in [SIGINT, SIGTERM].into_iter().chain(hang_up()) {
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

    /// Whether the command goes on: no signal has arrived.
    pub(crate) fn flow(&self) -> ControlFlow<()> {
        if self.exit_code().is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// The exit code by which a shell recognises the signal, if one arrived.
    pub(crate) fn exit_code(&self) -> Option<u8> {
        match self.received.load(Ordering::Relaxed) {
            0 => None,
            signal => u8::try_from(128 + signal).ok(),
        }
    }
}

/// Returns SIGHUP, unless the process was started with it ignored, where the system says so: on Linux.
#[cfg(unix)]
fn hang_up() -> Option<i32> {
    use signal_hook::consts::SIGHUP;

    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    (ignored >> (SIGHUP - 1) & 1 == 0).then_some(SIGHUP)
}

#[cfg(not(unix))]
fn hang_up() -> Option<i32> {
    None
}
