//! How `herd` ends. The numbers follow sysexits.h where it has one that fits.

/// All went well, or the process was told to stop and did.
pub const OK: u8 = 0;
/// Wrong arguments or settings; nothing was started.
pub const USAGE: u8 = 64;
/// Some of the input was invalid; the rest was taken in.
pub const DATA: u8 = 65;
/// A port, or a folder that one process at a time may use, is taken; nothing was started.
pub const UNAVAILABLE: u8 = 69;
/// A part of the program failed: a defect, or for `herd local` that no server is left or one did not
/// stop when told to.
pub const INTERNAL: u8 = 70;
/// The system allows too little, such as too few open files; nothing was started.
pub const SYSTEM: u8 = 71;
/// A file or folder could not be written.
pub const IO: u8 = 74;
/// Records were taken in, but not made as safe as was asked for; trying again does no harm.
pub const UNCONFIRMED: u8 = 75;
/// A newer process of the same server name has joined the herd, and this one gave way to it.
pub const SUPERSEDED: u8 = 76;
/// The data folder belongs to another server or herd, or to a newer version; nothing was changed.
pub const DATA_FOLDER: u8 = 78;
/// Told to stop a second time while stopping: ended without finishing.
pub const INTERRUPTED: u8 = 130;
