import type { DirectionRule } from './direction-table.ts';

/** A package or a crate, as far as the direction of its dependencies goes. Only names of this repository appear. */
export interface WorkspaceMember {
  readonly name: string;
  /** Declared for those who use it: `dependencies`, `peerDependencies`, `optionalDependencies`, build dependencies. */
  readonly dependencies: readonly string[];
  /** Declared for its own tests. */
  readonly devDependencies: readonly string[];
  /** Imported by the files that are shipped. */
  readonly imports: readonly string[];
  /** Imported by `test/` and `bench/`. */
  readonly testImports: readonly string[];
  /** Relative imports that leave the folder of the member, as `file: specifier`. */
  readonly escapes: readonly string[];
}

/** Each breach of the table as one sentence; empty where all is well. */
export function directionViolations(members: readonly WorkspaceMember[], rules: readonly DirectionRule[]): string[] {
  return members.flatMap((member) => {
    const rule = rules.find(({ subject }) => subject.test(member.name));
    if (rule === undefined) return [`${member.name} has no line in the direction table`];
    const allowed = (name: string): boolean => rule.may.test(name);
    const allowedInTests = (name: string): boolean => allowed(name) || rule.testsMay.test(name);
    const declared = new Set([member.name, ...member.dependencies]);
    const declaredForTests = new Set([...declared, ...member.devDependencies]);
    return [
      ...member.dependencies.filter((name) => !allowed(name)).map((name) => `${member.name} may not depend on ${name}`),
      ...member.devDependencies
        .filter((name) => !allowedInTests(name))
        .map((name) => `the tests of ${member.name} may not depend on ${name}`),
      ...member.imports
        .filter((name) => !declared.has(name))
        .map((name) => `${member.name} imports ${name}, which is not among its dependencies`),
      ...member.testImports
        .filter((name) => !declaredForTests.has(name))
        .map((name) => `the tests of ${member.name} import ${name}, which is not among its dependencies`),
      ...member.escapes.map((place) => `${member.name} reaches out of its folder in ${place}`),
    ];
  });
}

/** The members of one dependency cycle in order, or undefined where there is none. Development dependencies count. */
export function dependencyCycle(members: readonly WorkspaceMember[]): string[] | undefined {
  const byName = new Map(members.map((member) => [member.name, member]));
  const done = new Set<string>();
  const walk = (name: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(name)) return [...path.slice(path.indexOf(name)), name];
    const member = byName.get(name);
    if (member === undefined || done.has(name)) return undefined;
    for (const next of [...member.dependencies, ...member.devDependencies]) {
      const cycle = walk(next, [...path, name]);
      if (cycle !== undefined) return cycle;
    }
    done.add(name);
    return undefined;
  };
  for (const { name } of members) {
    const cycle = walk(name, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
