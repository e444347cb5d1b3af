//! The memory that this process may take: that of its control groups, else that of the machine.

use std::fmt;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

/// Of one file no more is read than this, in bytes. The longest has one line for each hierarchy of control groups.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Of control groups inside one another no more are looked at than this.
const DEPTH_MAX: usize = 64;

/// The control groups of this process, one line for each hierarchy.
const OWN_GROUPS: &str = "/proc/self/cgroup";

/// Where a hierarchy of version 2 is mounted: alone, or beside those of version 1.
const UNIFIED: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
const UNIFIED_FILE: &str = "memory.max";

/// Where the hierarchy of version 1 for memory is mounted.
const MEMORY: [&str; 1] = ["/sys/fs/cgroup/memory"];
const MEMORY_FILE: &str = "memory.limit_in_bytes";

/// The memory of the machine.
const MACHINE: &str = "/proc/meminfo";

/// What limits the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemorySource {
    /// A control group of this process, or one around it: the memory is this server's own.
    ControlGroup,
    /// The machine, which has other programs too.
    Machine,
}

impl fmt::Display for MemorySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MemorySource::ControlGroup => "its control group",
            MemorySource::Machine => "this machine",
        })
    }
}

/// The memory that this process may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimit {
    /// How much.
    pub bytes: u64,
    /// What has it.
    pub source: MemorySource,
}

impl MemoryLimit {
    /// That of this process; nothing where the system does not tell, as other systems than Linux do not.
    #[must_use]
    pub fn of_process() -> Option<Self> {
        Self::find(&read)
    }

    /// That which the files say; `read` gives the text of a file, or nothing if it cannot be read.
    fn find(read: &dyn Fn(&Path) -> Option<String>) -> Option<Self> {
        let machine = read(Path::new(MACHINE)).and_then(|text| total_bytes(&text));
        let own = read(Path::new(OWN_GROUPS)).unwrap_or_default();
        let of_groups = limit_files(&own)
            .filter_map(|path| read(&path)?.trim().parse::<u64>().ok())
            .min();
        // Version 1 has a very high number in place of `max`. More than the machine has is no limit either.
        match (of_groups, machine) {
            (Some(bytes), machine) if machine.is_none_or(|of_machine| bytes < of_machine) => {
                Some(MemoryLimit {
                    bytes,
                    source: MemorySource::ControlGroup,
                })
            }
            (_, machine) => machine.map(|bytes| MemoryLimit {
                bytes,
                source: MemorySource::Machine,
            }),
        }
    }
}

/// The files that may limit the memory of the groups in `own`, the text of [`OWN_GROUPS`]. Some may not be there: in a
/// container the own group can be the top of what is mounted, under another name.
fn limit_files(own: &str) -> impl Iterator<Item = PathBuf> {
    own.lines().flat_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, group) = (fields.next(), fields.next(), fields.next());
        let (mounts, file): (&[&str], _) = match controllers {
            Some("") => (&UNIFIED, UNIFIED_FILE),
            Some(names) if names.split(',').any(|name| name == "memory") => (&MEMORY, MEMORY_FILE),
            _ => (&[], ""),
        };
        // A group outside of what this process sees begins with `..`.
        let inside: PathBuf = Path::new(group.unwrap_or_default())
            .components()
            .filter(|part| matches!(part, Component::Normal(_)))
            .collect();
        let mut files = Vec::new();
        for mount in mounts {
            for group in inside.ancestors().take(DEPTH_MAX) {
                files.push(Path::new(mount).join(group).join(file));
            }
            // The top of the groups counts at any depth.
            files.push(Path::new(mount).join(file));
        }
        files
    })
}

