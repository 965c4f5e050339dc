import { guestSuite } from '@godwit/contract-tests';
import { ownMappingGuest } from '../src/own-mapping.ts';
import { sharedArrayBufferGuest } from '../src/shared-array-buffer.ts';
import { StampingProgram } from '../src/stamping.ts';

const createMapped = async () => ownMappingGuest(await StampingProgram.load());
guestSuite("a stranger's own mapping", () => ({ create: createMapped, createEmpty: createMapped }));

const createShared = async () => sharedArrayBufferGuest(new SharedArrayBuffer(2 ** 20));
guestSuite("a stranger's SharedArrayBuffer", () => ({ create: createShared, createEmpty: createShared }));
