//! The commands that take settings.

/// A command that takes settings, or several that take the same ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `herd serve` and `herd check-config`.
    Serve,
    /// `herd local`.
    Local,
    /// `herd send`, `herd near`, `herd watch`, `herd forget` and `herd demo`.
    Send,
    /// `herd dump` and `herd load`.
    Dump,
    /// `herd stop` and `herd start`.
    Order,
    /// `herd status` and `herd top`.
    Status,
    /// `herd bench`, `herd bench nearby` and `herd bench convergence`.
    Bench,
    /// `herd places info`.
    PlacesInfo,
}

impl Command {
    /// All of them.
    pub const ALL: [Command; 8] = [
        Command::Serve,
        Command::Local,
        Command::Send,
        Command::Dump,
        Command::Order,
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
            Command::Send => &["send", "near", "watch", "forget", "demo"],
            Command::Dump => &["dump", "load"],
            Command::Order => &["stop", "start"],
            Command::Status => &["status", "top"],
            Command::Bench => &["bench", "bench nearby", "bench convergence"],
            Command::PlacesInfo => &["places info"],
        }
    }
}
