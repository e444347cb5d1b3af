//! How many clients a server holds in the memory that it has: pure.

use std::fmt;

use herd_locations::{Room, memory_bytes};

use super::{MemoryLimit, MemorySource};
use crate::settings::Values;

/// The memory of a server that knows no client, in bytes, with some for the table of places and a few connections.
const SERVER_BYTES: u64 = 64 << 20;

/// The share of the rest that is for clients, counted at their full cost. The other part is for connections, replies,
/// watches and the store, and for what clients take for a while when a server starts or adopts records.
/// docs/bounds.md has the measurements.
const CLIENTS_SHARE: (u64, u64) = (1, 2);

/// The share of a machine's memory that counts as a server's: the rest is for other programs.
const MACHINE_SHARE: (u64, u64) = (1, 2);

/// However small the memory is, a server takes clients worth this many bytes, of which it has room for some thousands.
const CLIENTS_BYTES_MIN: u64 = 8 << 20;

/// What clients may take where the memory is not known, in bytes.
const CLIENTS_BYTES_UNKNOWN: u64 = 4 << 30;

/// The texts of a usual client, in bytes: an ID of 20, a location of 21, a time of 20.
const USUAL_TEXTS_BYTES: usize = 61;

/// What the settings say of the room for clients: `None` where nothing is set, `Some(None)` for `off`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetRoom {
    /// `max_clients`.
    pub clients_max: Option<Option<usize>>,
    /// `max_client_bytes`.
    pub bytes_max: Option<Option<usize>>,
}

impl SetRoom {
    /// As the settings have it.
    #[must_use]
    pub fn new(values: &Values) -> Self {
        SetRoom {
            clients_max: values.max_clients,
            bytes_max: values.max_client_bytes,
        }
    }
}

/// The room for clients of a server, and why it is this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChosenRoom {
    /// The room.
    pub room: Room,
    set: SetRoom,
    memory: Option<MemoryLimit>,
    /// How many servers share the memory.
    servers: usize,
}

impl ChosenRoom {
    /// The room of each of `servers` servers that share `memory`: as it is set, else as the memory allows.
    #[must_use]
    pub fn new(set: SetRoom, memory: Option<MemoryLimit>, servers: usize) -> Self {
        let bytes_max = set
            .bytes_max
            .unwrap_or_else(|| Some(clients_bytes(memory, servers)));
        let usual = usual_client_bytes();
        let by_bytes = || bytes_max.unwrap_or_else(|| clients_bytes(memory, servers)) / usual;
        let clients_max = set.clients_max.unwrap_or_else(|| Some(by_bytes().max(1)));
        ChosenRoom {
            room: Room {
                clients_max,
                bytes_max,
            },
            set,
            memory,
            servers,
        }
    }

    /// What is set of it.
    #[must_use]
    pub fn set(&self) -> SetRoom {
        self.set
    }

    /// A warning, if more is set than the memory is likely to hold.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let memory = self.memory?;
        let enough = clients_bytes(Some(memory), self.servers);
        let usual = usual_client_bytes();
        let clients = self.room.clients_max.unwrap_or(usize::MAX);
        let bytes = self.room.bytes_max.unwrap_or(usize::MAX);
        // The lower one of the two holds, and one that is not set is within the memory.
        let beyond = clients.saturating_mul(usual).min(bytes) > enough;
        beyond.then(|| {
            format!(
                "max_clients and max_client_bytes are set above what {} holds: with {enough} bytes of clients its \
                 {} bytes suffice; beyond that the kernel may kill the server",
                memory.source, memory.bytes
            )
        })
    }
}

/// Such as `holds 1189873 clients at the most, in 480 MiB; its control group has 1024 MiB`.
impl fmt::Display for ChosenRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Room {
            clients_max,
            bytes_max,
        } = self.room;
        match clients_max {
            Some(max) => write!(f, "holds {max} clients at the most")?,
            None => write!(f, "holds any number of clients")?,
        }
        if self.set.clients_max.is_some() {
            f.write_str(" (max_clients is set)")?;
        }
        match bytes_max {
            Some(max) => write!(f, ", in {} MiB", max >> 20)?,
            None => write!(f, ", in any memory")?,
        }
        if self.set.bytes_max.is_some() {
            f.write_str(" (max_client_bytes is set)")?;
        }
        match self.memory {
            Some(MemoryLimit { bytes, source }) => {
                write!(f, "; {source} has {} MiB", bytes >> 20)?;
            }
            None => f.write_str("; the system does not tell its memory")?,
        }
        if self.servers > 1 {
            write!(f, " for {} servers", self.servers)?;
        }
        Ok(())
    }
}

/// What a usual client counts for, in bytes: rounded up, so that `max_clients` is reached before `max_client_bytes`.
fn usual_client_bytes() -> usize {
    memory_bytes(1, USUAL_TEXTS_BYTES) + 1
}

