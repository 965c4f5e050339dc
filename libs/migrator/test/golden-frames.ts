import { readFileSync } from 'node:fs';
import type { FrameName } from '../src/frame.ts';

/** One frame as it stands on the wire, without its raw pages. */
export interface GoldenFrame {
  readonly name: FrameName;
  readonly sequence: number;
  readonly rawBytes: number;
  readonly header: Uint8Array;
  readonly body: Uint8Array;
}

/** One frame of every type; `native/frame.rs` is held to the same file. */
export const GOLDEN_FRAMES: readonly GoldenFrame[] = readFileSync(
  new URL('./golden-frames.txt', import.meta.url),
  'utf8',
)
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => {
    const [name = '', sequence, rawBytes, header = '', body = ''] = line.split(' ');
    return {
      name: name as FrameName,
      sequence: Number(sequence),
      rawBytes: Number(rawBytes),
      header: Buffer.from(header, 'hex'),
      body: Buffer.from(body === '-' ? '' : body, 'hex'),
    };
  });

/** The one of this type. */
export function goldenFrame(name: FrameName): GoldenFrame {
  const frame = GOLDEN_FRAMES.find((candidate) => candidate.name === name);
  if (frame === undefined) throw new TypeError(`no golden ${name} frame`);
  return frame;
}
