//! A program in Python that runs beside a test.

use std::path::Path;
use std::process::Stdio;

use herd_integration_tests::within;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A program with the lines that it prints. It ends when this is dropped.
pub(crate) struct Running {
    _child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    pub(crate) fn start(file: impl AsRef<Path>, arguments: &[&str]) -> Self {
        let mut command = Command::new("python3");
        // No compiled files beside the examples.
        command.arg("-B").arg(file.as_ref()).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let input = child.stdin.take().unwrap();
        Running {
            _child: child,
            input,
            lines,
        }
    }

    /// The next line.
    pub(crate) async fn line(&mut self) -> String {
        let line = within("a line of a program", self.lines.next_line());
        let line = line.await.unwrap();
        line.unwrap_or_else(|| panic!("the program has ended: its errors are above"))
    }

    /// Writes to its input.
    pub(crate) async fn say(&mut self, text: &str) {
        self.input.write_all(text.as_bytes()).await.unwrap();
    }
}