/// The bytes for clients of each of `servers` servers that share `memory`.
fn clients_bytes(memory: Option<MemoryLimit>, servers: usize) -> usize {
    let bytes = memory.map_or(CLIENTS_BYTES_UNKNOWN, |memory| {
        let (times, of) = match memory.source {
            MemorySource::ControlGroup => (1, 1),
            MemorySource::Machine => MACHINE_SHARE,
        };
        let servers = u64::try_from(servers).unwrap_or(u64::MAX).max(1);
        let own = memory.bytes / of * times / servers;
        let (times, of) = CLIENTS_SHARE;
        let rest = own.saturating_sub(SERVER_BYTES);
        (rest / of * times).max(CLIENTS_BYTES_MIN)
    });
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UNSET: SetRoom = SetRoom {
        clients_max: None,
        bytes_max: None,
    };

    fn group(bytes: u64) -> Option<MemoryLimit> {
        let source = MemorySource::ControlGroup;
        Some(MemoryLimit { bytes, source })
    }

    fn machine(bytes: u64) -> Option<MemoryLimit> {
        let source = MemorySource::Machine;
        Some(MemoryLimit { bytes, source })
    }

    #[test]
    fn the_room_follows_the_memory() {
        let chosen = ChosenRoom::new(UNSET, group(1 << 30), 1);
        assert_eq!(chosen.room.bytes_max, Some(480 << 20));
        assert_eq!(chosen.room.clients_max, Some((480 << 20) / 423));
        assert_eq!(
            chosen.to_string(),
            "holds 1189873 clients at the most, in 480 MiB; its control group has 1024 MiB"
        );
        // Others use a machine too, and servers share it.
        let chosen = ChosenRoom::new(UNSET, machine(10 << 30), 5);
        assert_eq!(chosen.room, ChosenRoom::new(UNSET, group(1 << 30), 1).room);
        let said = chosen.to_string();
        assert!(
            said.ends_with("; this machine has 10240 MiB for 5 servers"),
            "{said}"
        );
        let chosen = ChosenRoom::new(UNSET, None, 1);
        assert_eq!(chosen.room.bytes_max, Some(4 << 30));
        // A server that holds nothing is of no use, and one that says so is.
        let chosen = ChosenRoom::new(UNSET, group(1), 1);
        assert_eq!(chosen.room.bytes_max, Some(8 << 20));
    }

    #[test]
    fn what_is_set_holds_and_the_rest_follows() {
        let set = SetRoom {
            clients_max: Some(Some(7)),
            bytes_max: None,
        };
        let chosen = ChosenRoom::new(set, group(1 << 30), 1);
        assert_eq!(chosen.room.clients_max, Some(7));
        assert_eq!(chosen.room.bytes_max, Some(480 << 20));
        let said = chosen.to_string();
        assert!(
            said.starts_with("holds 7 clients at the most (max_clients is set), in 480 MiB;"),
            "{said}"
        );
        // The number of clients follows their bytes.
        let set = SetRoom {
            clients_max: None,
            bytes_max: Some(Some(4_230)),
        };
        let chosen = ChosenRoom::new(set, group(1 << 30), 1);
        assert_eq!(chosen.room.clients_max, Some(10));
        assert_eq!(chosen.room.bytes_max, Some(4_230));
        let off = SetRoom {
            clients_max: Some(None),
            bytes_max: Some(None),
        };
        let chosen = ChosenRoom::new(off, group(1 << 30), 1);
        assert_eq!(chosen.room, Room::default());
        assert!(chosen.warning().is_some());
    }

    #[test]
    fn more_than_the_memory_holds_is_warned_of() {
        let warning = |clients_max, bytes_max| {
            let set = SetRoom {
                clients_max,
                bytes_max,
            };
            ChosenRoom::new(set, group(1 << 30), 1).warning()
        };
        let (many, much) = (Some(Some(10_000_000)), Some(Some(4 << 30)));
        let said = warning(many, much).unwrap();
        assert!(said.contains("what its control group holds"), "{said}");
        assert_eq!(warning(many, None), None, "the bytes hold");
        assert_eq!(warning(None, None), None);
        assert_eq!(warning(Some(Some(1_000_000)), much), None);
        assert!(warning(None, much).is_some());
        assert_eq!(ChosenRoom::new(SetRoom::default(), None, 1).warning(), None);
    }

    proptest! {
        #[test]
        fn more_memory_holds_no_fewer_clients(less in any::<u64>(), more in any::<u64>(), servers in any::<usize>()) {
            let (less, more) = (less.min(more), less.max(more));
            for limit in [group, machine] {
                let of_less = ChosenRoom::new(UNSET, limit(less), servers).room;
                let of_more = ChosenRoom::new(UNSET, limit(more), servers).room;
                prop_assert!(of_less.clients_max <= of_more.clients_max);
                prop_assert!(of_less.bytes_max <= of_more.bytes_max);
                prop_assert!(of_more.clients_max >= Some(1));
            }
        }
    }
}
