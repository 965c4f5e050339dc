/** Something that cannot be asked for; the message is for the one who typed it. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
