//! Reading a topology from a file.

use std::fmt;
use std::io;
use std::path::Path;

use super::parse::TOPOLOGY_BYTES_MAX;
use super::{Topology, TopologyError, TopologyProblem, parse};
use herd_files::{byte_order_mark, own_file};

/// Why a file is no topology.
#[derive(Debug, thiserror::Error)]
pub enum TopologyFileError {
    /// It cannot be read.
    #[error("cannot read it: {0}")]
    Io(#[from] io::Error),
    /// It was read, and holds these mistakes.
    #[error("{}", ErrorLines(.0))]
    Invalid(Vec<TopologyError>),
}

struct ErrorLines<'a>(&'a [TopologyError]);

impl fmt::Display for ErrorLines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

/// Reads and checks the topology in `path`.
///
/// # Errors
/// The file cannot be read, or every mistake in it.
pub fn read(path: &Path) -> Result<Topology, TopologyFileError> {
    // One byte more than allowed at most, so that `parse` sees that there was more.
    let bytes = own_file::read_once(path, TOPOLOGY_BYTES_MAX)?;
    let bytes = byte_order_mark::skip(&bytes).map_err(|_| at_line(1, TopologyProblem::Utf16))?;
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // The limit may have cut a character in two.
        Err(_) if bytes.len() > TOPOLOGY_BYTES_MAX => {
            return Err(at_line(1, TopologyProblem::TooLarge));
        }
        Err(error) => {
            let valid = bytes.iter().take(error.valid_up_to());
            let line = 1 + valid.filter(|&&byte| byte == b'\n').count();
            return Err(at_line(line, TopologyProblem::NotText));
        }
    };
    parse(text).map_err(TopologyFileError::Invalid)
}

fn at_line(line: usize, problem: TopologyProblem) -> TopologyFileError {
    TopologyFileError::Invalid(vec![TopologyError { line, problem }])
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read_bytes(bytes: &[u8]) -> Result<Topology, TopologyFileError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        read(file.path())
    }

    #[test]
    fn bytes_that_are_not_text_are_reported_with_their_line() {
        let error = read_bytes(b"cluster herd\n# caf\xe9\n").unwrap_err();
        assert_eq!(error.to_string(), "line 2: not UTF-8 text");
    }

    #[test]
    fn a_byte_order_mark_is_passed_over_and_utf_16_is_named() {
        let text = super::super::builtin(super::super::PortBases::default()).to_string();
        let marked = format!("\u{feff}{text}");
        assert_eq!(read_bytes(marked.as_bytes()).unwrap().to_string(), text);
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in [wide.clone(), [&[0xff, 0xfe], &wide[..]].concat()] {
            let error = read_bytes(&bytes).unwrap_err();
            assert_eq!(error.to_string(), "line 1: UTF-16 text; save it as UTF-8");
        }
    }

    #[test]
    fn a_file_larger_than_the_limit_is_not_read_to_its_end() {
        let mut bytes = vec![b' '; TOPOLOGY_BYTES_MAX];
        bytes.extend_from_slice("\u{e9}\u{e9}".as_bytes());
        let error = read_bytes(&bytes).unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 1: the topology is larger than 1048576 bytes"
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_an_io_error() {
        let error = read(Path::new("/nonexistent/topology")).unwrap_err();
        assert!(matches!(error, TopologyFileError::Io(_)), "{error}");
    }

    #[test]
    fn a_valid_file_is_read() {
        let text = super::super::builtin(super::super::PortBases::default()).to_string();
        assert_eq!(read_bytes(text.as_bytes()).unwrap().to_string(), text);
    }
}
