//! Files: how the program opens and keeps its own, and how it reads texts that people wrote.
//!
//! Nothing here waits for anything but the disk, follows a symbolic link to a file that it writes, or reads more bytes
//! than it was told to. Begin with [`own_file`]; [`byte_order_mark`] passes over the mark that editors put before a
//! text.

#![forbid(unsafe_code)]

pub mod byte_order_mark;
pub mod own_file;
