//! The blocks that were read last, within a limit of memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Result;
use crate::formats::stream::block::Block;

/// Blocks by their numbers.
pub(super) struct BlockCache {
    /// In bytes.
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    blocks: HashMap<usize, Entry>,
    bytes: usize,
    /// Counts the requests.
    clock: u64,
}

struct Entry {
    block: Arc<Block>,
    bytes: usize,
    /// The last request.
    used: u64,
}

impl BlockCache {
    /// Creates an empty cache of at most `limit` bytes, or of one block if that has more.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default() }
    }

    /// Returns a block, which `load` reads if it is not in the cache.
    pub(super) fn get(
        &self,
        block: usize,
        load: impl FnOnce() -> Result<Block>,
    ) -> Result<Arc<Block>> {
        if let Some(found) = self.find(block) {
            return Ok(found);
        }
        // Without the lock, so that other threads can use what is there. Two that need the same block both read it.
        let loaded = Arc::new(load()?);
        self.insert(block, &loaded);
        Ok(loaded)
    }

    fn find(&self, block: usize) -> Option<Arc<Block>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.clock += 1;
        let clock = state.clock;
        let entry = state.blocks.get_mut(&block)?;
        entry.used = clock;
        Some(entry.block.clone())
    }

    fn insert(&self, number: usize, block: &Arc<Block>) {
        let bytes = block.bytes();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.bytes.saturating_add(bytes) > self.limit {
            let oldest = state.blocks.iter().min_by_key(|(_, entry)| entry.used);
            let Some(oldest) = oldest.map(|(&block, _)| block) else { break };
            let removed = state.blocks.remove(&oldest).map_or(0, |entry| entry.bytes);
            state.bytes -= removed;
        }
        let used = state.clock;
        let entry = Entry { block: block.clone(), bytes, used };
        state.bytes += bytes;
        if let Some(replaced) = state.blocks.insert(number, entry) {
            state.bytes -= replaced.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Example, Sequence, Target};

    #[test]
    fn the_blocks_that_were_used_last_are_kept() {
        let example = || {
            let sequence = Sequence::new(vec![0.0; 1000], 1).unwrap();
            Block::new(vec![Example::new(sequence, Target::Class(0))], true)
        };
        let cache = BlockCache::new(2 * example().bytes());
        let mut loaded = vec![];
        for block in [0, 1, 0, 2, 0, 1, 1, 2] {
            let load = || {
                loaded.push(block);
                Ok(example())
            };
            assert_eq!(cache.get(block, load).unwrap().get(0).unwrap().sequence.len(), 1000);
        }
        // Block 1 makes room for 2, then 2 for 1, and 0 for 2.
        assert_eq!(loaded, [0, 1, 2, 1, 2]);
        let state = cache.state.lock().unwrap();
        assert_eq!((state.blocks.len(), state.bytes), (2, cache.limit));
    }

    #[test]
    fn a_block_beyond_the_limit_is_alone() {
        let cache = BlockCache::new(0);
        let example = || {
            let sequence = Sequence::new(vec![1.0], 1).unwrap();
            Ok(Block::new(vec![Example::new(sequence, Target::Class(0))], true))
        };
        for block in [0, 1, 1] {
            cache.get(block, example).unwrap();
        }
        assert_eq!(cache.state.lock().unwrap().blocks.len(), 1);
        let error = cache.get(7, || Err(crate::error::Error::Empty("the block")));
        assert!(error.is_err());
    }
}
