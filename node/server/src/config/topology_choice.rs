//! The topology: from a file, or built in with ports of the user's choice.

use std::path::PathBuf;
use std::sync::Arc;

use super::resolver::Resolver;
use super::{Mistake, Origin, Setting, values};
use herd_topology::{CLIENT_PORT_BASE, HTTP_PORT_BASE, PEER_PORT_BASE, PortBases, Topology};

/// The topology, and what it was made from.
#[derive(Clone, Debug)]
pub struct TopologyChoice {
    /// The valid topology.
    pub topology: Arc<Topology>,
    /// What it was made from.
    pub made_from: MadeFrom,
    pub(super) origin: Origin,
}

/// What a topology was made from.
#[derive(Clone, Debug)]
pub enum MadeFrom {
    /// The built-in servers, with ports from here on.
    Builtin(PortBases),
    /// The text in this file.
    File(PathBuf),
}

/// Reads the topology file, or builds the topology when no file is set. Port bases beside a file
/// would be ignored, so they are a mistake.
pub(super) fn resolve(resolver: &mut Resolver<'_>) -> Option<TopologyChoice> {
    let Some(named) = resolver.given(Setting::Topology) else {
        return builtin(resolver);
    };
    for setting in [
        Setting::ClientPortBase,
        Setting::PeerPortBase,
        Setting::HttpPortBase,
    ] {
        if let Some(base) = resolver.given(setting) {
            resolver.mistake(Mistake::Contradiction {
                first: setting,
                first_origin: base.origin,
                second: Setting::Topology,
                second_origin: named.origin.clone(),
                reason: "a topology file says the ports itself",
            });
        }
    }
    let path = PathBuf::from(&named.text);
    match herd_topology::read(&path) {
        Ok(topology) => Some(TopologyChoice {
            topology: Arc::new(topology),
            made_from: MadeFrom::File(path),
            origin: named.origin,
        }),
        Err(error) => {
            let origin = named.origin;
            resolver.mistake(Mistake::Topology {
                origin,
                path,
                error,
            });
            None
        }
    }
}

fn builtin(resolver: &mut Resolver<'_>) -> Option<TopologyChoice> {
    let mut base = |setting, default| resolver.checked_or(setting, default, values::port).value;
    let client = base(Setting::ClientPortBase, CLIENT_PORT_BASE);
    let peer = base(Setting::PeerPortBase, PEER_PORT_BASE);
    let http = base(Setting::HttpPortBase, HTTP_PORT_BASE);
    match PortBases::new(client, peer, http) {
        Ok(bases) => Some(TopologyChoice {
            topology: Arc::new(herd_topology::builtin(bases)),
            made_from: MadeFrom::Builtin(bases),
            origin: Origin::Default,
        }),
        Err(error) => {
            resolver.mistake(error.into());
            None
        }
    }
}
