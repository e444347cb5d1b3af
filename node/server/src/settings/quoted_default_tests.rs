//! Documents quote defaults in prose and tables, between marks that a page does not show.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::document_tests::RENEW;
use super::*;
use crate::config::ServeSettings;

/// Begins a quotation; the key of the setting and [`KEY_END`] follow.
const BEGIN: &str = "<!-- default ";
const KEY_END: &str = " -->";
/// Ends a quotation.
const END: &str = "<!-- -->";

/// The pages that may quote defaults.
fn pages() -> Vec<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let in_docs = std::fs::read_dir(root.join("docs")).unwrap();
    let mut pages: Vec<PathBuf> = in_docs.map(|entry| entry.unwrap().path()).collect();
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.push(root.join("README.md"));
    pages
}

/// The values of a server without any setting of its own, by key.
fn defaults() -> BTreeMap<String, String> {
    let flags = Flags::new([(Setting::Name, Some("Hill".to_owned()))]);
    let settings = ServeSettings::load(&flags, &Environment::new([])).unwrap();
    let report = settings.to_string();
    let of_line = |line: &str| {
        let mut words = line.split_whitespace();
        let key = words.next()?;
        let setting = Setting::ALL.iter().find(|setting| setting.key() == key)?;
        Some((key.to_owned(), for_people(*setting, words.next()?)))
    };
    report.lines().filter_map(of_line).collect()
}

/// A value as prose has it: `10,000,000`, `64 KiB`, `2 minutes`, `30 s`.
fn for_people(setting: Setting, value: &str) -> String {
    if let Ok(count) = value.parse::<u64>() {
        let is_size = setting.unit().starts_with("BYTES");
        return if is_size {
            in_binary_units(count)
        } else {
            grouped(count)
        };
    }
    let Ok(duration) = humantime::parse_duration(value) else {
        return value.to_owned();
    };
    let seconds = duration.as_secs();
    match (seconds / 3_600, seconds / 60) {
        (hours @ 2.., _) if seconds.is_multiple_of(3_600) => format!("{hours} hours"),
        (_, minutes @ 2..) if seconds.is_multiple_of(60) => format!("{minutes} minutes"),
        _ if duration.subsec_nanos() == 0 => format!("{seconds} s"),
        _ => format!("{} ms", duration.as_millis()),
    }
}

/// The largest unit that divides it; up to 8 KiB a plain number.
fn in_binary_units(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units
        .iter()
        .find(|(_, shift)| bytes.is_multiple_of(1 << shift))
    {
        Some((unit, shift)) if bytes > 8_192 => format!("{} {unit}", grouped(bytes >> shift)),
        _ => grouped(bytes),
    }
}

/// With a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let (head, tail) = digits.split_at(first);
    let mut groups: Vec<&str> = (0..tail.len())
        .step_by(3)
        .map(|at| &tail[at..at + 3])
        .collect();
    groups.splice(0..0, (!head.is_empty()).then_some(head));
    groups.join(",")
}

/// The page with each quotation made anew, and how many there are.
fn requoted(page: &str, defaults: &BTreeMap<String, String>) -> (String, usize) {
    let mut parts = page.split(BEGIN);
    let mut text = parts.next().unwrap_or_default().to_owned();
    let mut count = 0;
    for part in parts {
        let (key, rest) = part
            .split_once(KEY_END)
            .expect("a key, and the end of the mark");
        let (_, after) = rest.split_once(END).expect("an end of the quotation");
        let value = defaults
            .get(key)
            .unwrap_or_else(|| panic!("no setting {key}"));
        text += &format!("{BEGIN}{key}{KEY_END}{value}{END}{after}");
        count += 1;
    }
    (text, count)
}

#[test]
fn documents_quote_the_defaults_as_they_are() {
    let defaults = defaults();
    let mut quoted = 0;
    for path in pages() {
        let page = std::fs::read_to_string(&path).unwrap();
        let (renewed, count) = requoted(&page, &defaults);
        quoted += count;
        if std::env::var_os(RENEW).is_some() {
            std::fs::write(&path, renewed).unwrap();
            continue;
        }
        let mut lines = page.lines().zip(renewed.lines());
        let differs = lines.find(|(old, new)| old != new);
        assert_eq!(differs, None, "{}: {RENEW}=1 renews it", path.display());
    }
    assert!(quoted >= 30, "only {quoted} defaults are quoted");
}

#[test]
fn a_changed_default_changes_its_quotation() {
    let page = "at most <!-- default viewers_max -->16<!-- --> pages";
    let defaults = BTreeMap::from([("viewers_max".to_owned(), "17".to_owned())]);
    let renewed = "at most <!-- default viewers_max -->17<!-- --> pages".to_owned();
    assert_eq!(requoted(page, &defaults), (renewed, 1));
}
