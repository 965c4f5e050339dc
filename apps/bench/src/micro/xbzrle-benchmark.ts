import { type FigureRow, rateOf } from './figure-row.ts';
import { timeInterleaved } from './interleaved-timing.ts';
import { check, type MicroContext } from './micro-context.ts';
import { timeOperation } from './operation-timing.ts';
import { adaptiveRows } from './xbzrle-adaptive.ts';
import {
  batchOf,
  type CodecVariant,
  decodeBatch,
  deltasOf,
  nativeCodecs,
  PAGE_BYTES,
  typescriptCodec,
} from './xbzrle-codecs.ts';
import { CHANGES } from './xbzrle-contents.ts';
import { batchPages, encodeFromMemory, encodeInCache, pagesInCache } from './xbzrle-encode.ts';

/** `@godwit/codec-xbzrle`: encoding out of a cache and out of memory, decoding, the adaptive mode, and single calls. */
export async function xbzrleBenchmark(context: MicroContext): Promise<FigureRow[]> {
  const natives = nativeCodecs(context);
  if (natives.length === 0) {
    context.notMeasured('xbzrle: the codec has no kernel of the instruction sets asked for');
    return [];
  }
  const typescript = typescriptCodec();
  return [
    ...(await encodeInCache(context, natives, typescript)),
    ...(await encodeFromMemory(context, natives)),
    ...(await decodeInCache(context, natives, typescript)),
    ...(await adaptiveRows(context, natives)),
    ...(await singlePages(context, natives.slice(0, 1), typescript)),
  ];
}

async function decodeInCache(
  context: MicroContext,
  natives: readonly CodecVariant[],
  typescript: CodecVariant,
): Promise<FigureRow[]> {
  const rows: FigureRow[] = [];
  for (const change of CHANGES.filter(({ decode }) => decode !== undefined)) {
    const pages = pagesInCache(change);
    const variants = [...natives, typescript];
    const deltaBytes = deltasOf(typescript, batchOf(pages, change.pageCount)).deltas.length / change.pageCount;
    const count = batchPages(deltaBytes);
    const measured = variants.map((variant) => {
      const deltas = deltasOf(variant, batchOf(pages, count));
      decodeBatch(variant, deltas);
      const right = Buffer.compare(deltas.memory, pages.current) === 0;
      check(right, `${variant.name}, ${change.name}: decoded pages differ`);
      return { name: variant.name, run: () => decodeBatch(variant, deltas) };
    });
    const timings = await timeInterleaved(measured, context.plan);
    for (const [index, timing] of timings.entries()) {
      const spread = rateOf(timing, count * PAGE_BYTES);
      const isJudged = timing.name === 'avx512' || timing.name === 'avx2';
      rows.push({
        name: `decode, ${change.name}`,
        variant: timing.name,
        backend: variants[index]?.backend ?? 'native',
        unit: 'GB/s',
        spread,
        // What a decoder must move are the deltas: the rest of a page it does not touch.
        limit: context.limits.shareOf('copyL2', spread.median * (deltaBytes / PAGE_BYTES)),
        ...(isJudged && change.decode && { target: change.decode }),
      });
    }
  }
  return rows;
}

/** A call for a single page: the work and the way there. */
async function singlePages(
  context: MicroContext,
  natives: readonly CodecVariant[],
  typescript: CodecVariant,
): Promise<FigureRow[]> {
  const change = CHANGES.find(({ name }) => name === 'one word');
  if (change === undefined) return [];
  const { old, current } = pagesInCache({ ...change, pageCount: 1 });
  const rows: FigureRow[] = [];
  for (const { codec, name, backend } of [...natives, typescript]) {
    const into = new Uint8Array(PAGE_BYTES);
    const delta = into.slice(0, codec.encodePage(old, current, into));
    const page = old.slice();
    const plan = context.operationPlan;
    const encode = await timeOperation({ name, run: () => codec.encodePage(old, current, into) }, plan);
    const decode = await timeOperation({ name, run: () => codec.decodePage(delta, page) }, plan);
    check(Buffer.compare(page, current) === 0, `${name}: a decoded page differs`);
    const of = { variant: name, backend, unit: 'ns' };
    const read = context.limits.shareOf('readL1', (2 * PAGE_BYTES) / encode.median);
    const copied = context.limits.shareOf('copyL2', delta.length / decode.median);
    rows.push(
      { name: 'a call to encode one page, one word', ...of, spread: encode, limit: read },
      { name: 'a call to decode one page, one word', ...of, spread: decode, limit: copied },
    );
  }
  return rows;
}
