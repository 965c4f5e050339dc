//! What resident memory holds: seeded, so that every page can be checked against its generator at any time.

use crate::layout::PAGE_BYTES;
use crate::random::Random;

/// A page of content.
pub type Page = [u8; PAGE_BYTES as usize];

/// The kind of content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Content {
    /// Present pages full of zero bytes.
    Zero = 1,
    /// Words and punctuation: compresses about as prose does.
    Text = 2,
    /// Instruction-like bytes: few opcodes, small operands, now and then an address.
    Code = 3,
    /// Incompressible.
    Random = 4,
    /// A tenth of the pages zero, three tenths text, three tenths code, three tenths random.
    Mixed = 5,
}

impl Content {
    /// From its number in the control block.
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Zero),
            2 => Some(Self::Text),
            3 => Some(Self::Code),
            4 => Some(Self::Random),
            5 => Some(Self::Mixed),
            _ => None,
        }
    }
}

const WORDS: [&[u8]; 64] = [
    b"the ",
    b"of ",
    b"and ",
    b"to ",
    b"in ",
    b"a ",
    b"is ",
    b"that ",
    b"for ",
    b"it ",
    b"as ",
    b"was ",
    b"with ",
    b"be ",
    b"by ",
    b"on ",
    b"not ",
    b"he ",
    b"this ",
    b"are ",
    b"or ",
    b"his ",
    b"from ",
    b"at ",
    b"which ",
    b"but ",
    b"have ",
    b"an ",
    b"had ",
    b"they ",
    b"you ",
    b"were ",
    b"memory ",
    b"page ",
    b"guest ",
    b"network ",
    b"between ",
    b"processor ",
    b"another ",
    b"through ",
    b"river ",
    b"winter ",
    b"coast ",
    b"journey ",
    b"bird ",
    b"without ",
    b"landing ",
    b"thousand ",
    b"kilometres, ",
    b"night. ",
    b"Before ",
    b"After ",
    b"When ",
    b"morning. ",
    b"water, ",
    b"wind ",
    b"seven ",
    b"distance ",
    b"nothing ",
    b"always ",
    b"return; ",
    b"north ",
    b"south ",
    b"island.\n",
];
const OPCODES: [&[u8]; 16] = [
    &[0x48, 0x89, 0xe5],
    &[0x48, 0x8b, 0x45],
    &[0x55, 0x48, 0x89],
    &[0xc3],
    &[0x0f, 0x84],
    &[0xe8],
    &[0x48, 0x83, 0xc4],
    &[0x31, 0xc0],
    &[0x85, 0xc0, 0x74],
    &[0x4c, 0x8d, 0x25],
    &[0x41, 0x57, 0x41, 0x56],
    &[0x5b, 0x5d, 0xc3],
    &[0x66, 0x90],
    &[0x48, 0xc7, 0xc0],
    &[0xeb],
    &[0x0f, 0x1f, 0x40, 0x00],
];

/// Generates page `index` of a content.
pub fn generate(page: &mut Page, content: Content, seed: u64, index: u64) {
    let mut random = Random::of(seed, index);
    match content {
        Content::Zero => page.fill(0),
        Content::Text => tokens(page, &mut random, |random, token| {
            let word = WORDS[(random.below(64) * random.below(64) / 64) as usize];
            token[..word.len()].copy_from_slice(word);
            word.len()
        }),
        Content::Code => tokens(page, &mut random, |random, token| {
            let choice = random.next();
            let opcode = OPCODES[(choice & 15) as usize];
            token[..opcode.len()].copy_from_slice(opcode);
            let operand_bytes = match choice >> 60 {
                0..8 => 0,
                8..13 => 1,
                _ => 4,
            };
            let operand = ((choice >> 8) as u32 & 0xffff).to_le_bytes();
            token[opcode.len()..opcode.len() + operand_bytes].copy_from_slice(&operand[..operand_bytes]);
            opcode.len() + operand_bytes
        }),
        Content::Random => {
            for word in page.as_chunks_mut::<8>().0 {
                *word = random.next().to_le_bytes();
            }
        }
        Content::Mixed => {
            let content = match random.below(10) {
                0 => Content::Zero,
                1..4 => Content::Text,
                4..7 => Content::Code,
                _ => Content::Random,
            };
            generate(page, content, seed, index);
        }
    }
}

fn tokens(page: &mut Page, random: &mut Random, token: impl Fn(&mut Random, &mut [u8; 16]) -> usize) {
    let mut at = 0;
    let mut bytes = [0; 16];
    while at < page.len() {
        let length = token(random, &mut bytes).min(page.len() - at);
        page[at..at + length].copy_from_slice(&bytes[..length]);
        at += length;
    }
}

/// Writes page `index` of a content to memory.
///
/// # Safety
/// `page` points at a writable page.
pub unsafe fn fill_page(page: *mut u8, content: Content, seed: u64, index: u64) {
    // SAFETY: the caller vouches for a page; nobody else holds a reference to guest memory.
    generate(unsafe { &mut *page.cast::<Page>() }, content, seed, index);
}

/// Whether memory holds page `index` of a content.
///
/// # Safety
/// `page` points at a readable page.
pub unsafe fn check_page(page: *const u8, content: Content, seed: u64, index: u64) -> bool {
    let mut expected: Page = [0; PAGE_BYTES as usize];
    generate(&mut expected, content, seed, index);
    let mut difference = 0;
    for (position, word) in expected.as_chunks::<8>().0.iter().enumerate() {
        // SAFETY: the caller vouches for a page, which has 512 words. Volatile: it may be installed anew meanwhile.
        difference |= unsafe { page.cast::<u64>().add(position).read_volatile() } ^ u64::from_le_bytes(*word);
    }
    difference == 0
}
