/** What the reader of a manifest on the registry needs; what builds and tests a package stays here. */
const PUBLISHED_FIELDS = [
  'name',
  'version',
  'description',
  'keywords',
  'license',
  'author',
  'homepage',
  'repository',
  'bugs',
  'type',
  'sideEffects',
  'engines',
  'bin',
  'main',
  'module',
  'types',
  'exports',
  'files',
  'dependencies',
  'peerDependencies',
  'peerDependenciesMeta',
];

/** Lets packages of this repository find each other's sources, which are not published. */
const SOURCE_CONDITION = '@godwit/source';

function withoutSources(exported) {
  if (typeof exported !== 'object' || exported === null) return exported;
  const kept = Object.entries(exported).filter(([condition]) => condition !== SOURCE_CONDITION);
  return Object.fromEntries(kept.map(([condition, target]) => [condition, withoutSources(target)]));
}

/**
 * The manifest under which a package is published: without what only this repository needs, and with its platform
 * packages (name to version) as optional dependencies, of which npm installs the one that fits the machine.
 */
export function publishedManifest(manifest, platformPackages = {}) {
  const published = Object.fromEntries(
    PUBLISHED_FIELDS.filter((field) => field in manifest).map((field) => [field, manifest[field]]),
  );
  if ('exports' in published) published.exports = withoutSources(published.exports);
  if (Object.keys(platformPackages).length > 0) published.optionalDependencies = platformPackages;
  return { ...published, publishConfig: { access: 'public' } };
}
