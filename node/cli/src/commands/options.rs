//! The flags of the settings, made from the table of settings. They stay texts here: the settings check them together
//! with the file and the variables.

use std::marker::PhantomData;

use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches};

use herd_server::settings::{Command, Flags, Group, Setting};

/// A command as a type, for [`SettingFlags`].
pub(super) trait OfCommand {
    /// The command.
    const COMMAND: Command;
    /// Flags of which only one can be given.
    const ONE_OF: Option<[Setting; 2]> = None;
}

macro_rules! of_command {
    ($($command:ident $($one_of:expr)?;)+) => {$(
        #[doc = concat!("[`Command::", stringify!($command), "`].")]
        #[derive(Clone, Copy, Debug)]
        pub(super) enum $command {}

        impl OfCommand for $command {
            const COMMAND: Command = Command::$command;
            $(const ONE_OF: Option<[Setting; 2]> = Some($one_of);)?
        }
    )+};
}

of_command! {
    Serve;
    Local;
    Send;
    Dump [Setting::ControlSocket, Setting::DataDir];
    Order;
    Status;
    Bench;
    PlacesInfo;
}

/// The flags of all settings that a command takes.
#[derive(Clone, Debug)]
pub(super) struct SettingFlags<C> {
    flags: Flags,
    of: PhantomData<C>,
}

impl<C: OfCommand> SettingFlags<C> {
    /// The flags that were given.
    pub(super) fn given(&self) -> &Flags {
        &self.flags
    }
}

impl<C: OfCommand> From<Flags> for SettingFlags<C> {
    fn from(flags: Flags) -> Self {
        let of = PhantomData;
        SettingFlags { flags, of }
    }
}

impl<C: OfCommand> Args for SettingFlags<C> {
    fn augment_args(command: clap::Command) -> clap::Command {
        let settings = Setting::of(C::COMMAND).filter(|setting| setting.has_flag());
        let command = command.args(settings.map(|setting| argument(setting, C::COMMAND)));
        match C::ONE_OF {
            Some([one, other]) => {
                command.mut_arg(one.key(), |argument| argument.conflicts_with(other.key()))
            }
            None => command,
        }
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl<C: OfCommand> FromArgMatches for SettingFlags<C> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let settings = Setting::of(C::COMMAND).filter(|setting| setting.has_flag());
        let given = settings.map(|setting| {
            let texts = matches.get_many::<String>(setting.key());
            let texts = texts.map(|texts| texts.cloned().collect::<Vec<_>>());
            (setting, texts.map(|texts| texts.join(",")))
        });
        Ok(Flags::new(given).into())
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The flag of a setting, with its help.
fn argument(setting: Setting, command: Command) -> Arg {
    let default = setting.default_text().replace('`', "");
    let text = format!("{} [default: {default}]", setting.text(command));
    let range = setting.range().replace('`', "");
    let range = Some(range).filter(|range| !range.is_empty());
    let more = Some(without_links(setting.more())).filter(|more| !more.is_empty());
    let parts = [
        Some(text.clone()),
        range.map(|range| format!("Values: {range}.")),
        more,
    ];
    let long: Vec<String> = parts.into_iter().flatten().collect();
    let argument = Arg::new(setting.key())
        .long(setting.key().replace('_', "-"))
        .value_name(setting.unit())
        .help(text)
        .long_help(long.join("\n\n"))
        .action(if setting.is_list() {
            ArgAction::Append
        } else {
            ArgAction::Set
        });
    let argument = match setting.group() {
        Group::Server | Group::Client => argument,
        group => argument.help_heading(group.heading()),
    };
    if setting.is_switch() {
        let argument = argument.num_args(0..=1).require_equals(true);
        argument.default_missing_value("true")
    } else {
        argument
    }
}

/// A text of a document for a terminal: `[text](target.md)` is `text (docs/target.md)`. Emphasis goes.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        plain.push_str(before);
        let link = after.split_once("](");
        let link = link.and_then(|(shown, behind)| {
            let (target, behind) = behind.split_once(')')?;
            Some((shown, target, behind))
        });
        match link {
            Some((shown, target, behind)) => {
                plain.push_str(shown);
                let file = target.split('#').next().unwrap_or(target);
                let file = match file.strip_prefix("../") {
                    Some(elsewhere) => elsewhere.to_owned(),
                    None => format!("docs/{file}"),
                };
                plain.push_str(&format!(" ({file})"));
                rest = behind;
            }
            None => {
                plain.push('[');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain.replace("**", "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use herd_server::settings::Source as _;

    /// The text that the flag of a setting gives where `argument` is typed.
    fn parsed<C: OfCommand>(setting: Setting, argument: &str) -> Option<String> {
        let command = SettingFlags::<C>::augment_args(clap::Command::new("herd"));
        let matches = command.try_get_matches_from(["herd", argument]);
        let flags = SettingFlags::<C>::from_arg_matches(&matches.unwrap()).unwrap();
        flags.given().get(setting).map(|given| given.text)
    }

    fn assert_flags_of<C: OfCommand>() {
        for setting in Setting::of(C::COMMAND).filter(|setting| setting.has_flag()) {
            let flag = setting.flag();
            let typed = parsed::<C>(setting, &format!("{flag}=text"));
            assert_eq!(typed.as_deref(), Some("text"), "{flag}");
            if setting.is_switch() {
                assert_eq!(parsed::<C>(setting, &flag).as_deref(), Some("true"));
            }
        }
    }

    #[test]
    fn every_flag_gives_its_setting() {
        assert_flags_of::<Serve>();
        assert_flags_of::<Local>();
        assert_flags_of::<Send>();
        assert_flags_of::<Dump>();
        assert_flags_of::<Status>();
        assert_flags_of::<Bench>();
        assert_flags_of::<PlacesInfo>();
    }

    #[test]
    fn links_are_for_documents_only() {
        assert_eq!(
            without_links("**See** [a](b.md) and [c](d#e), [no link] here"),
            "See a (docs/b.md) and c (docs/d), [no link] here"
        );
    }
}
