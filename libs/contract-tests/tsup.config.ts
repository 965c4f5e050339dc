import { library } from '../../tsup.base.ts';

// Vitest, which the suites register with, cannot be required.
export default library({ formats: ['esm'] });
