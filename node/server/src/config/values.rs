//! Texts to values. Each error continues a sentence that starts with the text.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::control;
use herd_topology::{Host, HostPort};

/// A TCP port; 0 is not one.
pub(super) fn port(text: &str) -> Result<u16, &'static str> {
    match text.parse() {
        Ok(0) | Err(_) => Err("is not a port from 1 to 65535"),
        Ok(port) => Ok(port),
    }
}

/// An address to listen on. Port 0 lets the system choose.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, &'static str> {
    let reason =
        "is not an IP address with a port, such as 127.0.0.1:12000, 0.0.0.0:12000 or [::]:12000";
    text.parse().map_err(|_| reason)
}

/// The same, or nothing for `off`.
pub(super) fn listen_address_or_off(text: &str) -> Result<Option<SocketAddr>, String> {
    if text == "off" {
        return Ok(None);
    }
    let address = listen_address(text).map_err(|reason| format!("{reason}, and not `off`"))?;
    Ok(Some(address))
}

/// Names of hosts between commas, in lower case.
pub(super) fn host_names(text: &str) -> Result<Vec<Arc<str>>, String> {
    let names = text.split(',').map(|name| {
        let name = name.trim();
        let address = format!("{name}:80").parse::<HostPort>();
        match address.map(|address| address.host) {
            Ok(Host::Name(name)) => Ok(name),
            Ok(Host::Ip(_)) => Err(format!("holds {name}, but an IP address needs no name")),
            Err(_) => Err(format!("holds {name:?}, which is not the name of a host")),
        }
    });
    names.collect()
}

/// A file to append to, which may not be there yet; its folder must be.
pub(super) fn file_to_append(text: &str) -> Result<Option<PathBuf>, String> {
    Ok(Some(file_in_folder(text)?))
}

/// A Unix domain socket, which may not be there yet; its folder must be.
pub(super) fn socket(text: &str) -> Result<PathBuf, String> {
    let path = file_in_folder(text)?;
    if control::is_too_long(&path) {
        return Err(format!(
            "is longer than the {} bytes that the system takes for a socket",
            control::SOCKET_PATH_BYTES_MAX
        ));
    }
    Ok(path)
}

/// A path whose folder is there.
fn file_in_folder(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_dir() {
        return Err("is a folder, not a file".to_owned());
    }
    let folder = match path.parent() {
        Some(parent) if *parent != *Path::new("") => parent,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(format!(
            "cannot be written: there is no folder {}",
            folder.display()
        ));
    }
    Ok(path)
}

/// A duration as people write it, such as `2h` or `1m 30s`; nothing for 0.
pub(super) fn limit(text: &str) -> Result<Option<Duration>, String> {
    let duration = humantime::parse_duration(text.trim())
        .map_err(|error| format!("is not a duration such as `90s` or `2h`: {error}"))?;
    // Times are nanoseconds in an i64.
    if duration.as_nanos() > i64::MAX as u128 {
        return Err("is longer than 292 years".to_owned());
    }
    Ok((!duration.is_zero()).then_some(duration))
}

/// A duration from 0 to `max`.
pub(super) fn delay(text: &str, max: Duration) -> Result<Duration, String> {
    match humantime::parse_duration(text.trim()) {
        Ok(delay) if delay <= max => Ok(delay),
        Ok(_) => Err(format!(
            "is longer than {}",
            humantime::format_duration(max)
        )),
        Err(error) => Err(format!("is not a duration such as `5s` or `0`: {error}")),
    }
}

/// A duration of at least a second, or nothing for `off`.
pub(super) fn expiry(text: &str) -> Result<Option<Duration>, String> {
    if text.trim() == "off" {
        return Ok(None);
    }
    match limit(text)? {
        Some(after) if after >= Duration::from_secs(1) => Ok(Some(after)),
        _ => Err("is less than 1s; `off` keeps records for ever".to_owned()),
    }
}

