//! A speaker of the link protocol in the place of a server of the topology.

use std::net::SocketAddr;

use herd_integration_tests::within;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::task::JoinHandle;

use crate::wire;

/// A link to a server, which took us for the one that we said we are.
pub(crate) struct Speaker {
    writer: OwnedWriteHalf,
    /// Reads and discards the server's frames, up to the end of the link.
    listening: JoinHandle<()>,
    /// The generation that the server said it has.
    pub(crate) other: u64,
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Speaker {
    /// Shakes hands as `from`. The server must agree.
    pub(crate) async fn link(
        (to, address): (&str, SocketAddr),
        from: &str,
        generation: u64,
    ) -> Speaker {
        let shaking = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let hello = wire::hello(from, to, generation);
            stream.write_all(&hello).await.unwrap();
            let length = stream.read_u32().await.unwrap() as usize;
            let mut answer = vec![0; length];
            stream.read_exact(&mut answer).await.unwrap();
            (stream, answer)
        };
        let (stream, answer) = within("a handshake", shaking).await;
        assert_eq!(answer[0], wire::HELLO, "{to} refuses {from}: {answer:?}");
        // Kind, version, three texts.
        let before = 2 + ["test", to, from]
            .map(|name| 1 + name.len())
            .iter()
            .sum::<usize>();
        assert_eq!(answer[before], 253, "a generation is a large number");
        let other = u64::from_le_bytes(answer[before + 1..before + 9].try_into().unwrap());
        let (mut reader, writer) = stream.into_split();
        let listening = tokio::spawn(async move {
            let mut heard = vec![0; 64 * 1024];
            while matches!(reader.read(&mut heard).await, Ok(1..)) {}
        });
        Speaker {
            writer,
            listening,
            other,
        }
    }

    /// Says a frame; `false` if the server has ended the link.
    pub(crate) async fn say(&mut self, frame: &[u8]) -> bool {
        let written = within("the server takes it", self.writer.write_all(frame)).await;
        written.is_ok() && self.is_linked()
    }

    /// Whether the server has not ended the link.
    pub(crate) fn is_linked(&self) -> bool {
        !self.listening.is_finished()
    }

    /// Waits until the server has ended the link.
    pub(crate) async fn cut_off(mut self) {
        within("the link is cut", &mut self.listening)
            .await
            .unwrap();
    }
}
