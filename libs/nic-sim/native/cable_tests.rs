use super::*;

fn path(name: &str) -> PathBuf {
    PathBuf::from(format!("/dev/shm/godwit-cable-test-{}-{name}", std::process::id()))
}

#[test]
fn both_ends_see_the_same_four_rings_and_the_file_goes_with_its_maker() {
    let path = path("ends");
    let mut world = Cable::create(&path, DEFAULT_RING_BYTES).unwrap();
    assert!(Cable::create(&path, DEFAULT_RING_BYTES).is_err());
    let mut host = Cable::open(&path).unwrap();
    let mut frame = [0; MAX_FRAME_BYTES];
    for port in 0..NIC_PORT_COUNT {
        assert!(world.to_guest(port).push(&[port as u8 + 1; 64]));
        assert!(host.from_guest(port).push(&[port as u8 + 101; 64]));
    }
    for port in 0..NIC_PORT_COUNT {
        assert_eq!(host.to_guest(port).pop(&mut frame), Some(64));
        assert_eq!(frame[63], port as u8 + 1);
        assert_eq!(world.from_guest(port).pop(&mut frame), Some(64));
        assert_eq!(frame[63], port as u8 + 101);
    }
    drop(world);
    assert!(!path.exists());
}

#[test]
fn a_card_that_is_plugged_in_finds_nothing_stale_and_unplugs_only_itself() {
    let path = path("attach");
    let mut world = Cable::create(&path, 8192).unwrap();
    assert!(world.to_guest(0).push(&[1; 64]));
    let mut first = Cable::open(&path).unwrap();
    first.attach();
    assert!(world.is_attached() && first.to_guest(0).is_empty());
    let mut second = Cable::open(&path).unwrap();
    second.attach();
    first.detach();
    assert!(world.is_attached() && second.is_attached_here() && !first.is_attached_here());
    second.detach();
    assert!(!world.is_attached());
}

#[test]
fn what_is_no_cable_is_refused() {
    let path = path("refused");
    assert!(Cable::create(&path, 5000).is_err());
    assert!(!path.exists());
    fs::write(&path, [0; 100]).unwrap();
    assert!(Cable::open(&path).is_err());
    fs::write(&path, vec![0x55; 60_000]).unwrap();
    assert!(Cable::open(&path).is_err());
    fs::remove_file(&path).unwrap();
    let world = Cable::create(&path, 8192).unwrap();
    let header = Header(&world.mapping);
    for (offset, value) in [
        (RING_BYTES_OFFSET, 16384),
        (RING_BYTES_OFFSET, 1 << 63),
        (TOTAL_BYTES_OFFSET, 1),
        (MAGIC_OFFSET, 1),
    ] {
        let before = header.double_word(offset).swap(value, Ordering::Relaxed);
        assert!(Cable::open(&path).is_err());
        header.double_word(offset).store(before, Ordering::Relaxed);
    }
    header.word(VERSION_OFFSET).store(2, Ordering::Relaxed);
    assert!(Cable::open(&path).is_err());
}

#[test]
fn abandoned_cables_are_removed_and_others_are_not() {
    let directory = path("directory");
    fs::create_dir(&directory).unwrap();
    let old = std::time::SystemTime::now() - 2 * ABANDONED_AFTER;
    let age = |path: &Path| {
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(old)
            .unwrap()
    };
    let alive = Cable::create(&directory.join("cable-alive"), 8192).unwrap();
    fs::write(directory.join("cable-dead"), [0; 100]).unwrap();
    fs::write(directory.join("cable-fresh"), [0; 100]).unwrap();
    fs::write(directory.join("other"), [0; 100]).unwrap();
    for name in ["cable-alive", "cable-dead", "other"] {
        age(&directory.join(name));
    }
    Cable::remove_abandoned(&directory, "cable-");
    let left = |name: &str| directory.join(name).exists();
    assert!(left("cable-alive") && left("cable-fresh") && left("other") && !left("cable-dead"));
    drop(alive);
    fs::remove_dir_all(&directory).unwrap();
}
