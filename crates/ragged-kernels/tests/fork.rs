//! A child process that was forked while other threads ran kernels can run them, too.
#![cfg(all(unix, not(miri), feature = "threads"))]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ragged_kernels::*;

fn run() -> Vec<f32> {
    let shape = PackedShape::new(16, &[16; 10], 32, 64, Direction::Forward).unwrap();
    let (weight_ih, weight_hh) = (vec![0.01; 256 * 32], vec![0.02; 256 * 64]);
    let x: Vec<f32> = (0..160 * 32).map(|k| (k % 17) as f32 * 0.1).collect();
    let (weights, input) = (Weights::new(&weight_ih, &weight_hh), Input::new(&x));
    infer(CellKind::Lstm, &shape, &weights, &input, ForwardOptions::default()).unwrap().output
}

#[test]
fn kernels_run_in_a_forked_process() {
    prepare_for_forks();
    set_num_threads(2);
    let expected = run();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                run();
            }
        });
        for _ in 0..20 {
            // SAFETY: the child only runs kernels, which is what is tested, and ends without destructors.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let works = run() == expected && num_threads() == 1;
                // SAFETY: ends the child.
                unsafe { libc::_exit(if works { 0 } else { 1 }) };
            }
            let (mut status, begin) = (0, Instant::now());
            // SAFETY: `child` is a process that was forked above, and `status` is an integer to write.
            while unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) } == 0 {
                assert!(begin.elapsed() < Duration::from_secs(20), "the child hangs");
                std::thread::sleep(Duration::from_millis(1));
            }
            assert_eq!(status, 0, "the child has failed");
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(run(), expected);
}
