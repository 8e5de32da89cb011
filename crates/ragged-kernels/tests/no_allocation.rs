//! A step of prepared weights allocates nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ragged_kernels::{CellKind, Direction, PackedShape, PreparedWeights, Weights};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counting the allocations of each thread.
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
fn a_step_allocates_nothing() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(vec![0u8; 10]));
    assert_eq!(ALLOCATIONS.get(), before + 1, "the allocator counts");
    for (cell, proj_size) in [
        (CellKind::Lstm, None),
        (CellKind::Lstm, Some(7)),
        (CellKind::Gru, None),
        (CellKind::RnnTanh, None),
        (CellKind::LayerNormLstm, None),
        (CellKind::LayerNormGru, None),
    ] {
        let (i, h, rows) = (40, 100, 3);
        let p = proj_size.unwrap_or(h);
        let mut shape = PackedShape::new(0, &[], i, h, Direction::Forward).unwrap();
        if let Some(size) = proj_size {
            shape = shape.with_projection(size).unwrap();
        }
        let gates = cell.gates() * h;
        let (ih, hh, hr) = (vec![0.1f32; gates * i], vec![0.2; gates * p], vec![0.3; p * h]);
        let mut weights = Weights::new(&ih, &hh);
        weights.weight_hr = proj_size.map(|_| &hr[..]);
        let (scale, bias) = (vec![1.0; gates], vec![0.1; h]);
        if cell.normalizes() {
            weights = weights.with_layer_norm(&scale, &scale);
            if cell.has_cell_state() {
                weights = weights.with_cell_layer_norm(&scale[..h], &bias);
            }
        }
        let prepared = PreparedWeights::new(cell, &shape, &weights).unwrap();
        let (mut state, x) = (prepared.state(rows).unwrap(), vec![0.5; rows * i]);
        let before = ALLOCATIONS.get();
        for _ in 0..10 {
            prepared.step(&x, &mut state).unwrap();
        }
        assert_eq!(ALLOCATIONS.get(), before, "{cell:?}");
        assert!(state.hidden().iter().all(|h| h.is_finite() && *h != 0.0));
    }
}
