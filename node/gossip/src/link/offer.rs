//! Which link protocol two servers speak with each other: what each of them offers, and what they agree on. Pure.
//!
//! A **version** says what the frames of a link mean: both sides speak the newest one that both know. A **feature** is
//! one thing more that a server can do: it is used only where both sides name it, and a feature that one side does not
//! know is ignored. docs/link-protocol.md has the table of both, and the rules for whoever adds one.

use std::fmt;

/// The only version of servers whose hello says no range. Their links are as they were before versions had ranges.
pub const FORMER_VERSION: u16 = 1;

/// The newest version that this program speaks. Since version 2 a hello says ranges, bytes behind a message are
/// ignored, and frames of unknown kinds from [`super::frame::SKIPPABLE_FROM`] on are skipped.
pub const NEWEST_VERSION: u16 = 2;

/// How the bytes of a hello are arranged. It is the first of them, so that any program can read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Layout {
    /// The layout of servers that speak [`FORMER_VERSION`] alone. A server that gets such a hello answers in the same
    /// bytes as those servers, with nothing behind them.
    Former = 1,
    /// With a range of versions and features. Later programs add bytes behind what stands in it.
    Ranged = 2,
}

impl Layout {
    /// The layout whose first byte this is.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        [Layout::Former, Layout::Ranged]
            .into_iter()
            .find(|layout| *layout as u8 == byte)
    }
}

/// Versions without a gap, from the oldest to the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionRange {
    oldest: u16,
    newest: u16,
}

impl VersionRange {
    /// From `oldest` to `newest`; nothing, if that is no range.
    #[must_use]
    pub const fn new(oldest: u16, newest: u16) -> Option<Self> {
        if oldest <= newest {
            Some(VersionRange { oldest, newest })
        } else {
            None
        }
    }

    /// The oldest of them.
    #[must_use]
    pub const fn oldest(self) -> u16 {
        self.oldest
    }

    /// The newest of them.
    #[must_use]
    pub const fn newest(self) -> u16 {
        self.newest
    }

    /// Whether a version is one of them.
    #[must_use]
    pub const fn contains(self, version: u16) -> bool {
        self.oldest <= version && version <= self.newest
    }

    /// The newest version of both.
    fn newest_common(self, other: VersionRange) -> Option<u16> {
        let newest = self.newest.min(other.newest);
        (newest >= self.oldest.max(other.oldest)).then_some(newest)
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.oldest == self.newest {
            true => write!(f, "{}", self.newest),
            false => write!(f, "{} to {}", self.oldest, self.newest),
        }
    }
}

/// A set of features, one a bit. Bits are never reused; none is taken yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features(u64);

impl Features {
    /// No feature.
    pub const NONE: Features = Features(0);

    /// The features of these bits, whether or not this program knows them.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Features(bits)
    }

    /// One bit for each feature.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// What a server can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The versions that it speaks.
    pub versions: VersionRange,
    /// What it can do besides.
    pub features: Features,
}

impl Offer {
    /// What a server can speak whose hello says nothing of it.
    pub const FORMER: Offer = Offer {
        versions: VersionRange {
            oldest: FORMER_VERSION,
            newest: FORMER_VERSION,
        },
        features: Features::NONE,
    };

    /// What this program can speak.
    pub const PRESENT: Offer = Offer {
        versions: VersionRange {
            oldest: FORMER_VERSION,
            newest: NEWEST_VERSION,
        },
        features: Features::NONE,
    };

    /// The layout in which a server with this offer asks first.
    #[must_use]
    pub fn layout(self) -> Layout {
        match self.versions.newest {
            ..=FORMER_VERSION => Layout::Former,
            _ => Layout::Ranged,
        }
    }

    /// What a hello of `layout` says of this offer; nothing, if a server with this offer does not speak to
    /// servers of that layout.
    #[must_use]
    pub fn within(self, layout: Layout) -> Option<Offer> {
        match layout {
            Layout::Former => self
                .versions
                .contains(FORMER_VERSION)
                .then_some(Offer::FORMER),
            Layout::Ranged => (self.layout() == Layout::Ranged).then_some(self),
        }
    }

    /// What two servers with these offers speak with each other; nothing, if they have no version in common. Both come to
    /// the same result, each by itself.
    #[must_use]
    pub fn agree(self, other: Offer) -> Option<Protocol> {
        Some(Protocol {
            version: self.versions.newest_common(other.versions)?,
            features: Features(self.features.0 & other.features.0),
        })
    }
}

