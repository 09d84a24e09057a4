import { AssertionError } from 'node:assert';

/** For the branch that the type system says cannot be taken. */
export function assertNever(value: never): never {
  throw new AssertionError({ message: `unexpected value: ${JSON.stringify(value)}` });
}
