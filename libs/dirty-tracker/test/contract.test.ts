import { dirtyTrackerSuite } from '@godwit/contract-tests';
import { CompareTracker, createSharedMarks, markWritten, SoftwareMarksTracker } from '../src/index.ts';
import { PAGE_BYTES, SharedMemory } from './shared-memory.ts';

/** Many, so that there are many writes of which none hides another; and the last word is not full. */
const PAGE_COUNT = 8000;

dirtyTrackerSuite('software-marks', () => {
  const memory = new SharedMemory(PAGE_COUNT);
  const marks = createSharedMarks(PAGE_COUNT);
  return {
    tracker: new SoftwareMarksTracker(marks),
    write(page, value) {
      memory.write(page, value);
      markWritten(marks, page);
    },
    read: (page) => memory.read(page),
    startWriters: () => memory.startWriters(marks.words),
  };
});

dirtyTrackerSuite('compare', () => {
  const memory = new SharedMemory(PAGE_COUNT);
  const tracker = new CompareTracker(memory.bytes, PAGE_BYTES);
  const snapshot = new Uint32Array(tracker.snapshot.buffer);
  return {
    tracker,
    write: (page, value) => memory.write(page, value),
    // The live page may be newer than what the next comparison is made against.
    read: (page) => snapshot[(page * PAGE_BYTES) / 4] ?? 0,
    peek: (page) => memory.read(page),
    startWriters: () => memory.startWriters(),
  };
});
