use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use super::*;
use crate::link::{LinkMaterial, LinkSource};
use crate::reload::Live;
use herd_clock::clock::{SharedClock, SystemClock, WallClock as _};

fn now_s() -> i64 {
    SystemClock.now_ns() / 1_000_000_000
}

fn issue(folder: &CertificateFolder, authority: &Authority, server: &str) {
    let name = LinkName::new("test", server);
    let issued = authority.issue(&name, &[], now_s(), 90).unwrap();
    folder.write_server(server, &issued).unwrap();
}

fn load(
    folder: &CertificateFolder,
    server: &str,
) -> Result<Arc<Live<LinkMaterial>>, Vec<TlsError>> {
    let clock: SharedClock = Arc::new(SystemClock);
    let material = LinkMaterial {
        source: LinkSource::Folder(folder.path().to_owned()),
        cluster: "test".to_owned(),
        server: server.to_owned(),
    };
    Live::load(material, clock)
}

#[test]
fn files_are_for_their_user_alone_and_replaced_as_a_whole() {
    let parent = tempfile::tempdir().unwrap();
    let folder = CertificateFolder::new(&parent.path().join("a/certs"));
    folder.make().unwrap();
    let authority = Authority::make("test", now_s(), 3_650).unwrap();
    folder.write_authority(&authority).unwrap();
    folder.trust(&authority, false).unwrap();
    issue(&folder, &authority, "Hill");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode(folder.path()), mode(&folder.signing())),
        (0o700, 0o700)
    );
    for file in [
        folder.trusted(),
        folder.key("Hill"),
        folder.certificate("Hill"),
        folder.authority_key(),
    ] {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    load(&folder, "Hill").unwrap();
    // A file that an interrupted run has left behind is in nobody's way.
    fs::write(folder.path().join("Hill.key.pem.new"), "half").unwrap();
    issue(&folder, &authority, "Hill");
    load(&folder, "Hill").unwrap();
    assert!(folder.check_empty(["Smith"].into_iter()).is_err());
    assert!(folder.check_free("Hill").is_err() && folder.check_free("Smith").is_ok());
}

#[test]
fn the_authority_that_was_written_signs_later() {
    let parent = tempfile::tempdir().unwrap();
    let folder = CertificateFolder::new(parent.path());
    let authority = Authority::make("test", now_s(), 3_650).unwrap();
    folder.write_authority(&authority).unwrap();
    folder.trust(&authority, false).unwrap();
    let read = folder.read_authority().unwrap();
    issue(&folder, &read, "Smith");
    load(&folder, "Smith").unwrap();
    assert!(folder.is_signed_by("Smith", &authority, now_s()).unwrap());
    // Two are trusted, and the second alone signs.
    let second = Authority::make("test", now_s() + 1, 3_650).unwrap();
    folder.trust(&second, true).unwrap();
    assert_eq!(folder.trusted_facts().unwrap().len(), 2);
    load(&folder, "Smith").unwrap();
    assert!(!folder.is_signed_by("Smith", &second, now_s()).unwrap());
    folder.trust(&second, false).unwrap();
    let errors = load(&folder, "Smith").unwrap_err();
    assert!(
        errors[0].to_string().contains("would be refused"),
        "{errors:?}"
    );
    issue(&folder, &second, "Smith");
    load(&folder, "Smith").unwrap();
}

#[test]
fn every_missing_file_is_named() {
    let parent = tempfile::tempdir().unwrap();
    let folder = CertificateFolder::new(parent.path());
    let errors = load(&folder, "Hill").unwrap_err();
    let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 3);
    for (told, file) in told
        .iter()
        .zip(["Hill.cert.pem", "Hill.key.pem", "trusted.pem"])
    {
        assert!(told.contains(file), "{told}");
    }
    assert!(folder.lacks("Hill"));
}

#[test]
fn a_discarded_authority_leaves_no_key_that_signs() {
    let parent = tempfile::tempdir().unwrap();
    let folder = CertificateFolder::new(&parent.path().join("certs"));
    let servers = ["Hill", "Smith"];
    folder
        .write_throw_away("test", servers.into_iter(), now_s())
        .unwrap();
    assert!(!folder.has_authority());
    for server in servers {
        load(&folder, server).unwrap();
    }
}
