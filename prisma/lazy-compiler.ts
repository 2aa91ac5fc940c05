// What the bundles put in the place of Prisma's own loading of its query compiler (functions/_build/bundle.ts). Raw statements need no compiler:
// a function whose first request is made of them does not wait for 1.7 MB of WebAssembly, which the first call that needs it loads.
import { readFileSync } from 'node:fs'
import * as runtime from '@prisma/client/runtime/query_compiler_small_bg.postgresql.mjs'

/** Declared here: the types of Node know no WebAssembly. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object, imports: object) => { exports: { __wbindgen_start(): void } }
}

class LazyQueryCompiler {
  readonly #options: object
  #compiler: runtime.QueryCompiler | undefined

  constructor(options: object) {
    this.#options = options
  }

  get #loaded(): runtime.QueryCompiler {
    this.#compiler ??= new (load())(this.#options)
    return this.#compiler
  }

  compile(request: string): object {
    return this.#loaded.compile(request)
  }

  compileBatch(request: string): object {
    return this.#loaded.compileBatch(request)
  }

  free(): void {
    this.#compiler?.free()
  }
}

let bound = false
/** Once a process: the runtime keeps views of the one instance's memory. Synchronous, because compiling a query is. */
function load(): typeof runtime.QueryCompiler {
  if (!bound) {
    const module = new WebAssembly.Module(readFileSync(new URL('./query_compiler.wasm', import.meta.url)))
    const { exports } = new WebAssembly.Instance(module, { './query_compiler_small_bg.js': runtime })
    runtime.__wbg_set_wasm(exports)
    exports.__wbindgen_start()
    bound = true
  }
  return runtime.QueryCompiler
}

/** The least that Prisma takes for the module: `(module (func (export "__wbindgen_start")))`. */
const EMPTY = Buffer.from('0061736d010000000104016000000302010007140110' + '5f5f7762696e6467656e5f737461727400000a040102000b', 'hex')

export const compilerWasm = {
  importName: './query_compiler_small_bg.js',
  getRuntime: async () => ({ __wbg_set_wasm: () => {}, QueryCompiler: LazyQueryCompiler }),
  getQueryCompilerWasmModule: async () => new WebAssembly.Module(EMPTY),
}