/// The memory of the machine, by the text of [`MACHINE`].
fn total_bytes(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib: u64 = line?.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

fn read(path: &Path) -> Option<String> {
    let file = std::fs::File::open(path).ok()?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const MEMINFO: &str = "MemTotal:       24684092 kB\nMemFree:        14730416 kB\n";
    const MACHINE_BYTES: u64 = 24_684_092 * 1024;
    const UNLIMITED: &str = "9223372036854771712\n";

    fn found(files: &[(&str, &str)]) -> Option<MemoryLimit> {
        let files: BTreeMap<&Path, &str> = files.iter().map(|(p, t)| (Path::new(p), *t)).collect();
        MemoryLimit::find(&|path| files.get(path).map(|text| (*text).to_owned()))
    }

    fn group(bytes: u64) -> Option<MemoryLimit> {
        let source = MemorySource::ControlGroup;
        Some(MemoryLimit { bytes, source })
    }

    fn machine() -> Option<MemoryLimit> {
        let source = MemorySource::Machine;
        Some(MemoryLimit {
            bytes: MACHINE_BYTES,
            source,
        })
    }

    #[test]
    fn the_smallest_group_around_the_process_counts() {
        let own = ("/proc/self/cgroup", "0::/a/b/c\n");
        let meminfo = ("/proc/meminfo", MEMINFO);
        let files = [
            own,
            meminfo,
            ("/sys/fs/cgroup/a/memory.max", "2000000\n"),
            ("/sys/fs/cgroup/a/b/memory.max", "1000000\n"),
            ("/sys/fs/cgroup/a/b/c/memory.max", "max\n"),
            ("/sys/fs/cgroup/other/memory.max", "1\n"),
        ];
        assert_eq!(found(&files), group(1_000_000));
        let unlimited = [own, meminfo, ("/sys/fs/cgroup/a/b/c/memory.max", "max\n")];
        assert_eq!(found(&unlimited), machine());
    }

    #[test]
    fn a_container_sees_its_group_at_the_top() {
        // Version 2, in a namespace of its own.
        let unified = [
            ("/proc/self/cgroup", "0::/\n"),
            ("/proc/meminfo", MEMINFO),
            ("/sys/fs/cgroup/memory.max", "1073741824\n"),
        ];
        assert_eq!(found(&unified), group(1 << 30));
        // Version 1, with the path that the group has outside.
        let outside = "5:devices:/docker/af\n4:cpuset,memory:/docker/af\n0::/docker/af\n";
        let memory = [
            ("/proc/self/cgroup", outside),
            ("/proc/meminfo", MEMINFO),
            (
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                "1073741824\n",
            ),
        ];
        assert_eq!(found(&memory), group(1 << 30));
        let beyond = [
            ("/proc/self/cgroup", "0::/../../b\n"),
            ("/sys/fs/cgroup/b/memory.max", "5\n"),
        ];
        assert_eq!(found(&beyond), group(5));
    }

    #[test]
    fn without_a_limit_the_machine_counts() {
        let limit = "/sys/fs/cgroup/memory/memory.limit_in_bytes";
        let files = [
            ("/proc/self/cgroup", "4:memory:/\n"),
            ("/proc/meminfo", MEMINFO),
            (limit, UNLIMITED),
        ];
        assert_eq!(found(&files), machine());
        assert_eq!(found(&files[1..2]), machine());
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn this_machine_tells() {
        let found = MemoryLimit::of_process();
        assert!(
            found.is_some_and(|found| found.bytes > 1 << 20),
            "{found:?}"
        );
    }

    proptest! {
        #[test]
        fn any_text_of_any_file_is_taken(
            own in any::<String>(), limit in any::<String>(), meminfo in any::<String>(), deep in 0..300_usize,
        ) {
            let own = format!("{own}\n0::{}\n1:memory:{own}", "/..//a".repeat(deep));
            let looks = std::cell::Cell::new(0);
            let read = |path: &Path| {
                looks.set(looks.get() + 1);
                Some(match path.to_str() {
                    Some(OWN_GROUPS) => own.clone(),
                    Some(MACHINE) => meminfo.clone(),
                    _ => limit.clone(),
                })
            };
            MemoryLimit::find(&read);
            prop_assert!(looks.get() <= 1_000);
        }
    }
}
