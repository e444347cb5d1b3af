//! The order, memory and bounds of replies.

use futures_util::StreamExt as _;
use tokio::sync::oneshot;

use super::super::limits::ReplyBudget;
use super::*;

fn unlimited(commands_max: usize) -> Replies {
    Replies::new(commands_max, ReplyBudget::new(usize::MAX).share())
}

fn later() -> (oneshot::Sender<&'static [u8]>, LaterReply) {
    let (sender, receiver) = oneshot::channel();
    (
        sender,
        Box::pin(async { Arrived::Reply(Reply::Invalid(receiver.await.unwrap())) }),
    )
}

async fn arrive(replies: &mut Replies) {
    let reply = replies.parts().1.next().await.unwrap();
    replies.arrived(reply);
}

#[tokio::test]
async fn replies_keep_the_order_of_commands_whatever_arrives_first() {
    let mut replies = unlimited(100);
    let (first, first_reply) = later();
    let (second, second_reply) = later();
    replies.push(&Reply::Invalid(b"0"));
    replies.push_later(first_reply, 0);
    replies.push(&Reply::Invalid(b"2"));
    replies.push_later(second_reply, 0);
    replies.push(&Reply::Invalid(b"4"));
    assert_eq!(replies.parts().0, b"? 0\n");
    assert_eq!(replies.take_unlogged(), b"? 0\n");
    replies.sent(2);
    assert_eq!(replies.parts().0, b"0\n");
    second.send(b"3").unwrap();
    first.send(b"1").unwrap();
    arrive(&mut replies).await;
    assert_eq!(replies.parts().0, b"0\n? 1\n? 2\n");
    assert_eq!(replies.take_unlogged(), b"? 1\n? 2\n");
    arrive(&mut replies).await;
    assert_eq!(replies.parts().0, b"0\n? 1\n? 2\n? 3\n? 4\n");
    replies.sent(18);
    assert!(replies.is_empty());
    replies.push(&Reply::Invalid(b"5"));
    assert_eq!(replies.parts().0, b"? 5\n");
    assert_eq!((replies.behind_bytes, replies.behind_commands), (0, 0));
}

/// Holds the reply to one report, and waits for it.
async fn hold_and_decide(replies: &mut Replies, text: &[u8], confirmed: bool) {
    replies.hold(&Reply::Invalid(text), &Reply::Invalid(b"refused"));
    let held = replies.take_held().unwrap();
    let (bytes, commands) = held.size();
    let decided = async move { Arrived::Decided(held, confirmed) };
    replies.push_awaited(Box::pin(decided), bytes, commands);
    arrive(replies).await;
}

#[tokio::test]
async fn held_replies_are_sent_once_and_keep_small_buffers() {
    let mut replies = unlimited(100);
    hold_and_decide(&mut replies, b"a", true).await;
    assert_eq!(replies.parts().0, b"? a\n");
    assert!(replies.spare.is_some());
    hold_and_decide(&mut replies, b"b", false).await;
    assert_eq!(replies.parts().0, b"? a\n? refused\n");
    hold_and_decide(&mut replies, b"c", true).await;
    assert_eq!(replies.parts().0, b"? a\n? refused\n? c\n");
    assert_eq!(replies.awaited_bytes + replies.awaited_commands, 0);
    let large = [b'd'; SPARE_BYTES_MAX];
    hold_and_decide(&mut replies, &large, true).await;
    assert!(replies.spare.is_none(), "it grew, and was not kept");
}

#[test]
fn the_number_of_unanswered_commands_is_bounded() {
    let mut replies = unlimited(3);
    replies.push(&Reply::Invalid(b"a"));
    replies.push_later(later().1, 0);
    assert!(replies.has_room());
    replies.push(&Reply::Invalid(b"b"));
    assert!(!replies.has_room());
    replies.sent(4);
    assert!(replies.has_room());
}

#[test]
fn the_memory_of_replies_is_bounded() {
    let reply = [b'x'; 1_000];
    let mut replies = unlimited(usize::MAX);
    while replies.has_room() {
        replies.push(&Reply::Invalid(&reply));
    }
    let ready = replies.parts().0.len();
    assert!(
        (READY_BYTES_MAX..READY_BYTES_MAX + 2_000).contains(&ready),
        "{ready}"
    );
    replies.sent(ready);
    replies.push_later(later().1, 0);
    while replies.has_room() {
        replies.push(&Reply::Invalid(&reply));
    }
    assert!(replies.behind_bytes < BEHIND_BYTES_MAX);
    let mut replies = unlimited(usize::MAX);
    while replies.has_room() {
        replies.push_later(later().1, 0);
    }
    assert_eq!(replies.later.len(), BEHIND_BYTES_MAX / LATER_REPLY_BYTES);
}

#[tokio::test]
async fn waiting_replies_are_counted_and_released() {
    let budget = ReplyBudget::new(100_000);
    let mut replies = Replies::new(usize::MAX, budget.share());
    let mut other = Replies::new(usize::MAX, budget.share());
    let long = [b'x'; 20_000];
    let (sender, reply) = later();
    replies.push_later(reply, long.len());
    replies.push(&Reply::Invalid(&long));
    replies.hold(&Reply::Invalid(&long), &Reply::Invalid(&long));
    assert!(replies.is_over_budget() && !replies.has_room());
    assert!(other.has_room(), "it has nothing waiting");
    other.push(&Reply::Invalid(&long));
    assert!(!other.has_room());
    let held = replies.take_held().unwrap();
    let (bytes, commands) = held.size();
    let decided = async move { Arrived::Decided(held, false) };
    replies.push_awaited(Box::pin(decided), bytes, commands);
    sender.send(b"?").unwrap();
    arrive(&mut replies).await;
    arrive(&mut replies).await;
    let ready = replies.parts().0.len();
    replies.sent(ready);
    assert!(replies.is_empty() && other.has_room());
    assert!(replies.ready.capacity() <= READY_BYTES_KEPT);
    other.sent(20_003);
    assert!(!other.is_over_budget());
}
