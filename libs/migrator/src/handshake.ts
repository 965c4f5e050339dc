import { timingSafeEqual } from 'node:crypto';
import { type ErrorCode, GodwitError, type GuestDescription } from '@godwit/ports';
import { z } from 'zod';
import { PROTOCOL_VERSION } from './frame.ts';

/** HELLO and ADMIT are never longer. */
export const HANDSHAKE_BYTES_MAX: number = 64 << 10;

const PAGE_COUNT_MAX = 0xffff_ffff;

/** What the source says first: who comes, and what the two must agree on. */
export interface Hello {
  readonly protocol: typeof PROTOCOL_VERSION;
  /** 32 hexadecimal digits, chosen by the source: names the session when either side comes back to it. */
  readonly session: string;
  /** Counts the switches of a session; each starts the guest at most once. */
  readonly epoch: number;
  readonly token?: string;
  /** Tells whether both sides read the same monotonic clock. */
  readonly bootId: string;
  readonly pageSizeBytes: number;
  readonly pageCount: number;
  /** Memory that is populated at the source, and will be at the destination. */
  readonly residentBytes: number;
  readonly stateBytesMax: number;
  /** The hash of the arrival digest, or `none`. */
  readonly digest: string;
  readonly codec: { readonly name: string; readonly code: number } | null;
  readonly guest: GuestDescription;
}

/** The destination is ready for the guest. */
export interface Admit {
  readonly protocol: typeof PROTOCOL_VERSION;
  readonly bootId: string;
}

const version = z.object({ protocol: z.number().int() });

const hello: z.ZodType<Hello> = z.object({
  protocol: z.literal(PROTOCOL_VERSION),
  session: z.string().regex(/^[0-9a-f]{32}$/),
  epoch: z.number().int().min(1).max(0xffff_ffff),
  token: z.string().max(256).exactOptional(),
  bootId: z.string().max(64),
  pageSizeBytes: z
    .number()
    .int()
    .min(512)
    .max(1 << 30),
  pageCount: z.number().int().min(1).max(PAGE_COUNT_MAX),
  residentBytes: z.number().int().min(0),
  stateBytesMax: z.number().int().min(0),
  digest: z.string().max(32),
  codec: z.object({ name: z.string().max(64), code: z.number().int().min(1).max(255) }).nullable(),
  guest: z.object({
    kind: z.string().max(64),
    memoryBytes: z.number().int().min(1),
    pageSizeBytes: z.number().int().min(512),
    workload: z.string().max(256),
    config: z.record(z.string(), z.unknown()),
  }),
});

const admit: z.ZodType<Admit> = z.object({ protocol: z.literal(PROTOCOL_VERSION), bootId: z.string().max(64) });

/** What a destination may give as its reason. Codes that tell where a guest is are not for it to say. */
const REFUSALS: ReadonlySet<string> = new Set<ErrorCode>([
  'ERR_GODWIT_UNSUPPORTED',
  'ERR_GODWIT_NATIVE_FAILED',
  'ERR_GODWIT_PEER_TIMEOUT',
  'ERR_GODWIT_PROTOCOL',
  'ERR_GODWIT_PROTOCOL_VERSION',
  'ERR_GODWIT_TOKEN',
  'ERR_GODWIT_PAGE_SIZE',
  'ERR_GODWIT_MEMORY_SIZE',
  'ERR_GODWIT_MEMORY_SHORT',
  'ERR_GODWIT_GUEST_KIND',
  'ERR_GODWIT_CODEC_MISMATCH',
  'ERR_GODWIT_FRAME_MALFORMED',
  'ERR_GODWIT_STATE_INVALID',
  'ERR_GODWIT_REFUSED',
]);

const refuse = z.object({ code: z.string().max(64), message: z.string().max(1024) });

/** @throws GodwitError `ERR_GODWIT_PROTOCOL_VERSION`, `ERR_GODWIT_FRAME_MALFORMED` */
export function parseHello(body: Uint8Array): Hello {
  const value = parseJson(body);
  const seen = version.safeParse(value, { jitless: true });
  if (seen.success && seen.data.protocol !== PROTOCOL_VERSION) {
    throw new GodwitError(
      'ERR_GODWIT_PROTOCOL_VERSION',
      `the source speaks protocol version ${seen.data.protocol}, this destination ${PROTOCOL_VERSION}`,
    );
  }
  const parsed = hello.safeParse(value, { jitless: true });
  if (!parsed.success) throw malformed('HELLO', parsed.error);
  return parsed.data;
}

/** @throws GodwitError `ERR_GODWIT_FRAME_MALFORMED` */
export function parseAdmit(body: Uint8Array): Admit {
  const parsed = admit.safeParse(parseJson(body), { jitless: true });
  if (!parsed.success) throw malformed('ADMIT', parsed.error);
  return parsed.data;
}

/** The error that a REFUSE frame stands for. */
export function parseRefusal(body: Uint8Array): GodwitError {
  const parsed = refuse.safeParse(parseJson(body), { jitless: true });
  if (!parsed.success) return malformed('REFUSE', parsed.error);
  const { code, message } = parsed.data;
  const known = REFUSALS.has(code) ? (code as ErrorCode) : 'ERR_GODWIT_REFUSED';
  return new GodwitError(known, `the destination refused: ${message.replace(/\p{Cc}/gu, ' ')}`);
}

/** Whether the peer knows the token that is asked for; takes the same time wherever the two differ. */
export function tokenFits(expected: string | undefined, given: string | undefined): boolean {
  if (expected === undefined) return true;
  const [wanted, seen] = [Buffer.from(expected), Buffer.from(given ?? '')];
  return wanted.length === seen.length && timingSafeEqual(wanted, seen);
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (cause) {
    throw new GodwitError('ERR_GODWIT_FRAME_MALFORMED', 'a handshake frame that is not JSON', { cause });
  }
}

function malformed(name: string, error: z.ZodError): GodwitError {
  const where = error.issues[0]?.path.join('.') ?? '';
  return new GodwitError('ERR_GODWIT_FRAME_MALFORMED', `${name}: ${where}: ${error.issues[0]?.message ?? 'invalid'}`);
}
