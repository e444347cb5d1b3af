//! Bytes to frames of a link: what is read is written, and read as the same again.

use bytes::BytesMut;
use herd_node::replication::link::frame::Frame;

pub(super) fn run(bytes: &[u8]) {
    let Ok(frame) = Frame::decode(&BytesMut::from(bytes)) else {
        return;
    };
    if matches!(frame, Frame::Gossip(_)) {
        // A server merges what it read, and never passes that message on: chitchat writes only what it made itself,
        // and takes a message that it did not pack as it would for a bug of its own.
        return;
    }
    let Ok(written) = frame.encode() else {
        panic!("a frame that was read cannot be written");
    };
    match Frame::decode(&BytesMut::from(&written[..])) {
        Ok(again) => assert_eq!(format!("{again:?}"), format!("{frame:?}")),
        Err(error) => panic!("a frame of ours is not read: {error}"),
    }
}
