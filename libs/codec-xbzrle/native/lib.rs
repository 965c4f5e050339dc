//! XBZRLE encoder, decoder and page cache in QEMU's wire format, native and in TypeScript.
