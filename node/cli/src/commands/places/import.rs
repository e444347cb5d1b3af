//! `herd places import`.

use std::fs::{self, File};
use std::io::{BufReader, Read as _, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Args;

use super::progress::ImportProgress;
use herd_files::byte_order_mark;
use herd_files::own_file;
use herd_places::import::{
    ImportError, ImportFormat, ImportReport, import_csv, import_geojson, import_osm_pbf, osm_source,
};
use herd_places::table::TableWriter;
use herd_places::{Source, parse_sources};

/// An extract is read three times.
const OSM_PASSES: u64 = 3;

/// The arguments of `herd places import`.
#[derive(Clone, Debug, Args)]
pub(super) struct ImportArgs {
    /// The file: .osm.pbf, .geojson, .json or .csv.
    file: PathBuf,
    /// The table to write [default: named like the file, with .table, in the current folder].
    #[arg(long, value_name = "TABLE")]
    output: Option<PathBuf>,
    /// The format of the file, where its name does not tell: csv, geojson or osm-pbf.
    #[arg(long, value_name = "FORMAT", value_parser = parse_format)]
    format: Option<ImportFormat>,
    /// TOML that describes the sources: `[[source]]` with key, name, and maybe version, licence,
    /// url, attribution_html and id_prefix [default: OpenStreetMap for .osm.pbf, else one source
    /// named like the file].
    #[arg(long, value_name = "TOML")]
    sources: Option<PathBuf>,
    /// Writes nothing if any row is bad.
    #[arg(long)]
    strict: bool,
}

fn parse_format(text: &str) -> Result<ImportFormat, &'static str> {
    text.parse()
}

/// Imports, and tells how it went.
pub(super) fn run(args: &ImportArgs, output: &mut dyn Write) -> anyhow::Result<()> {
    let file = &args.file;
    let named = || file.display().to_string();
    let format = args.format.or(ImportFormat::of(file)).with_context(|| {
        format!(
            "{}: the file name does not show the format; give --format csv, geojson or osm-pbf",
            named()
        )
    })?;
    let sources = match &args.sources {
        Some(sources) => read_sources(sources)?,
        None => vec![usual_source(file, format)?],
    };
    let mut writer = TableWriter::new(sources)?;
    let report = import(file, format, &mut writer)?;
    tell(&report, output)?;
    ensure!(
        report.rows_taken > 0,
        "{}: no row is good, nothing was written",
        named()
    );
    if args.strict && report.rows_bad > 0 {
        bail!("{}: nothing was written, because of --strict", named());
    }
    let bytes = writer.finish()?;
    let table_file = args.output.clone().unwrap_or_else(|| usual_table(file));
    replace_file(&table_file, &bytes)
        .with_context(|| format!("cannot write {}", table_file.display()))?;
    let table = table_file.display();
    writeln!(output, "{table}: {} bytes", bytes.len())?;
    writeln!(
        output,
        "servers answer from it with --places-file {table}, and from the embedded table too with --places-add"
    )?;
    Ok(())
}

fn open(file: &Path) -> anyhow::Result<File> {
    File::open(file).with_context(|| format!("cannot open {}", file.display()))
}

fn import(
    file: &Path,
    format: ImportFormat,
    writer: &mut TableWriter,
) -> anyhow::Result<ImportReport> {
    let input = open(file)?;
    let bytes = input.metadata().map_or(0, |metadata| metadata.len());
    let imported = match format {
        ImportFormat::Csv => {
            let progress = ImportProgress::new(bytes);
            import_csv(progress.watch(BufReader::new(input)), writer)
        }
        ImportFormat::GeoJson => {
            let progress = ImportProgress::new(bytes);
            // Read byte by byte, so the bar is under the buffer.
            import_geojson(BufReader::new(progress.watch(input)), writer)
        }
        ImportFormat::OsmPbf => {
            let progress = ImportProgress::new(bytes.saturating_mul(OSM_PASSES));
            let open = || File::open(file).map(|file| progress.watch(BufReader::new(file)));
            import_osm_pbf(open, writer)
        }
    };
    imported.with_context(|| file.display().to_string())
}

fn tell(report: &ImportReport, output: &mut dyn Write) -> anyhow::Result<()> {
    if !report.columns_unknown.is_empty() {
        let columns = report.columns_unknown.join(", ");
        writeln!(output, "columns passed over: {columns}")?;
    }
    for bad in &report.bad_rows {
        writeln!(output, "{}: {}", bad.at, bad.reason)?;
    }
    let not_listed = report.rows_bad - report.bad_rows.len() as u64;
    if not_listed > 0 {
        writeln!(output, "and {not_listed} more bad rows")?;
    }
    let (taken, bad) = (report.rows_taken, report.rows_bad);
    writeln!(output, "{taken} places taken, {bad} bad rows left out")?;
    Ok(())
}

fn read_sources(file: &Path) -> anyhow::Result<Vec<Source>> {
    let mut text = String::new();
    byte_order_mark::skip_in(open(file)?)
        .and_then(|mut input| input.read_to_string(&mut text))
        .with_context(|| format!("cannot read {}", file.display()))?;
    parse_sources(&text).with_context(|| file.display().to_string())
}

/// The source that an extract names, or a source that is named like the file.
fn usual_source(file: &Path, format: ImportFormat) -> anyhow::Result<Source> {
    if format == ImportFormat::OsmPbf {
        let source: Result<Source, ImportError> = osm_source(BufReader::new(open(file)?));
        return source.with_context(|| file.display().to_string());
    }
    Ok(Source {
        name: stem(file),
        ..Source::default()
    })
}

/// `a/b.osm.pbf` is `b.table`.
fn usual_table(file: &Path) -> PathBuf {
    PathBuf::from(format!("{}.table", stem(file)))
}

fn stem(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or(file.as_os_str());
    let stem = stem.to_string_lossy();
    stem.strip_suffix(".osm").unwrap_or(&stem).to_owned()
}

/// Writes beside the file and renames, so that no reader ever gets half a table.
fn replace_file(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".{}.partial", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = File::create(&beside).and_then(|mut partial| {
        partial.write_all(bytes)?;
        partial.sync_all()?;
        fs::rename(&beside, file)?;
        own_file::sync_name(file)
    });
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&beside);
    }
    written
}
