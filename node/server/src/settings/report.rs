//! The lines in which `herd check-config` shows settings.

use std::fmt;

use super::{Origin, Setting};

/// One line: a setting, its value, and where that came from.
#[derive(Clone, Debug)]
pub struct Row {
    /// The setting.
    pub setting: Setting,
    /// Its value, as a person reads it.
    pub value: String,
    /// Where the value is from.
    pub origin: Origin,
}

impl Row {
    pub(crate) fn new(setting: Setting, value: impl Into<String>, origin: &Origin) -> Self {
        Row {
            setting,
            value: value.into(),
            origin: origin.clone(),
        }
    }
}

/// Writes the lines, in columns.
pub(crate) fn write(f: &mut fmt::Formatter<'_>, rows: &[&Row]) -> fmt::Result {
    let names = rows.iter().map(|row| row.setting.key().len());
    let width = names.max().unwrap_or(0);
    for row in rows {
        let name = row.setting.key();
        writeln!(f, "{name:<width$} {}  ({})", row.value, row.origin)?;
    }
    Ok(())
}
