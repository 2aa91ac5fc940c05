// Prisma ships this module without types; only lazy-compiler.ts loads it by hand.
declare module '@prisma/client/runtime/query_compiler_small_bg.postgresql.mjs' {
  export class QueryCompiler {
    constructor(options: object)
    compile(request: string): object
    compileBatch(request: string): object
    free(): void
  }
  export function __wbg_set_wasm(exports: object): void
}
