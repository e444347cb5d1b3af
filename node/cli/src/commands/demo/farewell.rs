//! The command that removes the vans, as the person who started `herd demo` would type it. Pure.

use crate::local::shell::command_line;

/// Options of `herd demo` that `herd forget` does not have, or has with one server only. All of them have a value.
const OWN: [&str; 3] = ["--vans", "--interval", "--to"];

/// `herd forget` at `server` with the options for tokens and TLS among the words of this process.
pub(super) fn forget_command(words: impl Iterator<Item = String>, server: &str) -> String {
    let mut words = words.peekable();
    let program = words.next().unwrap_or_else(|| "herd".to_owned());
    let mut command = vec![
        program,
        "forget".to_owned(),
        "--yes".to_owned(),
        "--to".to_owned(),
        server.to_owned(),
    ];
    // The name of the command.
    words.next();
    while let Some(word) = words.next() {
        if OWN.contains(&&*word) {
            words.next();
        } else if !OWN.iter().any(|own| is_with_value(&word, own)) {
            command.push(word);
        }
    }
    command_line(command.iter().map(String::as_str))
}

fn is_with_value(word: &str, option: &str) -> bool {
    let rest = word.strip_prefix(option);
    rest.is_some_and(|rest| rest.starts_with('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_for_the_way_to_the_server_are_repeated() {
        let words = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            forget_command(words.into_iter(), "h:1")
        };
        assert_eq!(words("herd demo"), "herd forget --yes --to h:1");
        assert_eq!(
            words(
                "./target/release/herd demo --vans 3 --to=h:1,i:1 --token-file t --interval=1s --tls"
            ),
            "./target/release/herd forget --yes --to h:1 --token-file t --tls"
        );
        assert_eq!(
            words("herd demo --to h:1,i:1 --token-file=a&b --vans=3"),
            "herd forget --yes --to h:1 '--token-file=a&b'"
        );
    }
}
