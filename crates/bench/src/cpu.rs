//! Processor time and memory as the operating system accounts them.
//!
//! CPU time is the verdict of every comparison: wall time on a shared machine says more about the neighbours.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// Linux reports process times in clock ticks; `USER_HZ` is 100 on every architecture that Linux supports.
const TICKS_PER_SECOND: u64 = 100;

/// User and system time of one process, all its threads included (ended ones too).
pub(crate) fn of_process(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))
        .with_context(|| format!("process {pid} has gone"))?;
    // The command name may hold spaces and brackets; what follows the last bracket is regular.
    let (_, rest) = stat.rsplit_once(')').context("unexpected /proc/PID/stat")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |index: usize| -> Result<u64> {
        Ok(fields
            .get(index)
            .context("unexpected /proc/PID/stat")?
            .parse::<u64>()?)
    };
    Ok(Duration::from_millis(
        (ticks(11)? + ticks(12)?) * 1000 / TICKS_PER_SECOND,
    ))
}

/// Processor time of a process and of all its descendants: a PostgreSQL server and its backends, say.
///
/// Descendants that have ended are counted through their parent's `cutime`/`cstime` once reaped.
pub(crate) fn of_tree(root: u32) -> Result<Duration> {
    let mut total = of_process(root)? + reaped_children(root)?;
    for child in children(root)? {
        // A backend may end between the listing and the reading.
        if let Ok(time) = of_tree(child) {
            total += time;
        }
    }
    Ok(total)
}

fn reaped_children(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = stat.rsplit_once(')').context("unexpected /proc/PID/stat")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |index: usize| -> u64 {
        fields
            .get(index)
            .and_then(|field| field.parse().ok())
            .unwrap_or_default()
    };
    Ok(Duration::from_millis(
        (ticks(13) + ticks(14)) * 1000 / TICKS_PER_SECOND,
    ))
}

fn children(pid: u32) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = task?.path().join("children");
        let listed = fs::read_to_string(path).unwrap_or_default();
        found.extend(
            listed
                .split_whitespace()
                .filter_map(|word| word.parse::<u32>().ok()),
        );
    }
    Ok(found)
}

/// Resident memory of a process in bytes: now, and the highest so far.
pub(crate) fn memory(pid: u32) -> Result<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let figure = |name: &str| -> u64 {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|kilobytes| kilobytes.parse::<u64>().ok())
            .unwrap_or_default()
            * 1024
    };
    Ok((figure("VmRSS:"), figure("VmHWM:")))
}

/// The one-minute load average, printed beside every table: above 2 on 2 cores the wall figures are a lower bound.
pub(crate) fn load_average() -> String {
    fs::read_to_string("/proc/loadavg")
        .ok()
        .and_then(|line| line.split_whitespace().next().map(str::to_owned))
        .unwrap_or_else(|| "unknown".to_owned())
}

/// The median time of an fsync of 4 KiB appended to a file in `directory`.
pub(crate) fn fsync_p50(directory: &std::path::Path) -> Result<Duration> {
    use std::io::Write as _;
    let mut file = tempfile::tempfile_in(directory)?;
    let block = [0_u8; 4096];
    let mut times = Vec::new();
    for _ in 0..200 {
        file.write_all(&block)?;
        let started = std::time::Instant::now();
        file.sync_data()?;
        times.push(started.elapsed());
    }
    times.sort();
    times
        .get(times.len() / 2)
        .copied()
        .context("no fsync was timed")
}

/// Processor time of the calling thread.
pub(crate) fn of_thread() -> Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text
        .split_whitespace()
        .next()
        .context("unexpected schedstat")?
        .parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}
