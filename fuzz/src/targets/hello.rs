//! The first frame of a connection, behind its kind.

/// The kind of a hello, which is never reused.
const KIND: u8 = 1;

pub(super) fn run(content: &[u8]) {
    super::frames::run(&[&[KIND], content].concat());
}
