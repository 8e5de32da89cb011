//! The memory that this process can still take, where the system says so: on Linux.

use std::fs;

/// Returns the number of bytes that this process can still take: the least of what the machine has left, what
/// its control group allows, and what the limit of its address space allows. `None` where none of them is known.
pub(crate) fn available_memory() -> Option<u64> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let group = "/sys/fs/cgroup/memory";
    let limits = [
        machine(&read("/proc/meminfo")),
        control_group(
            &read(&format!("{group}.max")),
            &read(&format!("{group}.current")),
            &read(&format!("{group}.stat")),
        ),
        address_space(&read("/proc/self/limits"), &read("/proc/self/status")),
    ];
    limits.into_iter().flatten().min()
}

/// Returns the number after a name at the beginning of a line.
fn value(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Free memory, with caches that the system gives up, and swap space; the units are KiB.
fn machine(meminfo: &str) -> Option<u64> {
    let free = value(meminfo, "MemAvailable:")?;
    let swap = value(meminfo, "SwapFree:").unwrap_or(0);
    free.checked_add(swap)?.checked_mul(1024)
}

/// What the group may take more. Its cache of files counts as free.
fn control_group(max: &str, current: &str, stat: &str) -> Option<u64> {
    let max: u64 = max.trim().parse().ok()?;
    let current: u64 = current.trim().parse().ok()?;
    let cache = value(stat, "inactive_file ").unwrap_or(0);
    Some(max.saturating_sub(current.saturating_sub(cache)))
}

/// `ulimit -v`, minus the address space in use.
fn address_space(limits: &str, status: &str) -> Option<u64> {
    let limit = value(limits, "Max address space")?;
    let used = value(status, "VmSize:")?.checked_mul(1024)?;
    Some(limit.saturating_sub(used))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_read() {
        let meminfo = "MemTotal:  100 kB\nMemAvailable:     50 kB\nSwapFree:        2 kB\n";
        assert_eq!(machine(meminfo), Some(52 * 1024));
        assert_eq!(control_group("1000\n", "700\n", "anon 5\ninactive_file 100\n"), Some(400));
        assert_eq!(control_group("max\n", "700\n", ""), None);
        let limits =
            "Limit   Soft Limit  Hard Limit  Units\nMax address space  4096000  unlimited  bytes\n";
        assert_eq!(address_space(limits, "VmSize:\t  1000 kB\n"), Some(4_096_000 - 1_024_000));
        let unlimited =
            "Max address space         unlimited            unlimited            bytes\n";
        assert_eq!(address_space(unlimited, "VmSize:\t  1000 kB\n"), None);
        assert_eq!(machine(""), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_machine_has_some_memory() {
        assert!(available_memory().is_some_and(|bytes| bytes > 1 << 20));
    }
}
