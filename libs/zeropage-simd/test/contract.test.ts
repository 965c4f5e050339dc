import { zeroPageScannerSuite } from '@godwit/contract-tests';
import { scannerOver } from '../src/engine-scanner.ts';
import { availableIsas, createZeroPageScanner } from '../src/index.ts';
import { typescriptEngine } from '../src/typescript-engine.ts';
import { zeroWordCheck } from '../src/zero-block.ts';

const isas = availableIsas();

for (const isa of isas) zeroPageScannerSuite(`native ${isa}`, () => ({ scanner: createZeroPageScanner({ isa }) }));
zeroPageScannerSuite('native', () =>
  isas.length > 0 ? { scanner: createZeroPageScanner({ backend: 'native' }) } : 'the native build is missing here',
);
zeroPageScannerSuite('TypeScript, by comparison', () => ({
  scanner: createZeroPageScanner({ backend: 'typescript' }),
}));
zeroPageScannerSuite('TypeScript, by words', () => ({ scanner: scannerOver(typescriptEngine(zeroWordCheck)) }));