/// A duration of at least a millisecond and at most `max`.
pub(super) fn wait(text: &str, max: Duration) -> Result<Duration, String> {
    let least = Duration::from_millis(1);
    match humantime::parse_duration(text.trim()) {
        Ok(wait) if (least..=max).contains(&wait) => Ok(wait),
        Ok(_) => Err(format!(
            "is not from 1ms to {}",
            humantime::format_duration(max)
        )),
        Err(error) => Err(format!(
            "is not a duration such as `800ms` or `2s`: {error}"
        )),
    }
}

/// A whole number from 1 to `max`.
pub(super) fn count(text: &str, max: usize) -> Result<usize, String> {
    let number = text.trim().parse().ok();
    let number = number.filter(|number| (1..=max).contains(number));
    number.ok_or_else(|| format!("is not a whole number from 1 to {max}"))
}

/// A value, or nothing for `off`.
pub(super) fn off_or<T>(
    text: &str,
    check: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    if text.trim() == "off" {
        return Ok(None);
    }
    check(text)
        .map(Some)
        .map_err(|reason| format!("is not `off` and {reason}"))
}

/// Yes or no.
pub(super) fn switch(text: &str) -> Result<bool, &'static str> {
    match text {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("is neither `true` nor `false`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        assert_eq!(limit("2h"), Ok(Some(Duration::from_secs(7_200))));
        assert_eq!(limit("1m 30s"), Ok(Some(Duration::from_secs(90))));
        assert_eq!(limit("0"), Ok(None));
        assert_eq!(limit("0s"), Ok(None));
        assert!(limit("293years").unwrap_err().contains("292 years"));
        for text in ["", "2", "-1h", "two hours", "99999999999999999999y"] {
            assert!(limit(text).is_err(), "{text}");
        }
    }

    #[test]
    fn expiries() {
        assert_eq!(expiry("30days"), Ok(Some(Duration::from_secs(2_592_000))));
        assert_eq!(expiry("1s"), Ok(Some(Duration::from_secs(1))));
        assert_eq!(expiry("off"), Ok(None));
        for text in ["0", "0s", "999ms"] {
            assert!(expiry(text).unwrap_err().contains("less than 1s"), "{text}");
        }
        assert!(expiry("soon").unwrap_err().contains("is not a duration"));
    }

    #[test]
    fn waits_and_counts() {
        let max = Duration::from_secs(25);
        assert_eq!(wait("800ms", max), Ok(Duration::from_millis(800)));
        assert_eq!(wait("26s", max), Err("is not from 1ms to 25s".to_owned()));
        assert_eq!(delay("0", max), Ok(Duration::ZERO));
        assert_eq!(delay("26s", max), Err("is longer than 25s".to_owned()));
        assert!(delay("5", max).is_err());
        assert!(wait("0s", max).is_err() && wait("1", max).is_err());
        assert_eq!((count("1", 9), count("9", 9)), (Ok(1), Ok(9)));
        assert!(count("0", 9).is_err() && count("10", 9).is_err() && count("-1", 9).is_err());
    }

    #[test]
    fn sockets_have_short_paths() {
        let folder = tempfile::tempdir().unwrap();
        let start = format!("{}/", folder.path().display());
        let fits = start.clone() + &"s".repeat(control::SOCKET_PATH_BYTES_MAX - start.len());
        assert_eq!(socket(&fits), Ok(PathBuf::from(&fits)));
        assert_eq!(
            socket(&(fits + "s")),
            Err("is longer than the 107 bytes that the system takes for a socket".to_owned())
        );
        assert_eq!(socket(&start), Err("is a folder, not a file".to_owned()));
        assert!(socket("/nonexistent/s").unwrap_err().contains("no folder"));
    }

    #[test]
    fn ports_addresses_and_switches() {
        assert_eq!(port("65535"), Ok(65_535));
        assert!(port("0").is_err() && port("65536").is_err() && port("x").is_err());
        assert!(listen_address("[::]:0").is_ok());
        assert_eq!(listen_address_or_off("off"), Ok(None));
        assert!(matches!(listen_address_or_off("[::1]:1"), Ok(Some(_))));
        assert!(listen_address_or_off("of").is_err());
        assert!(listen_address("localhost:1").is_err() && listen_address(":1").is_err());
        assert_eq!((switch("yes"), switch("0")), (Ok(true), Ok(false)));
        assert!(switch("maybe").is_err());
    }
}
