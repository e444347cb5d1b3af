//! The lines in which `herd check-config` shows settings.

use std::fmt;

use super::{Origin, Setting};

/// The least width of the column of names.
const NAME_WIDTH_MIN: usize = 15;

/// One line: a setting, its value, and where that came from.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) setting: Setting,
    pub(super) value: String,
    pub(super) origin: String,
}

impl Row {
    pub(super) fn new(setting: Setting, value: impl Into<String>, origin: &Origin) -> Self {
        Row {
            setting,
            value: value.into(),
            origin: origin.to_string(),
        }
    }
}

/// Writes the lines, in columns.
pub(super) fn write(f: &mut fmt::Formatter<'_>, rows: &[Row]) -> fmt::Result {
    let names = rows.iter().map(|row| row.setting.key().len());
    let width = names.max().unwrap_or(0).max(NAME_WIDTH_MIN);
    for row in rows {
        let name = row.setting.key();
        writeln!(f, "{name:<width$} {}  ({})", row.value, row.origin)?;
    }
    Ok(())
}
