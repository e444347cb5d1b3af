//! A reader that stops when one row or feature takes too many bytes.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// Fails when more bytes are asked for than were granted.
pub(super) struct BoundedRead<R> {
    input: R,
    bytes_left: Rc<Cell<usize>>,
}

/// Grants bytes to its reader.
#[derive(Clone)]
pub(super) struct Allowance(Rc<Cell<usize>>);

impl Allowance {
    /// So many bytes may be read from now on.
    pub(super) fn grant(&self, bytes: usize) {
        self.0.set(bytes);
    }

    /// Whether none are left.
    pub(super) fn is_spent(&self) -> bool {
        self.0.get() == 0
    }
}

impl<R> BoundedRead<R> {
    /// A reader with a limit of bytes, and the handle that raises the limit.
    pub(super) fn new(input: R, bytes: usize) -> (Self, Allowance) {
        let bytes_left = Rc::new(Cell::new(bytes));
        let allowance = Allowance(Rc::clone(&bytes_left));
        (BoundedRead { input, bytes_left }, allowance)
    }
}

impl<R: Read> Read for BoundedRead<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.bytes_left.get();
        if left == 0 {
            return Err(io::Error::other("too long"));
        }
        let most = buffer.len().min(left);
        let count = self
            .input
            .read(buffer.get_mut(..most).unwrap_or_default())?;
        self.bytes_left.set(left - count.min(left));
        Ok(count)
    }
}
