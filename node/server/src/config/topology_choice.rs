//! The topology: from a file, or built in with ports of the user's choice.

use std::path::PathBuf;
use std::sync::Arc;

use crate::settings::{Mistake, Origin, Resolver, Setting, Values};
use herd_topology::{PortBases, Topology};

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
    let (client, peer) = (values.client_port_base, values.peer_port_base);
    match PortBases::new(client, peer, values.http_port_base) {
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
