/** The person pressed Ctrl-C while we only waited. `hint` says what goes on and how to see it. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly hint: string;

  constructor(hint: string) {
    super('interrupted');
    this.hint = hint;
  }
}
