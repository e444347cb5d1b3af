//! A page of somebody else.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The most bytes of a browser's request for the page.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// One page on an address of this machine, whatever is asked for. A page from loopback may ask loopback for things:
/// Chromium keeps pages from more public networks from that (Local Network Access), and other browsers do not.
pub(crate) struct Elsewhere {
    /// Its origin.
    pub(crate) origin: String,
    serving: JoinHandle<()>,
}

impl Elsewhere {
    /// Serves the page until this is dropped.
    pub(crate) async fn serve(page: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(answer(stream, page));
            }
        });
        Elsewhere {
            origin: format!("http://{at}"),
            serving,
        }
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(mut stream: TcpStream, page: &str) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD_BYTES_MAX {
        match stream.read_buf(&mut head).await {
            Ok(1..) => {}
            _ => return,
        }
    }
    let length = page.len();
    let reply = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{page}"
    );
    // The browser may be gone.
    let _ = stream.write_all(reply.as_bytes()).await;
}
