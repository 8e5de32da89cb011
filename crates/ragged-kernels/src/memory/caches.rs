//! The sizes of the machine's data caches. They decide how work is divided among threads, and no result.

use std::sync::LazyLock;

/// The data caches of one core, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caches {
    pub(crate) first_level: usize,
    pub(crate) second_level: usize,
}

/// The sizes where the system does not tell them: those of most x86-64 processors for servers since 2017.
const TYPICAL: Caches = Caches { first_level: 32 << 10, second_level: 1 << 20 };

/// Returns the sizes of this machine, or typical ones.
pub(crate) fn caches() -> Caches {
    static CACHES: LazyLock<Caches> = LazyLock::new(|| {
        let or = |size: Option<usize>, typical| size.filter(|&size| size > 0).unwrap_or(typical);
        Caches {
            first_level: or(cache_size(1), TYPICAL.first_level),
            second_level: or(cache_size(2), TYPICAL.second_level),
        }
    });
    *CACHES
}

/// Asks glibc for the size of a data cache. It does not know the caches of every processor: 0 then.
#[cfg(all(target_os = "linux", target_env = "gnu", not(miri)))]
fn cache_size(level: u8) -> Option<usize> {
    let name = match level {
        1 => libc::_SC_LEVEL1_DCACHE_SIZE,
        _ => libc::_SC_LEVEL2_CACHE_SIZE,
    };
    // SAFETY: `sysconf` has no preconditions.
    usize::try_from(unsafe { libc::sysconf(name) }).ok()
}

#[cfg(not(all(target_os = "linux", target_env = "gnu", not(miri))))]
fn cache_size(_level: u8) -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sizes_are_plausible() {
        let Caches { first_level, second_level } = caches();
        assert!((4 << 10..=1 << 20).contains(&first_level), "{first_level}");
        assert!((first_level..=1 << 28).contains(&second_level), "{second_level}");
    }
}
