import type { ZeroPageScanner } from '@godwit/ports';
import type { Fixture } from './case-runner.ts';

/** The scanner under test. */
export interface ZeroPageScannerFixture extends Fixture {
  readonly scanner: ZeroPageScanner;
}
