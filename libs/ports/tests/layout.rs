//! The Rust tables have the layout of the C header, as the C compiler of this machine sees it.

use std::mem::{offset_of, size_of};
use std::process::Command;

use godwit_ports::*;

macro_rules! expected {
    ($($c:literal $rust:ty { $($field:ident),* })*) => {{
        let mut lines = Vec::new();
        $(
            lines.push((format!("sizeof({})", $c), size_of::<$rust>()));
            $(lines.push((format!("offsetof({}, {})", $c, stringify!($field)), offset_of!($rust, $field)));)*
        )*
        lines
    }};
}

#[test]
fn rust_layout_is_the_header_layout() {
    let expected = expected! {
        "godwit_capsule_header" CapsuleHeader { abi_version, kind, size_bytes, context, retain, release }
        "godwit_memory" MemoryTable {
            header, base, length_bytes, page_size_bytes, userfault_fd, vm_fd, pagemap_fd, slot_count, slots,
            device_marks, present, expect, discard, dirty_rings, set_ring_harvester
        }
        "godwit_memory_slot" MemorySlot { slot, first_page, page_count, guest_physical_address }
        "godwit_dirty_rings" DirtyRings { ring_bytes, vcpu_count, vcpu_fds }
        "godwit_execution" ExecutionTable { header, state_bytes_max, pause, resume, save, load, announce, drain_late, inject_late }
        "godwit_dirty" DirtyTable { header, page_count, start, collect, stop }
        "godwit_scanner" ScannerTable { header, scan }
        "godwit_codec" CodecTable { header, page_size_bytes, encode, forget, decode }
        "godwit_coded_page" CodedPage { page, offset_bytes, length_bytes }
        "godwit_channel" ChannelTable { header, send, receive, interrupt, counters }
        "godwit_channel_counters" ChannelCounters { bytes_sent, bytes_received, send_calls, receive_calls }
    };
    let folder = std::env::temp_dir().join(format!("godwit-layout-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (source, program) = (folder.join("layout.c"), folder.join("layout"));
    let prints: String = expected
        .iter()
        .map(|(c, _)| format!("printf(\"%zu\\n\", (size_t)({c}));\n"))
        .collect();
    let header = concat!(env!("CARGO_MANIFEST_DIR"), "/include/godwit_capsule.h");
    std::fs::write(
        &source,
        format!("#include <stddef.h>\n#include <stdio.h>\n#include \"{header}\"\nint main(void) {{\n{prints}}}\n"),
    )
    .unwrap();
    assert!(
        Command::new("cc")
            .arg(&source)
            .arg("-o")
            .arg(&program)
            .status()
            .unwrap()
            .success()
    );
    let output = Command::new(&program).output().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let seen: Vec<usize> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    let wanted: Vec<usize> = expected.iter().map(|(_, value)| *value).collect();
    for ((name, want), got) in expected.iter().zip(&seen) {
        assert_eq!(want, got, "{name}");
    }
    assert_eq!(seen.len(), wanted.len());
}
