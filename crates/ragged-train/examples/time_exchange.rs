//! Times what the ranks of a distributed training send each other in an update: the sum of gradients, and the small
//! messages with losses and metrics. The figures are the constants of the model in docs/scaling.md.
//!
//! ```sh
//! cargo build --release -p ragged-train --features mpi --example time_exchange
//! mpirun -n 4 target/release/examples/time_exchange
//! ```

#![allow(clippy::print_stdout)]

use std::time::Instant;

use ragged_train::distributed::{Communicator, Mpi, all_reduce};

/// The elements of the vectors: the parameters of small and of large models.
const ELEMENTS: [usize; 6] = [1, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];

/// The bytes of a message with the losses and metrics of a shard, about.
const SMALL: usize = 700;

fn main() -> ragged_train::Result<()> {
    let ranks = Mpi::join()?;
    let (first, local) = (ranks.rank() == 0, ranks.local_size());
    if first {
        println!("{} ranks, {local} of them on this machine", ranks.size());
        println!("{:>12}  {:>16}  {:>10}", "elements", "sum, us", "GB/s");
    }
    for elements in ELEMENTS {
        let mut vector = vec![0f32; elements];
        let microseconds = median(&ranks, || all_reduce(&ranks, &mut vector))?;
        if first {
            let rate = 4e-3 * elements as f64 / microseconds;
            println!("{elements:>12}  {microseconds:>16.1}  {rate:>10.3}");
        }
    }
    let message = vec![0u8; SMALL];
    let microseconds = median(&ranks, || ranks.all_gather(&message).map(drop))?;
    if first {
        println!("{SMALL} bytes of each rank to all: {microseconds:.1} us");
    }
    Ok(())
}

/// Returns the median time of a call on rank 0. All ranks make the same number of calls.
fn median(
    ranks: &Mpi,
    mut call: impl FnMut() -> ragged_train::Result<()>,
) -> ragged_train::Result<f64> {
    /// The calls of the smallest vectors; rank 0 stops after a second at the latest.
    const CALLS: usize = 301;
    let mut times = vec![];
    let start = Instant::now();
    for _ in 0..CALLS {
        let begin = Instant::now();
        call()?;
        times.push(begin.elapsed().as_secs_f64() * 1e6);
        let stop = times.len() >= 5 && start.elapsed().as_secs_f64() > 1.0;
        if ranks.all_gather(&[u8::from(stop)])?[0] == [1] {
            break;
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}
