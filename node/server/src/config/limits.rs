//! Settings about limits on strangers, and about tokens.

use std::path::PathBuf;

use crate::access::Tokens;
use crate::frontend::Limits;
use crate::http;
use crate::location_service::WatchSettings;
use crate::memory::{ChosenRoom, MemoryLimit, SetRoom};
use crate::settings::{Mistake, Origin, Resolver, Setting, Values};
use herd_admission::one_address_share;

/// The limits on strangers.
#[derive(Clone, Debug)]
pub struct LimitSettings {
    /// Maximal number of open connections of clients: as many as are set, or fewer where the system allows fewer.
    pub connections_max: usize,
    /// Further limits on clients.
    pub clients: Limits,
    /// Limits on HTTP.
    pub http: http::Limits,
    /// How many clients the server may know; [`fit_memory`](Self::fit_memory) makes it follow the memory.
    pub room: ChosenRoom,
    /// The tokens that clients must show, and the file that they are from.
    pub tokens: Option<(PathBuf, Tokens)>,
}

impl LimitSettings {
    /// Lets the room for clients follow this memory, as far as it is not set.
    pub fn fit_memory(&mut self, memory: Option<MemoryLimit>) {
        self.room = ChosenRoom::new(self.room.set(), memory, 1);
    }

    /// Leaves clients no more connections than this, and one address no more than its share of them.
    pub fn lower_connections(&mut self, connections_max: usize) {
        if self.connections_max <= connections_max {
            return;
        }
        self.connections_max = connections_max;
        let per_address_max = one_address_share(connections_max);
        let per_address = &mut self.clients.connections_per_address_max;
        *per_address = per_address.map(|max| max.min(per_address_max));
    }
}

pub(super) fn resolve(resolver: &mut Resolver<'_>, values: &Values) -> LimitSettings {
    let settings = LimitSettings {
        connections_max: values.connections_max,
        clients: Limits::new(values),
        http: http::Limits::new(values),
        room: ChosenRoom::new(SetRoom::new(values), None, 1),
        tokens: tokens(resolver, values),
    };
    for (setting, max) in [
        (
            Setting::ConnectionsPerAddressMax,
            settings.clients.connections_per_address_max,
        ),
        (
            Setting::HttpConnectionsPerAddressMax,
            settings.http.connections_per_address_max,
        ),
        (
            Setting::WatchersPerAddressMax,
            WatchSettings::new(values).watchers_per_address_max,
        ),
    ] {
        // One that is set is shown as it was.
        if let (Origin::Default, Some(max)) = (resolver.origin(setting), max) {
            resolver.show(setting, max.to_string(), &Origin::Default);
        }
    }
    settings
}

fn tokens(resolver: &mut Resolver<'_>, values: &Values) -> Option<(PathBuf, Tokens)> {
    let path = values.tokens.clone()?;
    match Tokens::read(&path) {
        Ok(tokens) => Some((path, tokens)),
        Err(error) => {
            resolver.mistake(Mistake::TokensFile {
                origin: resolver.origin(Setting::Tokens),
                path,
                error,
            });
            None
        }
    }
}
