//! Settings about TLS: certificates of links and of the client port.

use std::path::PathBuf;
use std::sync::Arc;

use super::report::Row;
use super::resolver::{Resolved, Resolver};
use super::{Given, MadeFrom, Mistake, Origin, Setting, TopologyChoice, values};
use crate::listeners::Listen;
use herd_clock::clock::{SharedClock, SystemClock};
use herd_tls::client_port::ClientPortMaterial;
use herd_tls::folder::CertificateFolder;
use herd_tls::link::{LinkMaterial, LinkSource};
use herd_tls::reload::{Live, Material};
use herd_topology::{Host, Server};

/// How links between servers are secured.
#[derive(Clone, Debug)]
pub enum LinkSecurity {
    /// Both sides of each link prove by certificates who they are.
    Certificates(LinkMaterial),
    /// Links are as they are, and lead to this machine only.
    Loopback,
    /// Links are as they are, and lead to other machines, or could. The user wants it so.
    Insecure,
}

/// What is set about TLS.
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
    choice: Option<&TopologyChoice>,
    own: Option<&Server>,
    peer_listen: Option<Listen>,
) -> (Option<TlsSettings>, Vec<Row>) {
    let (links, mut rows) = links(resolver, choice.zip(own), peer_listen);
    let (clients, client_rows) = client_port(resolver);
    rows.extend(client_rows);
    (links.map(|links| TlsSettings { links, clients }), rows)
}

fn links(
    resolver: &mut Resolver<'_>,
    place: Option<(&TopologyChoice, &Server)>,
    peer_listen: Option<Listen>,
) -> (Option<LinkSecurity>, Vec<Row>) {
    let folder = resolver.given(Setting::LinksCerts);
    let text = resolver.given(Setting::LinksCredentials);
    let insecure = resolver.checked_or(Setting::InsecureLinks, false, values::switch);
    let sources = [
        (Setting::LinksCerts, &folder),
        (Setting::LinksCredentials, &text),
    ];
    if contradict(resolver, sources, &insecure) {
        return (None, Vec::new());
    }
    let beside = place.and_then(|(choice, _)| beside(choice));
    let beside = beside.filter(|_| !insecure.value);
    let (source, row) = source(folder, text, beside);
    let insecure_row = Row::new(
        Setting::InsecureLinks,
        insecure.value.to_string(),
        &insecure.origin,
    );
    let rows = vec![row, insecure_row];
    let Some((choice, own)) = place else {
        return (None, rows);
    };
    if let Some((source, origin)) = source {
        let material = LinkMaterial {
            source,
            cluster: choice.topology.cluster().to_string(),
            server: own.name.to_string(),
        };
        let loaded = check(resolver, &origin, material.clone());
        return (loaded.then_some(LinkSecurity::Certificates(material)), rows);
    }
    let Some(beyond) = beyond_loopback(choice, own, peer_listen) else {
        return (Some(LinkSecurity::Loopback), rows);
    };
    if insecure.value {
        return (Some(LinkSecurity::Insecure), rows);
    }
    resolver.mistake(Mistake::InsecureLinks { beyond });
    (None, rows)
}

/// Where certificates are, if anywhere, and the line that says so: where a setting says, else `beside` the topology.
fn source(
    folder: Option<Given>,
    text: Option<Given>,
    beside: Option<PathBuf>,
) -> (Option<(LinkSource, Origin)>, Row) {
    if let Some(folder) = folder {
        let source = LinkSource::Folder(PathBuf::from(&folder.text));
        let row = Row::new(Setting::LinksCerts, folder.text, &folder.origin);
        return (Some((source, folder.origin)), row);
    }
    if let Some(text) = text {
        let row = Row::new(Setting::LinksCredentials, "set", &text.origin);
        return (Some((LinkSource::Text(text.text.into()), text.origin)), row);
    }
    let shown = beside.as_ref().map(|path| path.display().to_string());
    let shown = shown.unwrap_or_else(|| "none".to_owned());
    let row = Row::new(Setting::LinksCerts, shown, &Origin::Default);
    let source = beside.map(|path| (LinkSource::Folder(path), Origin::Default));
    (source, row)
}

/// Notes that two settings exclude each other, if they do.
fn contradict(
    resolver: &mut Resolver<'_>,
    sources: [(Setting, &Option<Given>); 2],
    insecure: &Resolved<bool>,
) -> bool {
    let given = sources.map(|(setting, given)| given.as_ref().map(|given| (setting, given)));
    let (first, (second, second_origin), reason) = match given {
        [Some(first), Some((second, other))] => {
            let reason = "one of them would be ignored";
            (first, (second, other.origin.clone()), reason)
        }
        [Some(first), None] | [None, Some(first)] if insecure.value => {
            let second = (Setting::InsecureLinks, insecure.origin.clone());
            (first, second, "links with certificates are secure")
        }
        _ => return false,
    };
    resolver.mistake(Mistake::Contradiction {
        first: first.0,
        first_origin: first.1.origin.clone(),
        second,
        second_origin,
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
    // Without neighbours nobody is let in.
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

fn client_port(resolver: &mut Resolver<'_>) -> (Option<ClientPortMaterial>, Vec<Row>) {
    let certificate = resolver.given(Setting::ClientTlsCert);
    let key = resolver.given(Setting::ClientTlsKey);
    let authorities = resolver.given(Setting::ClientTlsCa);
    let Some(certificate) = certificate else {
        for (setting, given) in [
            (Setting::ClientTlsKey, key),
            (Setting::ClientTlsCa, authorities),
        ] {
            if let Some(given) = given {
                resolver.mistake(Mistake::Meaningless {
                    setting,
                    origin: given.origin,
                    reason: "the client port has no certificate; set client_tls_cert".to_owned(),
                });
            }
        }
        let row = Row::new(Setting::ClientTlsCert, "off", &Origin::Default);
        return (None, vec![row]);
    };
    let mut rows = vec![Row::new(
        Setting::ClientTlsCert,
        &*certificate.text,
        &certificate.origin,
    )];
    let Some(key) = key else {
        resolver.mistake(Mistake::Missing(Setting::ClientTlsKey));
        return (None, rows);
    };
    rows.push(Row::new(Setting::ClientTlsKey, &*key.text, &key.origin));
    rows.push(match &authorities {
        Some(given) => Row::new(Setting::ClientTlsCa, &*given.text, &given.origin),
        None => Row::new(Setting::ClientTlsCa, "off", &Origin::Default),
    });
    let material = ClientPortMaterial {
        certificate: PathBuf::from(&certificate.text),
        key: PathBuf::from(&key.text),
        client_authorities: authorities.map(|given| PathBuf::from(given.text)),
    };
    let loaded = check(resolver, &certificate.origin, material.clone());
    (loaded.then_some(material), rows)
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
