//! Sets up the link of the Node.js addon, and builds the guest's program into a flat image that the addon carries.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `PROGRAM_ADDRESS` and `PROGRAM_BYTES_MAX` of guest-programs, where `guest/guest.ld` links to.
const PROGRAM_ADDRESS: u64 = 0x20_0000;
const PROGRAM_BYTES_MAX: u64 = 0x10_0000;

fn main() {
    napi_build::setup();
    let sources = [Path::new("guest"), Path::new("../guest-programs/native")];
    for source in sources {
        println!("cargo:rerun-if-changed={}", source.display());
    }
    println!("cargo:rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let image = out.join("guest.bin");
    if env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("x86_64") {
        let elf = build_program(&out);
        fs::write(
            &image,
            flatten(&fs::read(elf).expect("the guest's program was just linked")),
        )
        .expect("OUT_DIR is writable");
    } else {
        // No guest for this processor: the addon says so when asked for one.
        fs::write(&image, []).expect("OUT_DIR is writable");
    }
}

/// Compiles the programs and the guest's main file with the compiler that builds this crate, optimised whatever the
/// profile: a guest that is slow in debug builds would be another guest.
fn build_program(out: &Path) -> PathBuf {
    let library = out.join("libgodwit_guest_programs.rlib");
    let mut programs = compiler();
    programs
        .args(["--crate-type=rlib", "--crate-name=godwit_guest_programs", "-o"])
        .arg(&library);
    run(programs.arg("../guest-programs/native/lib.rs"));
    let elf = out.join("guest.elf");
    let mut link_script = std::ffi::OsString::from("link-arg=-Wl,-T,");
    link_script.push(fs::canonicalize("guest/guest.ld").expect("guest.ld is part of this crate"));
    let mut extern_library = std::ffi::OsString::from("godwit_guest_programs=");
    extern_library.push(&library);
    let mut guest = compiler();
    guest
        .args(["--crate-type=bin", "--crate-name=guest", "--extern"])
        .arg(extern_library);
    guest.args([
        "-C",
        "link-args=-nostartfiles -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,norelro",
        "-C",
    ]);
    guest.arg(link_script).arg("-o").arg(&elf);
    run(guest.arg("guest/main.rs"));
    elf
}

fn compiler() -> Command {
    let mut rustc = Command::new(env::var_os("RUSTC").expect("cargo sets RUSTC"));
    rustc
        .args(["--edition=2024", "--target"])
        .arg(env::var_os("TARGET").expect("cargo sets TARGET"));
    for option in [
        "opt-level=3",
        "codegen-units=1",
        "panic=abort",
        "relocation-model=static",
        "debuginfo=0",
        "strip=symbols",
    ] {
        rustc.args(["-C", option]);
    }
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut option = std::ffi::OsString::from("linker=");
        option.push(linker);
        rustc.arg("-C").arg(option);
    }
    rustc
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}

/// The loadable segments of a static ELF as they lie in memory, from `PROGRAM_ADDRESS` on.
fn flatten(elf: &[u8]) -> Vec<u8> {
    let number = |at: usize, length: usize| {
        let mut bytes = [0; 8];
        bytes[..length].copy_from_slice(&elf[at..at + length]);
        u64::from_le_bytes(bytes)
    };
    assert_eq!(&elf[..5], b"\x7fELF\x02", "the guest's program is a 64-bit ELF");
    assert_eq!(number(24, 8), PROGRAM_ADDRESS, "the guest is entered at its first byte");
    let (table, entry_bytes, count) = (number(32, 8) as usize, number(54, 2) as usize, number(56, 2) as usize);
    let mut image = Vec::new();
    for header in (0..count).map(|index| table + index * entry_bytes) {
        const LOAD: u64 = 1;
        let memory_bytes = number(header + 40, 8);
        if number(header, 4) != LOAD || memory_bytes == 0 {
            continue;
        }
        let (offset, address, file_bytes) = (number(header + 8, 8), number(header + 16, 8), number(header + 32, 8));
        let start = address
            .checked_sub(PROGRAM_ADDRESS)
            .expect("a segment lies before the program's address");
        let end = start + memory_bytes;
        assert!(
            end <= PROGRAM_BYTES_MAX,
            "the guest's program is too large: {end} bytes"
        );
        image.resize(image.len().max(end as usize), 0);
        let contents = &elf[offset as usize..(offset + file_bytes) as usize];
        image[start as usize..][..contents.len()].copy_from_slice(contents);
    }
    image
}
