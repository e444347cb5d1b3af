//! The applied versions of a neighbour and its clock, behind the kind of its frame.

/// The kind of a report, which is never reused.
const KIND: u8 = 4;

pub(super) fn run(content: &[u8]) {
    super::frames::run(&[&[KIND], content].concat());
}
