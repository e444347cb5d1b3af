//! `herd places info`.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Context as _;
use bytes::Bytes;

use herd_places::table::Table;
use herd_server::config::places_data;
use herd_server::settings::{Environment, Flags};

/// Shows one table.
pub(super) fn of_file(file: &Path, output: &mut dyn Write) -> anyhow::Result<()> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Table::open(Bytes::from(bytes))
        .map_err(anyhow::Error::from)
        .and_then(|table| of_table(&table, output))
        .with_context(|| file.display().to_string())
}

/// Shows the tables that a server with these options and variables would answer from.
pub(super) fn of_settings(
    flags: &Flags,
    environment: &Environment,
    output: &mut dyn Write,
) -> anyhow::Result<()> {
    let (places, file) = places_data(flags, environment)?;
    for (index, table) in places.tables().iter().enumerate() {
        if index > 0 {
            writeln!(output)?;
        }
        // A file that was named comes first.
        match file.as_ref().filter(|_| index == 0) {
            Some(file) => writeln!(output, "from {}:", file.display())?,
            None => writeln!(output, "in this program:")?,
        }
        of_table(table, output)?;
    }
    Ok(())
}

fn of_table(table: &Table, output: &mut dyn Write) -> anyhow::Result<()> {
    table.verify()?;
    let mut counts = vec![0_u64; table.sources().len()];
    for place in (0..table.row_count()).filter_map(|row| table.place(row)) {
        if let Some(count) = counts.get_mut(place.source_index) {
            *count += 1;
        }
    }
    writeln!(
        output,
        "{} places, {} bytes, checksum {:08x} correct",
        table.row_count(),
        table.byte_count(),
        table.checksum(),
    )?;
    for (source, count) in table.sources().iter().zip(counts) {
        writeln!(output, "\n{}: {count} places", source.name)?;
        for (label, text) in [
            ("version", &source.version),
            ("licence", &source.licence),
            ("url", &source.url),
            ("ids begin", &source.id_prefix),
            ("shown with results", &source.attribution_html),
        ] {
            if !text.is_empty() {
                writeln!(output, "  {label}: {text}")?;
            }
        }
    }
    Ok(())
}
