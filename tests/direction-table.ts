/**
 * Who may depend on whom, in words:
 *
 * - `ports` is the centre and depends on nothing.
 * - `page-set` and `contract-tests` depend on `ports` alone.
 * - An implementation of a port (a scanner, codec, tracker, transport, guest or strategy, and `wire`, the outside world)
 *   depends on `ports` and `page-set`; implementations never depend on one another. Its tests may use `contract-tests`.
 * - `guest-host` is what the native guests share, in TypeScript and in Rust; no port is implemented by it alone.
 * - `migrator` is given its guest, transport and strategy: it depends on no implementation, but its tests use them all.
 * - Apps and examples put everything together; nothing depends on them.
 * - Crates follow the same direction with `godwit-ports` as their centre. `godwit-nic-sim` and `godwit-guest-programs`
 *   are the device and the workloads that several guests and `wire` share; neither is an implementation of a port.
 *   `godwit-bench` is what the micro-benchmarks measure against.
 */
export interface DirectionRule {
  /** The package or crate this line is about, or a pattern that names a family of them. */
  readonly subject: RegExp;
  /** What may stand in `dependencies` and be imported from `src`. */
  readonly may: RegExp;
  /** What may stand in `devDependencies` besides, and be imported from `test` and `bench`. */
  readonly testsMay: RegExp;
}

const NOTHING = /^$/;
const IMPLEMENTATIONS =
  '@godwit/(?:zeropage-simd|codec-[a-z0-9-]+|dirty-tracker|transport-[a-z0-9-]+|guest-[a-z0-9-]+|strategies|wire)';
const ANY_LIBRARY = new RegExp(`^(?:@godwit/(?:ports|page-set|contract-tests|migrator)|${IMPLEMENTATIONS})$`);

/** Lines of the table for npm packages; the first line that fits counts. */
export const PACKAGE_RULES: readonly DirectionRule[] = [
  { subject: /^@godwit\/ports$/, may: NOTHING, testsMay: NOTHING },
  { subject: /^@godwit\/contract-tests$/, may: /^@godwit\/ports$/, testsMay: NOTHING },
  { subject: /^@godwit\/page-set$/, may: /^@godwit\/ports$/, testsMay: /^@godwit\/contract-tests$/ },
  { subject: /^@godwit\/guest-host$/, may: /^@godwit\/(?:ports|page-set)$/, testsMay: /^@godwit\/contract-tests$/ },
  {
    subject: /^@godwit\/guest-(?:kvm|arena)$/,
    may: /^@godwit\/(?:ports|page-set|guest-host)$/,
    testsMay: /^@godwit\/contract-tests$/,
  },
  {
    subject: new RegExp(`^${IMPLEMENTATIONS}$`),
    may: /^@godwit\/(?:ports|page-set)$/,
    testsMay: /^@godwit\/contract-tests$/,
  },
  {
    subject: /^@godwit\/migrator$/,
    may: /^@godwit\/(?:ports|page-set)$/,
    testsMay: new RegExp(`^(?:@godwit/contract-tests|${IMPLEMENTATIONS})$`),
  },
  { subject: /^@godwit\/(?:bench|demo|example-[a-z0-9-]+)$/, may: ANY_LIBRARY, testsMay: ANY_LIBRARY },
];

/** Lines of the table for crates. */
export const CRATE_RULES: readonly DirectionRule[] = [
  { subject: /^godwit-(?:ports|guest-programs)$/, may: NOTHING, testsMay: NOTHING },
  { subject: /^godwit-nic-sim$/, may: /^godwit-ports$/, testsMay: NOTHING },
  { subject: /^godwit-guest-host$/, may: /^godwit-(?:ports|guest-programs|nic-sim)$/, testsMay: NOTHING },
  {
    subject: /^godwit-guest-(?:kvm|arena)$/,
    may: /^godwit-(?:ports|guest-programs|nic-sim|guest-host)$/,
    testsMay: NOTHING,
  },
  { subject: /^godwit-wire$/, may: /^godwit-(?:ports|nic-sim)$/, testsMay: NOTHING },
  {
    subject: /^godwit-(?:page-set|zeropage-simd|codec-[a-z0-9-]+|dirty-tracker|transport-[a-z0-9-]+|migrator)$/,
    may: /^godwit-ports$/,
    testsMay: NOTHING,
  },
  { subject: /^godwit-bench$/, may: /^godwit-ports$/, testsMay: NOTHING },
];
