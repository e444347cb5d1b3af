//! A configuration file and variables: settings, or mistakes that are told.

use std::cell::RefCell;
use std::io::{Seek as _, Write as _};

use herd_server::config::ServeSettings;
use herd_server::settings::{Environment, Flags, Setting};
use tempfile::NamedTempFile;

thread_local! {
    static FILE: RefCell<Option<NamedTempFile>> = const { RefCell::new(None) };
}

/// A file's text; the part behind a NUL has variables, `NAME=VALUE` in lines.
pub(super) fn run(bytes: &[u8]) {
    let nul = bytes.iter().position(|&byte| byte == 0);
    let (text, variables) = match nul {
        Some(nul) => (&bytes[..nul], &bytes[nul + 1..]),
        None => (bytes, &b""[..]),
    };
    let variables = String::from_utf8_lossy(variables);
    let variables = variables.lines().filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        // The files that these name are not this target's.
        let names_a_file = ["CONFIG", "TOPOLOGY", "FILE", "TOKENS", "KEY"];
        let harmless = !names_a_file.iter().any(|part| name.contains(part));
        harmless.then(|| (format!("HERD_{name}").into(), value.into()))
    });
    let environment = Environment::new(variables);
    let path = FILE.with_borrow_mut(|file| {
        let file = file.get_or_insert_with(|| match NamedTempFile::new() {
            Ok(file) => file,
            Err(error) => panic!("no file: {error}"),
        });
        let written = file
            .as_file()
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text));
        if let Err(error) = written {
            panic!("cannot write the file: {error}");
        }
        file.path().to_string_lossy().into_owned()
    });
    let flags = Flags::new([
        (Setting::Config, Some(path)),
        (Setting::Name, Some("Hill".to_owned())),
    ]);
    match ServeSettings::load(&flags, &environment) {
        Ok(settings) => assert!(settings.to_string().contains("Hill")),
        Err(mistakes) => assert!(!mistakes.0.is_empty() && !mistakes.to_string().is_empty()),
    }
}
