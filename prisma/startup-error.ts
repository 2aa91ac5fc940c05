// The class of the errors that an operator can remedy. Entry points print its message alone; any other error is a defect and keeps its stack.

/**
 * A process cannot start, or a job cannot do its work, for a reason outside of the code: a setting, a folder, a disk, a database.
 * `message` is one line that names the cause and the remedy, and holds no secret.
 */
export class StartupError extends Error {
  override name = 'StartupError'

  constructor(message: string, options?: ErrorOptions) {
    // PostgreSQL and the file system may answer in several lines.
    super(message.replace(/\s*\n\s*/g, ' ').trim(), options)
  }
}
