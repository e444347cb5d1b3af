//! The commands that take settings.

/// A command that takes settings, or several that take the same ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `herd serve` and `herd check-config`.
    Serve,
    /// `herd local`.
    Local,
    /// `herd send`, `herd near` and `herd watch`.
    Send,
    /// `herd dump` and `herd load`.
    Dump,
    /// `herd status` and `herd top`.
    Status,
    /// `herd bench`, `herd bench nearby` and `herd bench convergence`.
    Bench,
    /// `herd places info`.
    PlacesInfo,
}

impl Command {
    /// All of them.
    pub const ALL: [Command; 7] = [
        Command::Serve,
        Command::Local,
        Command::Send,
        Command::Dump,
        Command::Status,
        Command::Bench,
        Command::PlacesInfo,
    ];

    /// The words behind `herd`, one text for each command of this kind.
    #[must_use]
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Command::Serve => &["serve", "check-config"],
            Command::Local => &["local"],
            Command::Send => &["send", "near", "watch", "forget"],
            Command::Dump => &["dump", "load"],
            Command::Status => &["status", "top"],
            Command::Bench => &["bench", "bench nearby", "bench convergence"],
            Command::PlacesInfo => &["places info"],
        }
    }
}
