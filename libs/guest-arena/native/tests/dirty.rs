//! No write of a guest at full speed is missed, and none is made up.

use godwit_guest_programs::appmembench::Pattern;
use godwit_guest_programs::layout::PAGE_BYTES;

use super::written::fetch_written;
use super::{PAGE_COUNT, arena, blueprint, errors, page, pages_of, present, run_for_steps, writer};

#[test]
fn a_copy_kept_by_dirty_pages_alone_ends_equal() {
    for pattern in [Pattern::Sweep, Pattern::Random] {
        let machine = arena::make(blueprint(writer(pattern), 2)).unwrap();
        machine.resume().unwrap();
        run_for_steps(&machine, 10);
        fetch_written(&machine);
        let mut copied = vec![[0; 512]; PAGE_COUNT as usize];
        for index in pages_of(&present(&machine)) {
            copied[index as usize] = page(&machine, index);
        }
        let resident = machine.plan().control.resident;
        let resident = resident.low_address / PAGE_BYTES..resident.low_address / PAGE_BYTES + resident.low_pages;
        for round in 0..30 {
            run_for_steps(&machine, round % 5);
            if round == 29 {
                machine.pause();
            }
            for index in pages_of(&fetch_written(&machine)) {
                assert!(!resident.contains(&index), "nobody writes page {index}");
                copied[index as usize] = page(&machine, index);
            }
        }
        assert_eq!(
            pages_of(&fetch_written(&machine)).count(),
            0,
            "a paused guest writes nothing"
        );
        for index in 0..PAGE_COUNT {
            assert!(copied[index as usize] == page(&machine, index), "page {index}");
        }
        assert_eq!(errors(&machine), 0);
    }
}
