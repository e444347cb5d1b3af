//! The end of an incarnation, as others know that it has to come.

/// What others say of this server's incarnation: it has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncarnationVerdict {
    /// A neighbour remembers this generation of our name; ours has to be greater.
    MustExceed(u64),
    /// A live process of our name has this greater generation.
    Superseded(u64),
    /// A neighbour claims more of our incarnation, which has this generation, than it has published: somebody has made
    /// that up. Whoever believes it hears nothing more of this incarnation.
    Overstated(u64),
}

impl IncarnationVerdict {
    /// The generation that ours has to exceed.
    #[must_use]
    pub fn known(self) -> u64 {
        match self {
            IncarnationVerdict::MustExceed(known)
            | IncarnationVerdict::Superseded(known)
            | IncarnationVerdict::Overstated(known) => known,
        }
    }
}
