//! The macro behind an entry of the table.

/// In which ways a setting can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ways {
    /// By a flag, by a variable, and in the configuration file where the command reads one.
    Every,
    /// By a flag and by a variable. The text says why not in the file: it follows the name.
    NotInFile(&'static str),
    /// By a variable only. The text follows the name, and has the advice for a user who puts it into the file.
    VariableOnly(&'static str),
}

/// An entry as text: all that flags, help and documents need.
pub(super) struct Described {
    pub(super) unit: String,
    pub(super) range: String,
    pub(super) default: String,
    pub(super) is_switch: bool,
    pub(super) is_list: bool,
}

/// Makes the enum of all settings, the properties of each, and the struct of their values.
///
/// An entry is
///
/// ```text
/// Variant field: Type, KIND, default VALUE, for [Command, ...], "text", "more text";
/// ```
///
/// `field` is the key in a configuration file too; flag and variable follow from it. `KIND` is a
/// [`Kind`](super::Kind) whose value is `Type`. In place of `default VALUE`, `otherwise WORDS` says in words how the
/// program chooses; the field is then an `Option`. `only WAYS` limits the ways in which it can be given, and
/// `Command: "text"` is the text for one command where it differs.
macro_rules! settings {
    ($($group:ident {$(
        $variant:ident $field:ident: $value:ty, $kind:expr,
            $(default $default:expr,)? $(otherwise $otherwise:expr,)? $(only $ways:expr,)?
            for [$($command:ident $(: $own_text:literal)?),+], $text:literal $(, $more:literal)?;
    )+})+) => {
        /// One thing that a user can set, by the name of its entry in the table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Setting {
            $($(
                #[doc = $text]
                $variant,
            )+)+
        }

        impl Setting {
            /// All settings, in the order of the table.
            pub const ALL: &'static [Setting] = &[$($(Setting::$variant),+),+];

            /// The name in a configuration file, such as `max_clock_skew`.
            #[must_use]
            pub fn key(self) -> &'static str {
                match self {
                    $($(Setting::$variant => stringify!($field),)+)+
                }
            }

            /// Its group.
            #[must_use]
            pub fn group(self) -> Group {
                match self {
                    $($(Setting::$variant)|+ => Group::$group,)+
                }
            }

            /// The commands that take it.
            #[must_use]
            pub fn commands(self) -> &'static [Command] {
                match self {
                    $($(Setting::$variant => &[$(Command::$command),+],)+)+
                }
            }

            /// Its effect, for all commands or for one of them.
            #[must_use]
            pub fn text(self, command: Command) -> &'static str {
                match (self, command) {
                    $($($($((Setting::$variant, Command::$command) => $own_text,)?)+)+)+
                    $($((Setting::$variant, _) => $text,)+)+
                }
            }

            /// Further information; empty for most. Links are those of a document in `docs/`.
            #[must_use]
            pub fn more(self) -> &'static str {
                match self {
                    $($(Setting::$variant => concat!($($more)?),)+)+
                }
            }

            /// In which ways it can be given.
            #[must_use]
            pub fn ways(self) -> Ways {
                match self {
                    $($(Setting::$variant => either!([$($ways)?] Ways::Every),)+)+
                }
            }

            pub(super) fn described(self) -> Described {
                match self {
                    $($(Setting::$variant => {
                        let kind = $kind;
                        Described {
                            unit: kind.unit(),
                            range: kind.range(),
                            default: default_text!(kind $(, default $default)? $(, otherwise $otherwise)?),
                            is_switch: kind.is_switch(),
                            is_list: kind.is_list(),
                        }
                    })+)+
                }
            }
        }

        /// The values of all settings. Those that the command does not take are their defaults.
        #[derive(Clone, Debug)]
        pub struct Values {
            $($(
                #[doc = $text]
                pub $field: field_type!($value $(, default $default)?),
            )+)+
        }

        impl Values {
            /// The values that were given, else the defaults. A wrong value is a mistake, and replaced by its default.
            pub fn resolve(resolver: &mut Resolver<'_>) -> Self {
                Values {
                    $($(
                        $field: resolved!(resolver, Setting::$variant, $kind
                            $(, default $default)? $(, otherwise $otherwise)?),
                    )+)+
                }
            }
        }

        impl Default for Values {
            fn default() -> Self {
                Values {
                    $($($field: either!([$($default)?] None),)+)+
                }
            }
        }
    };
}

/// The first, if it is there.
macro_rules! either {
    ([$first:expr] $second:expr) => {
        $first
    };
    ([] $second:expr) => {
        $second
    };
}

macro_rules! field_type {
    ($value:ty, default $default:expr) => {
        $value
    };
    ($value:ty) => {
        Option<$value>
    };
}

macro_rules! default_text {
    ($kind:ident, default $default:expr) => {
        format!("`{}`", $kind.show(&$default))
    };
    ($kind:ident, otherwise $otherwise:expr) => {
        String::from($otherwise)
    };
}

macro_rules! resolved {
    ($resolver:ident, $setting:expr, $kind:expr, default $default:expr) => {
        $resolver.value($setting, &$kind, $default)
    };
    ($resolver:ident, $setting:expr, $kind:expr, otherwise $otherwise:expr) => {
        $resolver.value_if_given($setting, &$kind, || String::from($otherwise))
    };
}

pub(super) use {default_text, either, field_type, resolved, settings};
