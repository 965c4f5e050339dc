import { availableIsas, createXbzrleCodec, type XbzrleCodec } from '../src/index.ts';

export interface NamedCodec {
  readonly name: string;
  readonly codec: XbzrleCodec;
}

export const typescriptCodec: NamedCodec = {
  name: 'TypeScript',
  codec: createXbzrleCodec({ backend: 'typescript' }),
};

/** One for each instruction set of this machine; none where the native build is missing. */
export const nativeCodecs: readonly NamedCodec[] = availableIsas().map((isa) => ({
  name: `native ${isa}`,
  codec: createXbzrleCodec({ isa }),
}));

export const everyCodec: readonly NamedCodec[] = [...nativeCodecs, typescriptCodec];
