// The `main.js` of a built function. Parsing and compiling is most of a cold start, so it runs the bundle with V8's code cache beside it,
// which functions/_build/code-cache.ts takes after a first request and so holds every function that one needs; Node's own compile cache is taken
// before anything has run and holds next to none. A cache that another V8 made is ignored: the function only starts more slowly.
// Builtins are got at directly: importing one evaluates everything it exports.
const { existsSync, readFileSync } = process.getBuiltinModule('node:fs')
const { createRequire, Module } = process.getBuiltinModule('node:module')
const { Script } = process.getBuiltinModule('node:vm')

const filename = `${import.meta.dirname}/bundle.cjs`
const cache = `${import.meta.dirname}/bundle.cache`

// latin1: the bundle is ASCII, and needs no decoding.
export const script = new Script(readFileSync(filename, 'latin1'), {
  filename,
  ...(existsSync(cache) ? { cachedData: readFileSync(cache) } : {}),
})
const require = createRequire(filename)
// Registered as loaded: prisma.cjs beside it requires the modules that both use.
const bundle = Object.assign(new Module(filename), { filename, loaded: true })
require.cache[filename] = bundle
script.runInThisContext()(bundle.exports, require, bundle, filename, import.meta.dirname)
