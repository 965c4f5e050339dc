/**
 * Appended to a stranger's script: what says that the package runs natively. That its addon is mapped into the process
 * is looked at besides.
 */
const BACKENDS = {
  '@godwit/codec-xbzrle': `(await import('@godwit/codec-xbzrle')).createXbzrleCodec().backend`,
  '@godwit/dirty-tracker': undefined,
  '@godwit/guest-arena': undefined,
  '@godwit/guest-kvm': undefined,
  '@godwit/migrator': undefined,
  '@godwit/page-set': `(await import('@godwit/page-set')).PageSet.empty(2_097_152).backend`,
  '@godwit/transport-tcp': `(await import('@godwit/transport-tcp')).tcp().backend`,
  '@godwit/wire': undefined,
  '@godwit/zeropage-simd': `(await import('@godwit/zeropage-simd')).createZeroPageScanner().backend`,
};

/** Lines that end the process with a failure unless `name` runs natively out of one of `platformNames`. */
export function nativeProof(name, platformNames) {
  const backend = BACKENDS[name];
  return `
{
  const mapped = process.report.getReport().sharedObjects;
  const addon = mapped.find((path) => ${JSON.stringify(platformNames)}.some((name) => path.includes('/node_modules/' + name + '/')));
  if (addon === undefined) throw new Error('the addon of ${name} is not loaded');
  ${backend === undefined ? '' : `if ((${backend}) !== 'native') throw new Error('${name} does not run natively');`}
  console.log('native: ' + addon);
}
`;
}
