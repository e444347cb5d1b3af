//! The configuration file: TOML, one key per setting, no tables.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use herd_files::{byte_order_mark, own_file};

use super::nearest::nearest;
use super::{Command, Given, Mistake, Origin, Setting, Source, Ways};

/// The largest configuration file, in bytes.
const CONFIG_BYTES_MAX: usize = 1 << 20;

/// The settings of a configuration file; empty if there is no file.
#[derive(Debug, Default)]
pub(super) struct ConfigFile(BTreeMap<Setting, Given>);

impl ConfigFile {
    /// Reads the file that `named` points to, and adds its mistakes to `mistakes`.
    pub(super) fn read(named: &Given, mistakes: &mut Vec<Mistake>) -> Self {
        let path = PathBuf::from(&named.text);
        match read_text(&path) {
            Ok(text) => Self::parse(&path, &text, mistakes),
            Err(error) => {
                mistakes.push(Mistake::ConfigFile {
                    origin: named.origin.clone(),
                    path,
                    reason: error.to_string(),
                });
                ConfigFile::default()
            }
        }
    }

    /// Takes the keys that it knows; the others are added to `mistakes`, in the order of the file.
    fn parse(path: &Path, text: &str, mistakes: &mut Vec<Mistake>) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut faults: Vec<(usize, String)> = errors
            .iter()
            .map(|error| (line_of(text, error.span()), error.message().to_owned()))
            .collect();
        let mut settings = BTreeMap::new();
        for (key, value) in table.get_ref() {
            let line = line_of(text, Some(key.span()));
            match (settable(key.get_ref()), as_text(value.get_ref())) {
                (Ok(setting), Ok(text)) => {
                    let origin = Origin::File {
                        path: path.to_owned(),
                        line,
                    };
                    settings.insert(setting, Given { text, origin });
                }
                // A value that did not parse has been reported.
                (Ok(_), Err(_)) if faults.iter().any(|(faulty, _)| *faulty == line) => {}
                (Err(reason), _) | (Ok(_), Err(reason)) => faults.push((line, reason)),
            }
        }
        faults.sort();
        mistakes.extend(
            faults
                .into_iter()
                .map(|(line, reason)| Mistake::ConfigLine {
                    path: path.to_owned(),
                    line,
                    reason,
                }),
        );
        ConfigFile(settings)
    }
}

impl Source for ConfigFile {
    fn get(&self, setting: Setting) -> Option<Given> {
        self.0.get(&setting).cloned()
    }
}

fn read_text(path: &Path) -> io::Result<String> {
    let bytes = own_file::read_once(path, CONFIG_BYTES_MAX)?;
    if bytes.len() > CONFIG_BYTES_MAX {
        let reason = format!("it is larger than {CONFIG_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    let mut text = String::new();
    byte_order_mark::skip_in(&*bytes)?.read_to_string(&mut text)?;
    Ok(text)
}

fn settable(key: &str) -> Result<Setting, String> {
    let mut taken = Setting::of(Command::Serve);
    let Some(setting) = taken.find(|setting| setting.key() == key) else {
        let known = Setting::ALL.iter().filter(|setting| setting.is_in_file());
        let meant = nearest(key, known.map(|setting| setting.key().to_owned()));
        let meant = meant.map(|meant| format!("; `{meant}` is one"));
        return Err(format!(
            "`{key}` is not a setting{}",
            meant.unwrap_or_default()
        ));
    };
    match setting.ways() {
        Ways::Every => Ok(setting),
        Ways::NotInFile(why) | Ways::VariableOnly(why) => Err(format!("`{key}` {why}")),
    }
}

/// A value in the form in which a flag would give it.
fn as_text(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) => Ok(number.to_string()),
        DeValue::Boolean(switch) => Ok(switch.to_string()),
        _ => Err("the value is not a text in quotes, a whole number, true or false".to_owned()),
    }
}

fn line_of(text: &str, span: Option<Range<usize>>) -> usize {
    let start = span.map_or(0, |span| span.start);
    let before = text.bytes().take(start);
    1 + before.filter(|&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (ConfigFile, Vec<String>) {
        let mut mistakes = Vec::new();
        let file = ConfigFile::parse(Path::new("herd.toml"), text, &mut mistakes);
        (file, mistakes.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn values_keep_their_line() {
        let (file, mistakes) = parse("# a server\nname = \"Hill\"\nclient_port_base = 12000\n");
        assert_eq!(mistakes, Vec::<String>::new());
        let name = file.get(Setting::Name).unwrap();
        assert_eq!(
            (name.text.as_str(), name.origin.to_string().as_str()),
            ("Hill", "herd.toml line 2")
        );
        let base = file.get(Setting::ClientPortBase).unwrap();
        assert_eq!(base.text, "12000");
    }

    #[test]
    fn every_mistake_is_reported_and_the_rest_is_used() {
        let (file, mistakes) = parse(
            "nam = \"Hill\"\nlog = [1]\nname = \"Hill\"\nconfig = \"x\"\nlog_format = \n\
             [table]\nx = 1\n",
        );
        assert_eq!(
            mistakes,
            [
                "herd.toml line 1: `nam` is not a setting; `name` is one",
                "herd.toml line 2: the value is not a text in quotes, a whole number, true or false",
                "herd.toml line 4: `config` cannot be set in the file itself",
                "herd.toml line 5: string values must be quoted, expected literal string",
                "herd.toml line 6: `table` is not a setting",
            ]
        );
        assert!(file.get(Setting::Name).is_some());
    }
}
