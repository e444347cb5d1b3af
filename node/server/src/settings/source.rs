//! Where values come from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::Setting;

/// One of the layers that can give a value.
pub trait Source {
    /// The value that this layer gives to `setting`.
    fn get(&self, setting: Setting) -> Option<Given>;
}

/// A value as it was written, before it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The text.
    pub text: String,
    /// Where it was written.
    pub origin: Origin,
}

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In a line of the configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// On the command line.
    Flag(Setting),
    /// In the environment.
    Variable(Setting),
    /// In the topology.
    Topology,
    /// Nowhere.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { path, line } => write!(f, "{} line {line}", path.display()),
            Origin::Flag(setting) => f.write_str(&setting.flag()),
            Origin::Variable(setting) => f.write_str(&setting.variable()),
            Origin::Topology => f.write_str("topology"),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// The values given on the command line.
#[derive(Clone, Debug, Default)]
pub struct Flags(BTreeMap<Setting, String>);

impl Flags {
    /// Takes the flags that were given.
    pub fn new(given: impl IntoIterator<Item = (Setting, Option<String>)>) -> Self {
        let given = given.into_iter();
        Flags(
            given
                .filter_map(|(setting, text)| Some((setting, text?)))
                .collect(),
        )
    }
}

impl Source for Flags {
    fn get(&self, setting: Setting) -> Option<Given> {
        self.0.get(&setting).map(|text| Given {
            text: text.clone(),
            origin: Origin::Flag(setting),
        })
    }
}
