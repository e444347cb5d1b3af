//! Looks a setting up in all layers, checks it, and remembers what was wrong and what was used.

use super::file::ConfigFile;
use super::{ConfigError, Environment, Flags, Given, Mistake, Origin, Setting, Source};

/// A checked value, and where it came from.
#[derive(Clone, Debug)]
pub(super) struct Resolved<T> {
    pub(super) value: T,
    pub(super) origin: Origin,
}

/// The layers, and the mistakes found in them so far.
pub(super) struct Resolver<'a> {
    environment: &'a Environment,
    flags: &'a Flags,
    file: ConfigFile,
    mistakes: Vec<Mistake>,
    warnings: Vec<String>,
}

impl<'a> Resolver<'a> {
    /// Layers without a configuration file.
    pub(super) fn new(flags: &'a Flags, environment: &'a Environment) -> Self {
        Resolver {
            environment,
            flags,
            file: ConfigFile::default(),
            warnings: Vec::new(),
            mistakes: environment
                .not_text()
                .iter()
                .cloned()
                .map(Mistake::NotText)
                .collect(),
        }
    }

    /// Reads the configuration file that flag or environment names.
    pub(super) fn read_config_file(&mut self) {
        if let Some(named) = self.given(Setting::Config) {
            self.file = ConfigFile::read(&named, &mut self.mistakes);
        }
    }

    /// The value as it was written, from the layer that wins.
    pub(super) fn given(&self, setting: Setting) -> Option<Given> {
        let environment = self.environment.get(setting);
        environment
            .or_else(|| self.flags.get(setting))
            .or_else(|| self.file.get(setting))
    }

    /// The value checked by `check`, whose error says what is wrong with it. Nothing, if it is not
    /// set or wrong.
    pub(super) fn checked<T, E: ToString>(
        &mut self,
        setting: Setting,
        check: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Resolved<T>> {
        let Given { text, origin } = self.given(setting)?;
        match check(&text) {
            Ok(value) => Some(Resolved { value, origin }),
            Err(reason) => {
                let reason = reason.to_string();
                self.mistake(Mistake::Value {
                    origin,
                    text,
                    reason,
                });
                None
            }
        }
    }

    /// Like [`Resolver::checked`], with a value for a setting that is not set. A wrong value is
    /// replaced too: the mistake keeps it from being used.
    pub(super) fn checked_or<T, E: ToString>(
        &mut self,
        setting: Setting,
        default: T,
        check: impl FnOnce(&str) -> Result<T, E>,
    ) -> Resolved<T> {
        self.checked(setting, check).unwrap_or(Resolved {
            value: default,
            origin: Origin::Default,
        })
    }

    /// Adds a mistake that lies in more than one value.
    pub(super) fn mistake(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
    }

    /// Adds what does not keep the server from starting.
    pub(super) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// What was added so.
    pub(super) fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// The settings, if there was no mistake and none is missing.
    pub(super) fn finish<T>(self, settings: Option<T>) -> Result<T, ConfigError> {
        match settings {
            Some(settings) if self.mistakes.is_empty() => Ok(settings),
            _ => Err(ConfigError(self.mistakes)),
        }
    }
}
