import { strategySuite } from '@godwit/contract-tests';
import { preCopy, stopAndCopy } from '../src/index.ts';

strategySuite('stop-and-copy', stopAndCopy);
strategySuite('pre-copy', preCopy);
strategySuite('pre-copy of one round', () => preCopy({ maxRounds: 1 }));
strategySuite('pre-copy that never stops early', () => preCopy({ downtimeTargetMs: 0, fixedBlackoutMs: 0 }));
