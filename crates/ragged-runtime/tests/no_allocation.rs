//! A step of sessions allocates nothing. `fixtures/plain-model.safetensors` is a run's `best.safetensors`: a GRU, the mean
//! of all steps, standardised input.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ragged_runtime::{Model, Scratch};

const MODEL: &[u8] = include_bytes!("fixtures/plain-model.safetensors");

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, which counts the allocations of each thread.
struct Counting;

// SAFETY: all calls go to the system's allocator as they are.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_step_of_sessions_allocates_nothing() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(vec![0u8; 10]));
    assert_eq!(ALLOCATIONS.get(), before + 1, "the allocator counts");
    let model = Model::from_bytes(MODEL).unwrap();
    let (mut a, mut b) = (model.session().unwrap(), model.session().unwrap());
    let (mut scratch, mut y) = (Scratch::default(), [0.0; 2]);
    model.step(&mut [&mut a, &mut b], &[0.5, 1.0], &mut y, &mut scratch).unwrap();
    let before = ALLOCATIONS.get();
    for k in 0..10 {
        let x = [0.1 * k as f32, 0.5];
        let refused = model.step(&mut [&mut a, &mut b], &x, &mut y, &mut scratch).unwrap();
        assert!(refused.is_empty());
    }
    assert_eq!(ALLOCATIONS.get(), before);
    assert_eq!((a.steps(), b.steps()), (11, 11));
    assert!(y.iter().all(|value| value.is_finite()));
}
