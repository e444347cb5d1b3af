//! The replies to FORGET.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

use herd_protocol::Fields;

/// The longest reply that is read, in bytes: room for the longest client ID.
const LINE_BYTES_MAX: u64 = 16 * 1024;

/// The reply to one command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// The client is forgotten: the line, with its LF.
    Gone(Vec<u8>),
    Refused,
}

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoReply {
    #[error("the connection broke before all replies were there: {0}")]
    Connection(#[from] io::Error),
    #[error("the server speaks another protocol: {}", .0.escape_ascii())]
    Foreign(Vec<u8>),
    #[error("cannot print: {0}")]
    Output(io::Error),
}

/// Reads the reply to `FORGET client`.
///
/// # Errors
/// See [`NoReply`].
pub(super) async fn read(
    from: &mut (impl AsyncBufRead + Unpin),
    client: &[u8],
) -> Result<Reply, NoReply> {
    let mut line = Vec::new();
    from.take(LINE_BYTES_MAX)
        .read_until(b'\n', &mut line)
        .await?;
    if line.last() != Some(&b'\n') {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    let fields: Vec<&[u8]> = Fields::new(&line).take(5).collect();
    match *fields.as_slice() {
        [b"GONE", _, of, _] if of == client => Ok(Reply::Gone(line)),
        [b"?", b"FORGET", of] if of == client => Ok(Reply::Refused),
        _ => Err(NoReply::Foreign(line)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reply_is_of_its_client_or_foreign() {
        let of_kiwi = async |text: &[u8]| read(&mut &*text, b"kiwi").await;
        let gone = b"GONE Hill kiwi 1.000000000\n";
        assert_eq!(of_kiwi(gone).await.unwrap(), Reply::Gone(gone.to_vec()));
        assert_eq!(of_kiwi(b"? FORGET kiwi\n").await.unwrap(), Reply::Refused);
        for foreign in [
            &b"GONE Hill emu 1.0\n"[..],
            b"? FORGET emu\n",
            b"OK\n",
            b"\n",
        ] {
            let foreign = of_kiwi(foreign).await;
            assert!(matches!(foreign, Err(NoReply::Foreign(_))), "{foreign:?}");
        }
        for cut in [&b""[..], b"GONE Hill kiwi 1.0"] {
            let cut = of_kiwi(cut).await;
            assert!(matches!(cut, Err(NoReply::Connection(_))), "{cut:?}");
        }
    }
}
