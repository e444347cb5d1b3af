//! One series of a server's `/metrics`.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::patience::within;

/// The value of `series`, a name with its labels as `/metrics` at `http` writes it.
///
/// # Panics
/// If the server does not answer, or has no such series.
pub async fn series(http: SocketAddr, series: &str) -> f64 {
    match find_series(http, series).await {
        Some(value) => value,
        None => panic!("{http} has no series {series}"),
    }
}

/// The same, or `None` if the server has no such series; a server that reads its store has not all of them yet.
///
/// # Panics
/// If the server does not answer.
pub async fn find_series(http: SocketAddr, series: &str) -> Option<f64> {
    let text = match within("metrics", scrape(http)).await {
        Ok(text) => text,
        Err(error) => panic!("{http} gives no metrics: {error}"),
    };
    let mut lines = text.lines().map(without_cluster);
    lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

/// A line of `/metrics` without the label that every figure has: the name of the herd.
#[must_use]
pub fn without_cluster(line: &str) -> String {
    let (Some((before, rest)), false) = (line.split_once("{cluster=\""), line.starts_with('#'))
    else {
        return line.to_owned();
    };
    let Some((_, labels)) = rest.split_once('"') else {
        return line.to_owned();
    };
    match labels.strip_prefix(',') {
        Some(labels) => format!("{before}{{{labels}"),
        None => format!("{before}{}", labels.strip_prefix('}').unwrap_or(labels)),
    }
}

async fn scrape(http: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(http).await?;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}
