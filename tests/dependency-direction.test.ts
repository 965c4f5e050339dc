import { describe, expect, it } from 'vitest';
import { CRATE_RULES, PACKAGE_RULES } from './direction-table.ts';
import { dependencyCycle, directionViolations, type WorkspaceMember } from './direction-violations.ts';
import { crateManifest, crates, npmPackages } from './workspace-members.ts';

function member(name: string, parts: Partial<WorkspaceMember> = {}): WorkspaceMember {
  return { name, dependencies: [], devDependencies: [], imports: [], testImports: [], escapes: [], ...parts };
}

describe('dependency direction', () => {
  it('holds for every package.json and every import', () => {
    const members = npmPackages();
    expect(members.map(({ name }) => name)).toContain('@godwit/ports');
    expect(directionViolations(members, PACKAGE_RULES)).toEqual([]);
    expect(dependencyCycle(members)).toBeUndefined();
  });

  it('holds for every Cargo.toml', () => {
    const members = crates();
    expect(members.map(({ name }) => name)).toContain('godwit-ports');
    expect(directionViolations(members, CRATE_RULES)).toEqual([]);
    expect(dependencyCycle(members)).toBeUndefined();
  });
});

describe('the rule itself', () => {
  it('accepts a workspace in order', () => {
    const members = [
      member('@godwit/ports'),
      member('@godwit/page-set', { dependencies: ['@godwit/ports'], imports: ['@godwit/ports'] }),
      member('@godwit/transport-pigeon', {
        dependencies: ['@godwit/ports', '@godwit/page-set'],
        devDependencies: ['@godwit/contract-tests'],
        testImports: ['@godwit/contract-tests', '@godwit/transport-pigeon'],
      }),
    ];
    expect(directionViolations(members, PACKAGE_RULES)).toEqual([]);
    expect(dependencyCycle(members)).toBeUndefined();
  });

  it('names every breach', () => {
    const members = [
      member('@godwit/ports', { dependencies: ['@godwit/page-set'] }),
      member('@godwit/codec-morse', { dependencies: ['@godwit/guest-kvm'], devDependencies: ['@godwit/migrator'] }),
      member('@godwit/strategies', { imports: ['@godwit/page-set'], testImports: ['@godwit/wire'] }),
      member('@godwit/migrator', {
        dependencies: ['@godwit/transport-tcp'],
        escapes: ['libs/migrator/src/a.ts: ../../x'],
      }),
      member('@godwit/stranger'),
    ];
    expect(directionViolations(members, PACKAGE_RULES)).toEqual([
      '@godwit/ports may not depend on @godwit/page-set',
      '@godwit/codec-morse may not depend on @godwit/guest-kvm',
      'the tests of @godwit/codec-morse may not depend on @godwit/migrator',
      '@godwit/strategies imports @godwit/page-set, which is not among its dependencies',
      'the tests of @godwit/strategies import @godwit/wire, which is not among its dependencies',
      '@godwit/migrator may not depend on @godwit/transport-tcp',
      '@godwit/migrator reaches out of its folder in libs/migrator/src/a.ts: ../../x',
      '@godwit/stranger has no line in the direction table',
    ]);
  });

  it('holds crates to their own table', () => {
    const members = [
      member('godwit-ports', { dependencies: ['godwit-nic-sim'] }),
      member('godwit-guest-kvm', { dependencies: ['godwit-ports', 'godwit-nic-sim', 'godwit-guest-programs'] }),
      member('godwit-dirty-tracker', { dependencies: ['godwit-guest-kvm'] }),
    ];
    expect(directionViolations(members, CRATE_RULES)).toEqual([
      'godwit-ports may not depend on godwit-nic-sim',
      'godwit-dirty-tracker may not depend on godwit-guest-kvm',
    ]);
  });

  it('finds a cycle', () => {
    const members = [
      member('a', { dependencies: ['b'] }),
      member('b', { dependencies: ['c'] }),
      member('c', { devDependencies: ['b'] }),
    ];
    expect(dependencyCycle(members)).toEqual(['b', 'c', 'b']);
  });

  it('reads a dependency in each of the ways Cargo writes it', () => {
    const manifest = crateManifest(`
[package]
name = "godwit-example"
# godwit-comment = "1"
[features]
x = ["godwit-feature"]
[dependencies]
godwit-ports.workspace = true
renamed = { package = "godwit-nic-sim", path = "../nic-sim" }
[target.'cfg(unix)'.dependencies]
godwit-wire = { path = "../wire" }
[build-dependencies.godwit-built]
path = "../built"
[dev-dependencies]
godwit-tested = "1"
`);
    expect(manifest).toEqual({
      name: 'godwit-example',
      dependencies: ['godwit-ports', 'godwit-nic-sim', 'godwit-wire', 'godwit-built'],
      devDependencies: ['godwit-tested'],
    });
  });
});
