//! Fenced blocks of a document.

/// One fenced block.
#[derive(Debug)]
pub(super) struct Block {
    /// The text behind the opening fence.
    pub(super) kind: String,
    /// Its lines, each with its newline.
    pub(super) text: String,
    /// The line of the opening fence, counted from 1.
    pub(super) line: usize,
    /// Whether it follows the block before it with nothing between.
    pub(super) follows: bool,
}

/// All fenced blocks of `document`, in order.
pub(super) fn blocks(document: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open: Option<Block> = None;
    let mut last_end = 0;
    for (number, line) in (1..).zip(document.lines()) {
        match (line.strip_prefix("```"), open.as_mut()) {
            (Some(kind), None) => {
                open = Some(Block {
                    kind: kind.to_owned(),
                    text: String::new(),
                    line: number,
                    follows: number == last_end + 1,
                });
            }
            (Some(_), Some(_)) => {
                blocks.extend(open.take());
                last_end = number;
            }
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}
