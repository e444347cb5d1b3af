//! Settings about TLS: certificates of links and of the client port.

use std::path::PathBuf;
use std::sync::Arc;

use super::{MadeFrom, TopologyChoice};
use crate::listeners::Listen;
use crate::settings::{Mistake, Origin, Resolver, Setting, Values};
use herd_clock::clock::{SharedClock, SystemClock};
use herd_tls::client_port::ClientPortMaterial;
use herd_tls::folder::CertificateFolder;
use herd_tls::link::{LinkMaterial, LinkSource};
use herd_tls::reload::{Live, Material};
use herd_topology::{Host, Server};

/// How links between servers are secured.
#[derive(Clone, Debug)]
pub enum LinkSecurity {
    /// Both sides of each link authenticate by certificates.
    Certificates(LinkMaterial),
    /// Links are as they are, and lead to this machine only.
    Loopback,
    /// Links are as they are, and lead to other machines, or could. The user wants it so.
    Insecure,
}

/// The settings of TLS.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// How links are secured.
    pub links: LinkSecurity,
    /// The certificate of the client port, if it has one.
    pub clients: Option<ClientPortMaterial>,
}

/// `own` and what it listens on for neighbours are known if nothing is wrong with them.
pub(super) fn resolve(
    resolver: &mut Resolver<'_>,
    values: &Values,
    place: Option<(&TopologyChoice, &Server)>,
    peer_listen: Option<Listen>,
) -> Option<TlsSettings> {
    let links = links(resolver, values, place, peer_listen);
    let clients = client_port(resolver, values);
    links.map(|links| TlsSettings { links, clients })
}

fn links(
    resolver: &mut Resolver<'_>,
    values: &Values,
    place: Option<(&TopologyChoice, &Server)>,
    peer_listen: Option<Listen>,
) -> Option<LinkSecurity> {
    if contradict(resolver, values) {
        return None;
    }
    let beside = place.and_then(|(choice, _)| beside(choice));
    let beside = beside.filter(|_| !values.insecure_links);
    let source = source(resolver, values, beside);
    let (choice, own) = place?;
    if let Some((source, origin)) = source {
        let material = LinkMaterial {
            source,
            cluster: choice.topology.cluster().to_string(),
            server: own.name.to_string(),
        };
        let loaded = check(resolver, &origin, material.clone());
        return loaded.then_some(LinkSecurity::Certificates(material));
    }
    let Some(beyond) = beyond_loopback(choice, own, peer_listen) else {
        return Some(LinkSecurity::Loopback);
    };
    if values.insecure_links {
        return Some(LinkSecurity::Insecure);
    }
    resolver.mistake(Mistake::InsecureLinks { beyond });
    None
}

/// Where certificates are, if anywhere: where a setting says, else `beside` the topology. The report has one line for
/// it.
fn source(
    resolver: &mut Resolver<'_>,
    values: &Values,
    beside: Option<PathBuf>,
) -> Option<(LinkSource, Origin)> {
    if let Some(text) = &values.links_credentials {
        resolver.hide([Setting::LinksCerts]);
        let origin = resolver.origin(Setting::LinksCredentials);
        return Some((LinkSource::Text(text.reveal().into()), origin));
    }
    resolver.hide([Setting::LinksCredentials]);
    if let Some(folder) = values.links_certs.clone() {
        let origin = resolver.origin(Setting::LinksCerts);
        return Some((LinkSource::Folder(folder), origin));
    }
    let shown = beside.as_ref().map(|path| path.display().to_string());
    let shown = shown.unwrap_or_else(|| "none".to_owned());
    resolver.show(Setting::LinksCerts, shown, &Origin::Default);
    beside.map(|path| (LinkSource::Folder(path), Origin::Default))
}

/// Notes that two settings exclude each other, if they do.
fn contradict(resolver: &mut Resolver<'_>, values: &Values) -> bool {
    let folder = values.links_certs.is_some();
    let (first, second, reason) = match (folder, values.links_credentials.is_some()) {
        (true, true) => (
            Setting::LinksCerts,
            Setting::LinksCredentials,
            "one of them would be ignored",
        ),
        (false, false) => return false,
        _ if !values.insecure_links => return false,
        (true, false) => (
            Setting::LinksCerts,
            Setting::InsecureLinks,
            "links with certificates are secure",
        ),
        (false, true) => (
            Setting::LinksCredentials,
            Setting::InsecureLinks,
            "links with certificates are secure",
        ),
    };
    resolver.mistake(Mistake::Contradiction {
        first,
        first_origin: resolver.origin(first),
        second,
        second_origin: resolver.origin(second),
        reason,
    });
    true
}

/// The folder that `herd certs` fills unless it is told otherwise, if it is there.
fn beside(choice: &TopologyChoice) -> Option<PathBuf> {
    let MadeFrom::File(topology) = &choice.made_from else {
        return None;
    };
    let folder = CertificateFolder::beside(topology);
    CertificateFolder::new(&folder)
        .trusted()
        .exists()
        .then_some(folder)
}

/// An address of a link that other machines can reach, if there is one.
fn beyond_loopback(
    choice: &TopologyChoice,
    own: &Server,
    peer_listen: Option<Listen>,
) -> Option<String> {
    let mut neighbours = choice.topology.neighbours(&own.name).peekable();
    // Without neighbours no link is accepted.
    neighbours.peek()?;
    let listens_beyond = match peer_listen? {
        Listen::Address(address) => !address.ip().to_canonical().is_loopback(),
        Listen::EveryInterface { .. } => true,
    };
    if listens_beyond {
        return Some(format!("it listens for neighbours on {}", peer_listen?));
    }
    neighbours
        .find(|neighbour| match &neighbour.peer.host {
            Host::Ip(ip) => !ip.to_canonical().is_loopback(),
            Host::Name(name) => **name != *"localhost",
        })
        .map(|neighbour| format!("{} is at {}", neighbour.name, neighbour.peer))
}

fn client_port(resolver: &mut Resolver<'_>, values: &Values) -> Option<ClientPortMaterial> {
    let Some(certificate) = values.client_tls_cert.clone() else {
        for setting in [Setting::ClientTlsKey, Setting::ClientTlsCa] {
            if let Some(given) = resolver.given(setting) {
                resolver.mistake(Mistake::Meaningless {
                    setting,
                    origin: given.origin,
                    reason: "the client port has no certificate; set client_tls_cert".to_owned(),
                });
            }
        }
        resolver.hide([Setting::ClientTlsKey, Setting::ClientTlsCa]);
        return None;
    };
    let Some(key) = values.client_tls_key.clone() else {
        resolver.mistake(Mistake::Missing(Setting::ClientTlsKey));
        return None;
    };
    let material = ClientPortMaterial {
        certificate,
        key,
        client_authorities: values.client_tls_ca.clone(),
    };
    let origin = resolver.origin(Setting::ClientTlsCert);
    let loaded = check(resolver, &origin, material.clone());
    loaded.then_some(material)
}

/// Whether it can be used; if not, everything that is wrong is a mistake.
fn check<M: Material>(resolver: &mut Resolver<'_>, origin: &Origin, material: M) -> bool {
    let clock: SharedClock = Arc::new(SystemClock);
    match Live::load(material, clock) {
        Ok(live) => {
            if let Some(reason) = live.out_of_time() {
                let what = M::OUT_OF_TIME;
                resolver.warn(format!("{origin}: {reason}: {what} until others are there"));
            }
            true
        }
        Err(errors) => {
            for error in errors {
                let origin = origin.clone();
                resolver.mistake(Mistake::Certificates { origin, error });
            }
            false
        }
    }
}
