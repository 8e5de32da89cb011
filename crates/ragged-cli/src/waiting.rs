//! A sign of life while something without progress of its own is done.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Does some work, and shows what it is and how long it has taken, where stderr is a terminal.
///
/// The work is done by a thread of its own. Allocators such as glibc's keep the memory that a thread has freed for the
/// threads after it: what opening a large file has used is there for those that prepare batches.
pub(crate) fn waiting<T: Send>(what: &'static str, work: impl FnOnce() -> T + Send) -> T {
    let bar = match std::io::stderr().is_terminal() {
        true => ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()),
        false => ProgressBar::hidden(),
    };
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar.enable_steady_tick(Duration::from_millis(200));
    let result = std::thread::scope(|scope| scope.spawn(work).join());
    bar.finish_and_clear();
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
