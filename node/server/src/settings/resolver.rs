//! Looks a setting up in all layers, checks it, and remembers mistakes and sources.

use std::collections::BTreeMap;

use super::file::ConfigFile;
use super::{
    Command, ConfigError, Environment, Flags, Given, Kind, Mistake, Origin, Row, Setting, Source,
};

/// The layers for one command, and the mistakes found in them so far.
pub struct Resolver<'a> {
    command: Command,
    environment: &'a Environment,
    flags: &'a Flags,
    file: ConfigFile,
    mistakes: Vec<Mistake>,
    warnings: Vec<String>,
    rows: BTreeMap<Setting, Row>,
}

impl<'a> Resolver<'a> {
    /// Layers without a configuration file.
    #[must_use]
    pub fn new(command: Command, flags: &'a Flags, environment: &'a Environment) -> Self {
        Resolver {
            command,
            environment,
            flags,
            file: ConfigFile::default(),
            warnings: Vec::new(),
            mistakes: environment
                .not_text(command)
                .map(|name| Mistake::NotText(name.to_owned()))
                .collect(),
            rows: BTreeMap::new(),
        }
    }

    /// Reads the configuration file that flag or variable names.
    pub(crate) fn read_config_file(&mut self) {
        if let Some(named) = self.given(Setting::Config) {
            self.file = ConfigFile::read(&named, &mut self.mistakes);
        }
    }

    /// The layers, the one that wins first: flags over variables over the file.
    fn layers(&self) -> [&dyn Source; 3] {
        [self.flags, self.environment, &self.file]
    }

    /// The value as it was written, from the layer that wins. Nothing, if the command does not take the setting.
    #[must_use]
    pub fn given(&self, setting: Setting) -> Option<Given> {
        self.first_of([setting]).map(|(_, given)| given)
    }

    /// The setting that the layer which wins gives, of several that stand for each other; the first, if it gives more
    /// than one.
    #[must_use]
    pub fn first_of<const N: usize>(&self, settings: [Setting; N]) -> Option<(Setting, Given)> {
        let taken = settings
            .into_iter()
            .filter(|setting| setting.is_of(self.command));
        let mut in_layers = self.layers().into_iter().map(|layer| {
            let mut taken = taken.clone();
            taken.find_map(|setting| Some((setting, layer.get(setting)?)))
        });
        in_layers.find_map(|found| found)
    }

    /// Where the value of a setting is from.
    #[must_use]
    pub fn origin(&self, setting: Setting) -> Origin {
        self.given(setting)
            .map_or(Origin::Default, |given| given.origin)
    }

    /// The value of a setting of this kind, if it is given and right. Its line of the report is `otherwise` if not.
    pub(super) fn value_if_given<K: Kind>(
        &mut self,
        setting: Setting,
        kind: &K,
        otherwise: impl FnOnce() -> String,
    ) -> Option<K::Value> {
        if !setting.is_of(self.command) {
            return None;
        }
        let value = self.checked(setting, kind);
        let shown = value
            .as_ref()
            .map_or_else(otherwise, |value| kind.show(value));
        self.show(setting, shown, &self.origin(setting));
        value
    }

    /// The same, with a default. A wrong value is replaced too: the mistake keeps it from being used.
    pub(super) fn value<K: Kind>(
        &mut self,
        setting: Setting,
        kind: &K,
        default: K::Value,
    ) -> K::Value {
        let shown = kind.show(&default);
        let value = self.value_if_given(setting, kind, || shown);
        value.unwrap_or(default)
    }

    /// The value that was given, checked. Nothing, if none is given or it is wrong.
    fn checked<K: Kind>(&mut self, setting: Setting, kind: &K) -> Option<K::Value> {
        let Given { text, origin } = self.given(setting)?;
        match kind.parse(&text) {
            Ok(value) => Some(value),
            Err(reason) if kind.may_be_told() => {
                self.mistake(Mistake::Value {
                    origin,
                    text,
                    reason,
                });
                None
            }
            Err(reason) => {
                self.mistake(Mistake::Untold { origin, reason });
                None
            }
        }
    }

    /// Puts this into the report as the line of the setting.
    pub(crate) fn show(&mut self, setting: Setting, value: impl Into<String>, origin: &Origin) {
        let row = Row::new(setting, value, origin);
        self.rows.insert(setting, row);
    }

    /// Leaves settings out of the report.
    pub(crate) fn hide<const N: usize>(&mut self, settings: [Setting; N]) {
        for setting in settings {
            self.rows.remove(&setting);
        }
    }

    /// The lines of the report, in the order of the table.
    pub(crate) fn take_rows(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.rows).into_values().collect()
    }

    /// Adds a mistake that lies in more than one value.
    pub fn mistake(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
    }

    /// Adds a reason to look at the settings again that does not keep the server from starting.
    pub(crate) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// The warnings that were added.
    pub(crate) fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// The settings, if there was no mistake and none is missing.
    ///
    /// # Errors
    /// Every mistake that was found.
    pub fn finish<T>(self, settings: Option<T>) -> Result<T, ConfigError> {
        match settings {
            Some(settings) if self.mistakes.is_empty() => Ok(settings),
            _ => Err(ConfigError(self.mistakes)),
        }
    }
}
