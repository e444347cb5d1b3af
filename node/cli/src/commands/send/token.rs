//! Showing the server a token before anything else.

use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use herd_files::{byte_order_mark, own_file};
use herd_protocol::ACCEPTED_LINE;
use herd_server::access::{AUTH_WORD, InvalidToken, Token};
use herd_server::settings::{Given, Mistake, Resolver, Setting};

/// How long the server may take to say whether it knows the token.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// The longest line that is read for that, in bytes: a server without tokens sends the line back.
const ANSWER_BYTES_MAX: usize = 1_024;

/// The largest file with a token, in bytes.
const FILE_BYTES_MAX: usize = 4 * 1_024;

/// Why no token was shown, or why it did not help. The token is in none of it.
#[derive(Debug, thiserror::Error)]
pub(in crate::commands) enum TokenError {
    #[error("cannot read the token file: {0}")]
    File(io::Error),
    #[error("the token cannot be used: {0}")]
    Invalid(#[from] InvalidToken),
    #[error("the connection broke before the token was answered: {0}")]
    Connection(#[from] io::Error),
    #[error("the server did not answer the token within {} s", ANSWER_MAX.as_secs())]
    Silent,
    #[error("the server does not know the token, or asks for none")]
    Refused,
}

/// The token to show, if there is one: of a file or of a variable. A mistake in it is added to those of `resolver`.
pub(in crate::commands) fn chosen(resolver: &mut Resolver<'_>) -> Option<Token> {
    let settings = [Setting::TokenFile, Setting::Token];
    let (setting, given) = resolver.first_of(settings)?;
    let Given { text, origin } = given;
    let token = match setting {
        Setting::TokenFile => read(Path::new(&text)),
        _ => Token::new(&text).map_err(TokenError::from),
    };
    match token {
        Ok(token) => Some(token),
        Err(error) => {
            let reason = error.to_string();
            resolver.mistake(Mistake::Untold { origin, reason });
            None
        }
    }
}

fn read(path: &Path) -> Result<Token, TokenError> {
    let bytes = own_file::read_once(path, FILE_BYTES_MAX).map_err(TokenError::File)?;
    let mut text = String::new();
    let mut read = byte_order_mark::skip_in(&*bytes).map_err(TokenError::File)?;
    read.read_to_string(&mut text).map_err(TokenError::File)?;
    Ok(Token::new(&text)?)
}

/// Shows a token, and reads the answer up to its LF and no further.
///
/// # Errors
/// If it did not help.
pub(in crate::commands) async fn show<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    token: &Token,
) -> Result<(), TokenError> {
    let mut line = AUTH_WORD.to_vec();
    line.push(b' ');
    line.extend_from_slice(token.reveal().as_bytes());
    line.push(b'\n');
    let answer = timeout(ANSWER_MAX, async {
        stream.write_all(&line).await?;
        let mut answer = Vec::new();
        while answer.len() < ANSWER_BYTES_MAX {
            match stream.read_u8().await? {
                b'\n' => break,
                byte => answer.push(byte),
            }
        }
        Ok::<_, io::Error>(answer)
    });
    match answer.await {
        Ok(Ok(answer)) if answer == ACCEPTED_LINE => Ok(()),
        Ok(Ok(_)) => Err(TokenError::Refused),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(TokenError::Silent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use herd_server::settings::{Command, Environment, Flags};

    async fn answered(answer: &[u8]) -> Result<(), TokenError> {
        let token = Token::random();
        let (mut ours, mut theirs) = tokio::io::duplex(4 * 1_024);
        theirs.write_all(answer).await.unwrap();
        let shown = show(&mut ours, &token).await;
        let mut line = vec![0; token.reveal().len() + 6];
        theirs.read_exact(&mut line).await.unwrap();
        assert_eq!(line, format!("AUTH {}\n", token.reveal()).as_bytes());
        shown
    }

    #[tokio::test]
    async fn the_answer_decides() {
        assert!(answered(b"OK\nAT").await.is_ok());
        for refusal in [&b"? AUTH\n"[..], b"? AUTH herd_x\n", b"\n", &[b'O'; 2_000]] {
            assert!(matches!(answered(refusal).await, Err(TokenError::Refused)));
        }
    }

    /// The token of a flag and of variables.
    fn chosen_of(file: Option<&Path>, variables: &[(&str, &str)]) -> Result<Option<Token>, String> {
        let flag = file.map(|path| path.to_str().unwrap().to_owned());
        let flags = Flags::new([(Setting::TokenFile, flag)]);
        let variables = variables
            .iter()
            .map(|&(name, value)| (name.into(), value.into()));
        let environment = Environment::new(variables);
        let mut resolver = Resolver::new(Command::Send, &flags, &environment);
        let token = chosen(&mut resolver);
        resolver
            .finish(Some(token))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_flag_wins_over_the_variables() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let (one, other) = (Token::random(), Token::random());
        std::fs::write(&path, format!("{}\n", one.reveal())).unwrap();
        let of_file = [("HERD_TOKEN_FILE", path.to_str().unwrap())];
        let of_variable = [("HERD_TOKEN", other.reveal())];
        assert_eq!(chosen_of(Some(&path), &of_variable), Ok(Some(one.clone())));
        assert_eq!(chosen_of(None, &of_variable), Ok(Some(other)));
        assert_eq!(chosen_of(None, &of_file), Ok(Some(one)));
        assert_eq!(chosen_of(None, &[]), Ok(None));
        let short = chosen_of(None, &[("HERD_TOKEN", "shrt")]).unwrap_err();
        assert!(
            short.contains("HERD_TOKEN: the token cannot be used"),
            "{short}"
        );
        assert!(!short.contains("shrt"), "{short}");
        let no_file = chosen_of(Some(folder.path()), &[]).unwrap_err();
        assert!(no_file.contains("--token-file: cannot read"), "{no_file}");
    }
}
