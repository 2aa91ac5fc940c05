// The packages that an image holds beside its bundle.

/**
 * Packages copied beside the bundle: a native addon and an engine that reads its own WebAssembly file cannot be bundled, and a list of
 * half a megabyte is needed by registrations alone, while each start would read it.
 */
export const COPIED_PACKAGES: Record<string, string[]> = {
  auth: ['@node-rs/argon2', `@node-rs/argon2-linux-${process.arch}-gnu`, '@zxcvbn-ts/language-common', '@zxcvbn-ts/dictionary-compression'],
  migrate: ['@prisma/schema-engine-wasm'],
}
