//! Where the helpers of a call come from: rayon's global pool, and the lookout.
//!
//! A sleeping thread takes some tens of microseconds to wake, as long as a small layer takes
//! altogether. So a helper whose call is over looks out for the next one before it goes back to the
//! pool, a while that bridges what lies between the layers of a training step, and a call wakes
//! somebody only where too few are on the lookout. Whoever is there lets every other thread go first.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a helper looks out for the next call.
const LOOKOUT: Duration = Duration::from_micros(300);

/// What a helper does for a call.
pub(crate) type Help = Box<dyn FnOnce() + Send>;

/// The calls that want help.
struct Board {
    wanted: VecDeque<Help>,
    /// Helpers on the lookout.
    looking: usize,
}

static BOARD: Mutex<Board> = Mutex::new(Board { wanted: VecDeque::new(), looking: 0 });

/// How many are wanted: to be seen without the lock.
static WANTED: AtomicUsize = AtomicUsize::new(0);

fn board() -> MutexGuard<'static, Board> {
    BOARD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has each of these done by another thread, soon or late: a pool that is busy may take long.
pub(crate) fn ask(wanted: impl ExactSizeIterator<Item = Help>) {
    let count = wanted.len();
    let mut board = board();
    let coming = board.looking.saturating_sub(board.wanted.len());
    board.wanted.extend(wanted);
    WANTED.store(board.wanted.len(), Ordering::Release);
    drop(board);
    for _ in coming..count {
        rayon::spawn(serve);
    }
}

/// A helper's life: from call to call, until none comes for a while.
fn serve() {
    let mut looking = false;
    loop {
        let mut board = board();
        if looking {
            board.looking -= 1;
        }
        if let Some(help) = board.wanted.pop_front() {
            WANTED.store(board.wanted.len(), Ordering::Release);
            drop(board);
            help();
            looking = false;
            continue;
        }
        if looking {
            return;
        }
        board.looking += 1;
        drop(board);
        looking = true;
        let begin = Instant::now();
        while WANTED.load(Ordering::Acquire) == 0 && begin.elapsed() < LOOKOUT {
            std::thread::yield_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::channel;
    use std::thread::ThreadId;

    use super::*;

    #[test]
    fn all_that_is_asked_is_done_elsewhere() {
        let (done, all) = channel::<(usize, ThreadId)>();
        for round in 0..20 {
            let one = |k: usize| -> Help {
                let done = done.clone();
                Box::new(move || done.send((k, std::thread::current().id())).unwrap())
            };
            ask((0..3).map(|k| one(round * 3 + k)));
            if round % 5 == 0 {
                // The lookout ends meanwhile.
                std::thread::sleep(LOOKOUT * 4);
            }
        }
        let mut seen: Vec<_> = all.iter().take(60).collect();
        seen.sort_unstable_by_key(|&(k, _)| k);
        assert!(seen.iter().enumerate().all(|(k, &(seen, _))| k == seen));
        assert!(seen.iter().all(|&(_, thread)| thread != std::thread::current().id()));
    }

    #[test]
    fn what_is_asked_is_let_go_when_done() {
        let kept = Arc::new(());
        let (done, wait) = channel();
        let held = kept.clone();
        let help: Help = Box::new(move || {
            drop(held);
            done.send(()).unwrap();
        });
        ask([help].into_iter());
        wait.recv().unwrap();
        assert_eq!(Arc::strong_count(&kept), 1);
    }
}