/// What the two ends of a link have agreed to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// The newest version that both know.
    pub version: u16,
    /// The features that both have.
    pub features: Features,
}

/// Two servers that have no version of the link protocol in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoCommonVersion {
    /// Those that this server speaks.
    pub own: VersionRange,
    /// Those that the other one speaks; nothing, if its hello has a layout of a later program, in which they
    /// cannot be read.
    pub theirs: Option<VersionRange>,
}

impl fmt::Display for NoCommonVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NoCommonVersion { own, theirs } = self;
        match theirs {
            Some(theirs) => write!(f, "it speaks version {theirs} of the link protocol")?,
            None => f.write_str("it speaks later versions of the link protocol")?,
        }
        let older = match theirs {
            Some(theirs) if theirs.newest < own.oldest => "the other server",
            _ => "this server",
        };
        write!(
            f,
            ", and this server {own}: upgrade {older}, through a release that speaks a version of both"
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn offer(oldest: u16, newest: u16, features: u64) -> Offer {
        let versions = VersionRange::new(oldest, newest).unwrap();
        let features = Features(features);
        Offer { versions, features }
    }

    /// Ranges that often meet, and some that do not.
    fn any_offer() -> impl Strategy<Value = Offer> {
        (0..12_u16, 0..6_u16, any::<u64>())
            .prop_map(|(oldest, more, features)| offer(oldest, oldest + more, features))
    }

    proptest! {
        #[test]
        fn both_ends_agree_on_the_newest_common_version(a in any_offer(), b in any_offer()) {
            let agreed = a.agree(b);
            prop_assert_eq!(agreed, b.agree(a));
            let common = (0..20).rev().find(|&v| a.versions.contains(v) && b.versions.contains(v));
            prop_assert_eq!(agreed.map(|protocol| protocol.version), common);
        }

        #[test]
        fn a_feature_is_used_only_if_both_ends_have_it(a in any_offer(), b in any_offer(), bit in 0..64_u32) {
            prop_assume!(a.agree(b).is_some());
            let has = |features: Features| features.bits() & 1 << bit != 0;
            let used = a.agree(b).unwrap().features;
            prop_assert_eq!(has(used), has(a.features) && has(b.features));
        }

        /// In each layout, and for either asker, the hello and its answer lead to one result on both sides.
        #[test]
        fn asker_and_answerer_agree_in_every_layout(asker in any_offer(), answerer in any_offer()) {
            for layout in [Layout::Former, Layout::Ranged] {
                let (asked, answered) = (asker.within(layout), answerer.within(layout));
                let (Some(asked), Some(answered)) = (asked, answered) else { continue };
                prop_assert_eq!(asked.agree(answered), answered.agree(asked));
                if layout == Layout::Former {
                    prop_assert_eq!(asked.agree(answered), Offer::FORMER.agree(Offer::FORMER));
                }
            }
        }
    }

    #[test]
    fn this_program_still_speaks_with_the_former_one() {
        let former = Offer::PRESENT.within(Layout::Former).unwrap();
        assert_eq!(former.agree(Offer::FORMER).unwrap().version, 1);
        assert_eq!(Offer::PRESENT.agree(Offer::PRESENT).unwrap().version, 2);
        assert_eq!(Offer::PRESENT.layout(), Layout::Ranged);
    }

    #[test]
    fn a_server_answers_in_no_layout_that_it_does_not_speak() {
        assert_eq!(Offer::FORMER.layout(), Layout::Former);
        assert_eq!(Offer::FORMER.within(Layout::Ranged), None);
        let later = offer(2, 9, 0);
        assert_eq!(later.within(Layout::Former), None);
        assert_eq!(later.within(Layout::Ranged), Some(later));
    }

    #[test]
    fn who_is_to_be_upgraded_is_told() {
        let said = |own, theirs: Option<Offer>| {
            let theirs = theirs.map(|theirs| theirs.versions);
            NoCommonVersion { own, theirs }.to_string()
        };
        let own = Offer::PRESENT.versions;
        assert_eq!(
            said(own, Some(offer(4, 6, 0))),
            "it speaks version 4 to 6 of the link protocol, and this server 1 to 2: upgrade this server, through a \
             release that speaks a version of both"
        );
        let later = offer(4, 6, 0).versions;
        assert!(said(later, Some(offer(1, 2, 0))).contains("upgrade the other server"));
        assert!(said(own, None).contains("upgrade this server"));
    }
}
