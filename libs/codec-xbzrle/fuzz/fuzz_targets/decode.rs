//! Any bytes as a delta: the decoder takes and refuses what a simple one does, makes the same page of it, leaves a page
//! alone whose delta it refuses, and reads nothing behind the delta. What it takes, the encoder would have written.
#![no_main]

use arbitrary::Arbitrary;
use godwit_codec_xbzrle::{DeltaEncoder, Encoded, Isa, decode};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    page_size: u8,
    seed: u8,
    delta: &'a [u8],
}

fuzz_target!(|input: Input| {
    let page_size_bytes = godwit_codec_xbzrle_fuzz::page_size_of(input.page_size);
    let old = godwit_codec_xbzrle_fuzz::page_of(input.seed, page_size_bytes);
    // Exactly as long as it is, so that the sanitizer sees a read behind it.
    let delta: Box<[u8]> = input.delta.into();
    let mut page = old.clone();
    let outcome = decode(&delta, &mut page);
    let Some((expected, is_only)) = godwit_codec_xbzrle_fuzz::decode(&delta, &old) else {
        assert!(outcome.is_err(), "a malformed delta was taken");
        assert!(page == old, "a refused delta was applied");
        return;
    };
    assert!(outcome.is_ok(), "a sound delta was refused");
    assert!(page == expected, "another page");
    for isa in Isa::available() {
        let mut again = vec![0; 2 * page_size_bytes];
        let length = match DeltaEncoder::new(page_size_bytes, isa).encode(&old, &page, &mut again) {
            Encoded::Unchanged => {
                assert!(page == old, "{isa:?} sees no difference");
                continue;
            }
            Encoded::Delta(length) => length,
            Encoded::Overflow => panic!("{isa:?}: no delta is that long"),
        };
        if is_only {
            assert!(again[..length] == *delta, "{isa:?} writes another delta");
        }
        let mut copy = old.clone();
        assert!(decode(&again[..length], &mut copy).is_ok());
        assert!(copy == page, "{isa:?}: another page from its own delta");
    }
});
