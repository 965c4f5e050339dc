import { pageCodecSuite } from '@godwit/contract-tests';
import { availableIsas, createXbzrleCodec } from '../src/index.ts';

const isas = availableIsas();

for (const isa of isas) pageCodecSuite(`native ${isa}`, () => ({ codec: createXbzrleCodec({ isa }) }));
pageCodecSuite('native', () =>
  isas.length > 0 ? { codec: createXbzrleCodec({ backend: 'native' }) } : 'the native build is missing here',
);
pageCodecSuite('TypeScript', () => ({ codec: createXbzrleCodec({ backend: 'typescript' }) }));
