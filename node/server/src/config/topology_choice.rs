//! The topology: from a file, or built in with ports of the user's choice.

use std::path::PathBuf;
use std::sync::Arc;

use crate::settings::{Mistake, Origin, Resolver, Setting, Values};
use herd_topology::{CLIENT_PORT_BASE, HTTP_PORT_BASE, PEER_PORT_BASE, PortBases, Topology};

/// The settings of the ports of the built-in topology.
const PORT_BASES: [Setting; 3] = [
    Setting::ClientPortBase,
    Setting::PeerPortBase,
    Setting::HttpPortBase,
];

/// The topology and its source.
#[derive(Clone, Debug)]
pub struct TopologyChoice {
    /// The valid topology.
    pub topology: Arc<Topology>,
    /// Its source.
    pub made_from: MadeFrom,
}

/// The source of a topology.
#[derive(Clone, Debug)]
pub enum MadeFrom {
    /// The built-in servers, with ports from here on.
    Builtin(PortBases),
    /// The text in this file.
    File(PathBuf),
}

/// Reads the topology file, or builds the topology when no file is set. Port bases beside a file
/// would be ignored, so they are a mistake.
pub(super) fn resolve(resolver: &mut Resolver<'_>, values: &Values) -> Option<TopologyChoice> {
    let Some(path) = values.topology.clone() else {
        return builtin(resolver, values);
    };
    let named = resolver.origin(Setting::Topology);
    for setting in PORT_BASES {
        if let Some(base) = resolver.given(setting) {
            resolver.mistake(Mistake::Contradiction {
                first: setting,
                first_origin: base.origin,
                second: Setting::Topology,
                second_origin: named.clone(),
                reason: "a topology file says the ports itself",
            });
        }
    }
    resolver.hide(PORT_BASES);
    match herd_topology::read(&path) {
        Ok(topology) => Some(TopologyChoice {
            topology: Arc::new(topology),
            made_from: MadeFrom::File(path),
        }),
        Err(error) => {
            resolver.mistake(Mistake::Topology {
                origin: named,
                path,
                error,
            });
            None
        }
    }
}

fn builtin(resolver: &mut Resolver<'_>, values: &Values) -> Option<TopologyChoice> {
    resolver.show(Setting::Topology, "built-in", &Origin::Default);
    let client = values.client_port_base;
    let mut base = |setting, given: Option<u16>, default: u16| {
        given.unwrap_or_else(|| {
            // Beyond the last port the check of all bases refuses it.
            let base = client.saturating_add(default - CLIENT_PORT_BASE);
            resolver.show(setting, base.to_string(), &Origin::Default);
            base
        })
    };
    let peer = base(Setting::PeerPortBase, values.peer_port_base, PEER_PORT_BASE);
    let http = base(Setting::HttpPortBase, values.http_port_base, HTTP_PORT_BASE);
    match PortBases::new(client, peer, http) {
        Ok(bases) => Some(TopologyChoice {
            topology: Arc::new(herd_topology::builtin(bases)),
            made_from: MadeFrom::Builtin(bases),
        }),
        Err(error) => {
            resolver.mistake(error.into());
            None
        }
    }
}
